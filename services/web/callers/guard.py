"""Finds the caller of a request, and checks its origin if it has a session cookie, and its user if it names one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.web.bodies import require_json
from services.web.callers.identity import (
    Audience,
    Caller,
    ForeignOriginError,
    KeysUnavailableError,
    NotLoggedInError,
    OtherUserError,
)
from services.web.callers.issuer import Issuer
from services.web.callers.key_set import discover_over_http, fetch_over_http
from services.web.callers.verifier import Verifier
from services.web.request_context import annotate

if TYPE_CHECKING:
    from litestar import Request

    from services.settings.tokens import TokenSettings

USERNAME_HEADER = "X-Username"
"""A request header with the username for whom the client makes the request. It is optional, and it grants nothing:
docs/decisions/0025-a-request-names-its-user.md.
"""

_USERNAME_HEADER = USERNAME_HEADER.lower().encode()


class Guard:
    def __init__(self, audience: Audience | None, verifier: Verifier) -> None:
        """`audience`: None if the tokens are not the auth service's. Only the auth service has a session cookie."""
        self._audience = audience
        self._verifier = verifier

    async def require_caller(self, request: Request[Any, Any, Any]) -> None:
        """A `before_request` hook of a route: it runs before the body is read. The caller is `request.user` afterwards.

        It takes the place of the application's hook, so it begins with that hook's check. A Litestar guard would run
        before the body is read as well, but Litestar copies the route handler for each guard and request.

        Raises:
            HTTPException: see `require_json`.
            NotLoggedInError, TokenExpiredError, KeysUnavailableError, ForeignOriginError: see `identify`.
            OtherUserError: see `require_named_user`.
        """
        await require_json(request)
        request.scope["user"] = caller = await self.identify(request)
        require_named_user(request, caller)

    async def identify(self, request: Request[Any, Any, Any]) -> Caller:
        """The caller by Bearer token or session cookie. A Bearer token takes precedence.

        Raises:
            NotLoggedInError, TokenExpiredError, KeysUnavailableError: see `Verifier.verify`.
            ForeignOriginError: the cookie came with a state-changing request of another site's page.
        """
        caller = await self._verifier.verify(self._find_token(request))
        annotate(username=caller.username)
        return caller

    async def identify_if_logged_in(self, request: Request[Any, Any, Any]) -> Caller | None:
        """The caller, or None without a login; for pages that need no login."""
        try:
            return await self.identify(request)
        except (NotLoggedInError, KeysUnavailableError):
            return None

    def _find_token(self, request: Request[Any, Any, Any]) -> str:
        # `request.headers` would first build a mapping of all headers.
        header = next((value for name, value in request.scope["headers"] if name == b"authorization"), b"")
        scheme, _, credentials = header.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and credentials:
            return credentials.strip()
        if self._audience is None:
            raise NotLoggedInError("There is no Bearer token.")
        cookie = find_session_cookie(request, self._audience)
        if not cookie:
            raise NotLoggedInError("There is no session cookie and no Bearer token.")
        if request.method not in {"GET", "HEAD"}:
            require_own_origin(request, self._audience)
        return cookie


def make_guard(settings: TokenSettings) -> Guard:
    """The guard of a service that does not issue tokens itself."""
    if settings.issuer is None:
        audience = Audience(settings.origin)
        fetch = fetch_over_http(settings.jwks_url or "")
        return Guard(audience, Verifier(Issuer.of_auth_service(audience), fetch))
    fetch = fetch_over_http(settings.jwks_url) if settings.jwks_url else discover_over_http(settings.issuer)
    return Guard(None, Verifier(make_issuer(settings), fetch))


def make_issuer(settings: TokenSettings) -> Issuer:
    """The issuer that the settings describe."""
    return Issuer(
        url=settings.issuer or "",
        audiences=tuple((settings.audience or "").split(",")),
        algorithms=tuple(settings.algorithms.split(",")),
        username_claim=settings.username_claim,
    )


def require_named_user(request: Request[Any, Any, Any], caller: Caller) -> None:
    """A page shows one user while another one logs in with the same cookie, in another tab. Its requests name the user
    whom it shows, so that they don't act for the other one.

    Raises:
        OtherUserError: the header `X-Username` names another user than the caller.
    """
    # Every such header is compared, not only the first or the last one.
    named = [value for name, value in request.scope["headers"] if name == _USERNAME_HEADER]
    if any(value.decode("latin-1") != caller.username for value in named):
        raise OtherUserError(f"{caller.username} is logged in, and the request is for another user.")


def find_session_cookie(request: Request[Any, Any, Any], audience: Audience) -> str | None:
    """The value of the last session cookie, which contains no quotes.

    `request.cookies` would cache the last 1,024 headers with their tokens, and unquote every cookie, which takes
    quadratic time in Python before 3.11.10 (CVE-2024-7592).
    """
    wanted = audience.cookie.encode()
    cookies = b";".join(value for name, value in request.scope["headers"] if name == b"cookie")
    pairs = (cookie.partition(b"=") for cookie in cookies.split(b";"))
    values = [value.strip().decode("latin-1") for name, _, value in pairs if name.strip() == wanted]
    return values[-1] if values else None


def require_own_origin(request: Request[Any, Any, Any], audience: Audience) -> None:
    """Browsers send `Origin` with every POST (Fetch standard), so a request without it is not from our page either.

    Raises:
        ForeignOriginError: the header is missing or names another origin.
    """
    if request.headers.getall("Origin", []) != [audience.origin]:
        raise ForeignOriginError(f"Only pages of {audience.origin} may use the session cookie.")
