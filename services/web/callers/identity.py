"""The issuer and audience of access tokens, the user whom a token names, and the reasons to refuse a request."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from services.web.problems import UNAVAILABLE, Problem


@dataclass(frozen=True, slots=True)
class Audience:
    """The issuer and the audience of the tokens. Both follow from the one public origin of the system."""

    origin: str

    @property
    def issuer(self) -> str:
        return f"{self.origin}/auth"

    @property
    def audience(self) -> str:
        return self.origin

    @property
    def cookie(self) -> str:
        """The name of the session cookie. Browsers accept the prefix `__Host-` from this very host over HTTPS only
        (RFC 6265bis). Two systems on ports of one host share their cookies, so without HTTPS the name has the port.
        """
        return "__Host-session" if self.is_secure else f"session-{urlsplit(self.origin).port or 80}"

    @property
    def is_secure(self) -> bool:
        return self.origin.startswith("https://")


@dataclass(frozen=True, slots=True)
class Caller:
    """The user who makes a request, as a verified token names them."""

    username: str


class NotLoggedInError(Exception):
    """The request has no token, or the token is not valid."""


class TokenExpiredError(NotLoggedInError):
    """The token was valid and has expired."""


class OtherUserError(Exception):
    """The request names a user, and the token is another user's."""


class ForeignOriginError(Exception):
    """The session cookie came with a request from a page of another origin."""


class KeysUnavailableError(Exception):
    """The key set can't be fetched, so the token can't be verified."""


PROBLEMS: dict[type[Exception], Problem] = {
    TokenExpiredError: Problem(
        "token-expired", 401, "Log in again", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    ),
    NotLoggedInError: Problem("not-logged-in", 401, "Log in first", {"WWW-Authenticate": "Bearer"}),
    ForeignOriginError: Problem("foreign-origin", 403, "This call came from another site's page"),
    OtherUserError: Problem("other-user", 409, "Another user is logged in"),
    KeysUnavailableError: UNAVAILABLE,
}
