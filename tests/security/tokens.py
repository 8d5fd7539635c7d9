"""Tokens that are wrong in one thing, of the auth service and of another issuer."""

from __future__ import annotations

import base64
import json
import time
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from services.web.callers.issuer import LEEWAY_SECONDS

if TYPE_CHECKING:
    from services.auth.tokens import SigningKey

API = "https://api.example"
"""The audience of the other issuer's tokens."""


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@dataclass
class LocalKey:
    algorithm: str
    kid: str = "key of this test"

    @cached_property
    def private(self) -> Any:
        if self.algorithm == "RS256":
            return rsa.generate_private_key(65537, 2048)
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def jwk(self) -> dict[str, Any]:
        kind = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        public: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        return public | {"kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, message: bytes) -> bytes:
        return jwt.get_algorithm_by_name(self.algorithm).sign(message, self.private)


@dataclass
class Forger:
    """Makes tokens for the user with any header and claims. Unlike an attacker it can sign with the issuer's key, so
    that a token is wrong only in what a test changes.
    """

    key: SigningKey | LocalKey
    username: str
    claims: dict[str, Any]
    """The claims besides the user and the times."""
    algorithm: str = "ES256"
    type: str = "JWT"
    leeway: int = 0
    wrong_issuers: tuple[Any, ...] = ()
    wrong_audiences: tuple[Any, ...] = ()
    other_key: LocalKey = field(init=False)
    """A key that is not in the key set."""

    def __post_init__(self) -> None:
        self.other_key = LocalKey(self.algorithm)

    @classmethod
    def of_auth_service(cls, key: SigningKey, origin: str, username: str) -> Forger:
        evil = "https://evil.example"
        return cls(
            key,
            username,
            {"iss": f"{origin}/auth", "aud": origin, "jti": str(uuid.uuid4())},
            wrong_issuers=(f"{evil}/auth", origin, f"{origin}/auth/", [f"{origin}/auth"], 7),
            wrong_audiences=(evil, f"{origin}.evil.example", f"{origin}/", [origin], [evil, origin], 7),
        )

    @classmethod
    def of_other_issuer(cls, key: LocalKey, issuer: str, username: str) -> Forger:
        """Its tokens have the profile of RFC 9068, and a list of audiences."""
        evil = "https://evil.example"
        return cls(
            key,
            username,
            {"iss": issuer, "aud": [API, f"{issuer}/userinfo"], "client_id": "shop"},
            key.algorithm,
            "at+jwt",
            LEEWAY_SECONDS,
            wrong_issuers=(evil, f"{issuer}/", issuer.upper(), [issuer], 7),
            wrong_audiences=(evil, f"{API}.evil.example", f"{API}/", [evil], [], {API: API}, 7),
        )

    @property
    def kid(self) -> str:
        return self.key.jwk["kid"]

    @cached_property
    def public_key(self) -> Any:
        return jwt.PyJWK(self.key.jwk, self.algorithm).key

    def encode_unsigned(self, header: dict[str, Any] | None = None, /, **changed: Any) -> str:
        """Header and claims of a token, without a signature. None removes an entry."""
        now = int(time.time())
        claims = self.claims | {"sub": self.username, "iat": now - 60, "exp": now + 3600}
        parts = ({"alg": self.algorithm, "kid": self.kid, "typ": self.type} | (header or {}), claims | changed)
        stated = ({name: value for name, value in part.items() if value is not None} for part in parts)
        return ".".join(encode(json.dumps(part).encode()) for part in stated)

    def sign(self, header: dict[str, Any] | None = None, /, **changed: Any) -> str:
        unsigned = self.encode_unsigned(header, **changed)
        return f"{unsigned}.{encode(self.key.sign(unsigned.encode()))}"

    def sign_with_other_key(self, header: dict[str, Any] | None = None, /, **changed: Any) -> str:
        """Sign with a key that is not in the key set."""
        unsigned = self.encode_unsigned(header, **changed)
        return f"{unsigned}.{encode(self.other_key.sign(unsigned.encode()))}"

    def other_jwk(self, kid: str) -> dict[str, Any]:
        return self.other_key.jwk | {"kid": kid}
