"""Issues access tokens signed with ES256. The private key never leaves KMS, which receives only the digest to sign."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jwt.algorithms import ECAlgorithm
from jwt.utils import der_to_raw_signature

from services.web.callers.issuer import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_kms import KMSClient

    from services.web.callers.identity import Audience


@dataclass(frozen=True)
class SigningKey:
    """A KMS key of type ECC_NIST_P256 for SIGN_VERIFY."""

    kms: KMSClient
    key_id: str

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public key. Its `kid` is its thumbprint (RFC 7638), which depends on the key alone."""
        public = load_der_public_key(self.kms.get_public_key(KeyId=self.key_id)["PublicKey"])
        if not isinstance(public, EllipticCurvePublicKey):
            raise TypeError(f"{self.key_id} is not an elliptic curve key")
        key: dict[str, str] = ECAlgorithm.to_jwk(public, as_dict=True)
        members = json.dumps({name: key[name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
        kid = base64.urlsafe_b64encode(hashlib.sha256(members.encode()).digest()).rstrip(b"=").decode()
        return key | {"kid": kid, "use": "sig", "alg": ALGORITHM}

    def sign(self, message: bytes) -> bytes:
        """The signature as r and s concatenated (RFC 7518, section 3.4). KMS returns it in DER."""
        response = self.kms.sign(
            KeyId=self.key_id,
            Message=hashlib.sha256(message).digest(),
            MessageType="DIGEST",
            SigningAlgorithm="ECDSA_SHA_256",
        )
        return der_to_raw_signature(response["Signature"], SECP256R1())


class _RemoteES256(ECAlgorithm):
    """PyJWT's ES256, except that a `SigningKey` signs."""

    def __init__(self) -> None:
        super().__init__(ECAlgorithm.SHA256)

    def prepare_key(self, key: Any) -> Any:
        return key

    def check_key_length(self, key: Any) -> str | None:  # noqa: ARG002 - every P-256 key has the same length
        return None

    def sign(self, msg: bytes, key: Any) -> bytes:
        return key.sign(msg)


@dataclass(frozen=True)
class Tokens:
    """The first of `keys` signs. All are published, so that tokens signed with a former key can still be verified."""

    keys: tuple[SigningKey, ...]
    audience: Audience
    lifetime: int
    clock: Callable[[], float]

    @cached_property
    def _jws(self) -> jwt.PyJWS:
        signer = jwt.PyJWS(algorithms=[])
        signer.register_algorithm(ALGORITHM, _RemoteES256())
        return signer

    @property
    def key_set(self) -> dict[str, list[dict[str, str]]]:
        return {"keys": [key.jwk for key in self.keys]}

    def issue(self, username: str) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.audience.issuer,
            "aud": self.audience.audience,
            "sub": username,
            "iat": now,
            "exp": now + self.lifetime,
            "jti": str(uuid.uuid4()),
        }
        key = self.keys[0]
        return self._jws.encode(
            json.dumps(claims).encode(),
            key,  # pyright: ignore[reportArgumentType] - `_RemoteES256` takes a `SigningKey`
            algorithm=ALGORITHM,
            headers={"kid": key.jwk["kid"]},
        )
