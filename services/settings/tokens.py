"""Settings about access tokens: of the services that verify them, and of the stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, get_args

import msgspec

from services.settings.environment import ServiceSettings
from services.settings.urls import SAFE_ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""The algorithms with a private and a public key (RFC 7518, section 3.1, and RFC 8037). With a shared secret, as under
HS256, a service that verifies a token could also make one.
"""

_ALGORITHM = f"({'|'.join(get_args(Algorithm))})"

SAFE_URL = rf"^{SAFE_ORIGIN}(/[^\s?#@]*)?\Z"
"""Over HTTP, everybody on the way could replace the keys. Hosts of this machine are an exception for development."""

KEY_SET_PATH = r"(/[^\s?#]*(\?[^\s#]*)?)?"
"""Firebase's key set has an `@` in its path, and that of an Azure AD B2C policy has a query."""

SAFE_KEY_SET_URL = rf"^{SAFE_ORIGIN}{KEY_SET_PATH}\Z"

IssuerUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=SAFE_URL,
        examples=["https://example.eu.auth0.com/"],
        description="OpenID Connect issuer whose access tokens are accepted, exactly as in their claim `iss`. Default: "
        "the auth service.",
    ),
]
TokenAudience = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\s,]+(,[^\s,]+)*\Z",
        examples=["https://api.example.com"],
        description="Audiences of the issuer's tokens, separated by commas. A token must have one of them in the claim "
        "`aud`, or in `client_id` or `azp` if it has no `aud`.",
    ),
]
JwksUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://",
        examples=["https://example.com/auth/.well-known/jwks.json"],
        description="URL of the key set (JWKS) that verifies access tokens. Default: the one in the issuer's discovery "
        "document. For the tokens of the auth service it must be set.",
    ),
]
Algorithms = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^{_ALGORITHM}(,{_ALGORITHM})*\Z",
        examples=["RS256,ES256"],
        description="Algorithms with which the issuer signs, separated by commas.",
    ),
]
ALGORITHMS: Algorithms = "RS256,ES256"
UsernameClaim = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        description="Claim that names the user in the issuer's tokens. With `email`, a token must also have"
        " `email_verified`.",
    ),
]
USERNAME_CLAIM: UsernameClaim = "sub"


class TokenSettings(ServiceSettings, frozen=True, kw_only=True):
    """The settings of a service that verifies access tokens."""

    jwks_url: JwksUrl | None = None
    issuer: IssuerUrl | None = None
    audience: TokenAudience | None = None
    algorithms: Algorithms = ALGORITHMS
    username_claim: UsernameClaim = USERNAME_CLAIM

    def __post_init__(self) -> None:
        super().__post_init__()
        check_issuer(self, str.upper)
        if self.issuer is None and self.jwks_url is None:
            raise ValueError("JWKS_URL is needed without ISSUER")
        if self.issuer and self.jwks_url and not re.search(SAFE_KEY_SET_URL, self.jwks_url):
            raise ValueError(f"JWKS_URL must begin with https:// if there is an ISSUER, and is {self.jwks_url!r}")


class SettingsOfIssuer(Protocol):
    @property
    def issuer(self) -> str | None: ...
    @property
    def audience(self) -> str | None: ...
    @property
    def algorithms(self) -> str: ...
    @property
    def username_claim(self) -> str: ...


def check_issuer(settings: SettingsOfIssuer, spell: Callable[[str], str]) -> None:
    """`spell` returns the operator's name of a field.

    Raises:
        ValueError: a setting is missing, or would have no effect.
    """
    if settings.issuer:
        if not settings.audience:
            raise ValueError(f"{spell('issuer')} needs {spell('audience')}")
        return
    defaults = {"audience": None, "algorithms": ALGORITHMS, "username_claim": USERNAME_CLAIM}
    for name, default in defaults.items():
        if getattr(settings, name) != default:
            raise ValueError(f"{spell(name)} needs {spell('issuer')}")
