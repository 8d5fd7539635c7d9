"""The issuer whose access tokens are accepted, and what its tokens must have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from services.web.callers.identity import Audience

ALGORITHM = "ES256"
"""The algorithm of the auth service."""

LEEWAY_SECONDS = 30
"""How far the clock of another issuer may be ahead of or behind that of a service. A browser uses a token as soon as it
is issued.
"""


@dataclass(frozen=True, slots=True)
class Issuer:
    url: str
    """The exact value of the claim `iss`."""
    audiences: tuple[str, ...]
    """A token must be for one of them."""
    algorithms: tuple[str, ...]
    """The algorithms that a token may be signed with."""
    required_claims: tuple[str, ...] = ("iss", "iat", "exp")
    """Required besides an audience and a username."""
    username_claim: str = "sub"
    leeway: int = LEEWAY_SECONDS
    """How many seconds before `iat` or `nbf` and after `exp` a token is accepted."""
    has_single_audience: bool = False
    """Whether `aud` must be one text, and no other claim replaces it."""

    @classmethod
    def of_auth_service(cls, audience: Audience) -> Issuer:
        """The auth service, whose tokens have exactly these claims."""
        return cls(
            url=audience.issuer,
            audiences=(audience.audience,),
            algorithms=(ALGORITHM,),
            required_claims=("iss", "aud", "sub", "iat", "exp", "jti"),
            leeway=0,
            has_single_audience=True,
        )

    def is_for_audience(self, claims: dict[str, Any]) -> bool:
        """Whether a token with these claims was issued for one of the audiences.

        Some issuers name only the client: Cognito in `client_id`, Clerk in `azp`. A token with an `aud` is never
        accepted for its client alone: it was issued for another service (RFC 9700, section 4.10.2).
        """
        named = claims.get("aud")
        if self.has_single_audience:
            return named in self.audiences
        if "aud" not in claims:
            named = claims.get("client_id", claims.get("azp"))
        listed = cast("list[Any]", named) if isinstance(named, list) else [named]
        return any(audience in listed for audience in self.audiences)

    def find_name(self, claims: dict[str, Any]) -> Any:
        """The user's name in these claims, if they have one that can be relied on.

        Everybody can enter another's e-mail address in some issuers' sign-up forms.
        """
        if self.username_claim == "email" and claims.get("email_verified") is not True:
            return None
        return claims.get(self.username_claim)
