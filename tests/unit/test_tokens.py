"""The auth service issues tokens with a key that never leaves KMS."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.auth.tokens import SigningKey, Tokens
from services.web.callers.identity import Audience, Caller, NotLoggedInError
from services.web.callers.issuer import Issuer
from services.web.callers.verifier import Verifier

if TYPE_CHECKING:
    from types_boto3_kms import KMSClient

AUDIENCE = Audience("https://pictures.example")
ISSUER = Issuer.of_auth_service(AUDIENCE)
NOW = 1_600_000_000.9
LONG = 2_000_000_000  # until 2084, so that these tests need no clock

PRIVATE = {
    "first": ec.derive_private_key(11, ec.SECP256R1()),
    "second": ec.derive_private_key(12, ec.SECP256R1()),
    # The keys' coordinates begin with a zero byte, which a JWK must keep (RFC 7518, section 6.2.1.2).
    "short-x": ec.derive_private_key(379, ec.SECP256R1()),
    "short-y": ec.derive_private_key(43, ec.SECP256R1()),
}


class FakeKms:
    """Signs a digest with ECDSA and returns DER, as KMS does."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def get_public_key(self, *, KeyId: str) -> dict[str, bytes]:  # noqa: N803 - KMS's name
        self.calls.append(f"get_public_key {KeyId}")
        public = RSA.public_key() if KeyId == "rsa" else PRIVATE[KeyId].public_key()
        return {"PublicKey": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)}

    def sign(self, **call: Any) -> dict[str, bytes]:
        self.calls.append(f"sign {call['KeyId']}")
        assert (call["MessageType"], call["SigningAlgorithm"]) == ("DIGEST", "ECDSA_SHA_256")
        assert len(call["Message"]) == 32
        return {"Signature": PRIVATE[call["KeyId"]].sign(call["Message"], ec.ECDSA(Prehashed(SHA256())))}


RSA = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def kms() -> FakeKms:
    return FakeKms()


def make_tokens(kms: FakeKms, *key_ids: str) -> Tokens:
    keys = tuple(SigningKey(cast("KMSClient", kms), key_id) for key_id in key_ids)
    return Tokens(keys, AUDIENCE, LONG, lambda: NOW)


def make_verifier(tokens: Tokens) -> Verifier:
    async def fetch() -> str:
        return json.dumps(tokens.key_set)

    return Verifier(ISSUER, fetch, lambda: 0.0)


@pytest.mark.anyio
@pytest.mark.parametrize("key_id", PRIVATE)
async def test_an_issued_token_verifies(kms: FakeKms, key_id: str) -> None:
    tokens = make_tokens(kms, key_id)
    verifier = make_verifier(tokens)
    for _ in range(20):  # r or s is sometimes shorter than 32 bytes
        assert await verifier.verify(tokens.issue("ada")) == Caller("ada")


@pytest.mark.anyio
async def test_a_token_of_another_issuer_does_not_verify(kms: FakeKms) -> None:
    tokens = make_tokens(kms, "first")
    other = Tokens(tokens.keys, Audience("https://other.example"), LONG, lambda: NOW)
    with pytest.raises(NotLoggedInError):
        await make_verifier(tokens).verify(other.issue("ada"))


def test_a_token_has_subject_audience_and_expiry(kms: FakeKms) -> None:
    token = make_tokens(kms, "first").issue("ada")
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    assert uuid.UUID(claims.pop("jti")).version == 4
    assert claims == {
        "iss": "https://pictures.example/auth",
        "aud": "https://pictures.example",
        "sub": "ada",
        "iat": 1_600_000_000,
        "exp": 1_600_000_000 + LONG,
    }


def test_each_token_has_a_new_id(kms: FakeKms) -> None:
    tokens = make_tokens(kms, "first")
    first, second = (jwt.decode(tokens.issue("ada"), options={"verify_signature": False})["jti"] for _ in range(2))
    assert first != second


def test_the_first_key_signs_and_all_are_published(kms: FakeKms) -> None:
    tokens = make_tokens(kms, "first", "second")
    first, second = tokens.key_set["keys"]
    assert first["kid"] != second["kid"]
    assert jwt.get_unverified_header(tokens.issue("ada")) == {"alg": "ES256", "kid": first["kid"], "typ": "JWT"}
    assert [call for call in kms.calls if call.startswith("sign")] == ["sign first"]


@pytest.mark.anyio
async def test_a_token_of_a_key_that_is_being_retired_still_verifies(kms: FakeKms) -> None:
    before, after = make_tokens(kms, "first"), make_tokens(kms, "second", "first")
    assert await make_verifier(after).verify(before.issue("ada")) == Caller("ada")


@pytest.mark.parametrize("key_id", PRIVATE)
def test_a_published_key_is_public_and_its_id_is_its_rfc_7638_thumbprint(kms: FakeKms, key_id: str) -> None:
    [jwk] = make_tokens(kms, key_id).key_set["keys"]
    # RFC 7638, section 3: the required members in order of their names, without white space. In RFC 7518's spelling of
    # a coordinate 32 bytes are 43 characters.
    numbers = PRIVATE[key_id].public_key().public_numbers()
    x, y = (
        base64.urlsafe_b64encode(number.to_bytes(32, "big")).decode().strip("=") for number in (numbers.x, numbers.y)
    )
    digest = hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest()
    assert jwk == {
        "kty": "EC",
        "crv": "P-256",
        "x": x,
        "y": y,
        "kid": base64.urlsafe_b64encode(digest).decode().strip("="),
        "use": "sig",
        "alg": "ES256",
    }


def test_a_public_key_is_requested_once(kms: FakeKms) -> None:
    tokens = make_tokens(kms, "first")
    for _ in range(3):
        assert tokens.key_set
        tokens.issue("ada")
    assert kms.calls.count("get_public_key first") == 1


def test_a_key_of_another_kind_is_refused(kms: FakeKms) -> None:
    with pytest.raises(TypeError, match="rsa is not an elliptic curve key"):
        assert make_tokens(kms, "rsa").key_set
