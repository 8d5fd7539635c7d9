"""Tokens that are not ours, not theirs, or not any more: in the Bearer header and in the cookie, at every service."""

from __future__ import annotations

import base64
import hmac
import json
import time
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm
from jwt.utils import raw_to_der_signature

from infra.documents.environments import JWKS_PATH
from infra.local.ports import pick_free_ports
from services.auth.tokens import SigningKey
from services.web.callers.identity import Audience, KeysUnavailableError, NotLoggedInError
from services.web.callers.key_set import REFETCH_SECONDS, fetch_over_http
from services.web.callers.verifier import Verifier
from tests import web
from tests.conftest import only_prefix
from tests.eventually import eventually
from tests.security.services import run_elsewhere, run_service

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import User
    from tests.security.conftest import Refused

pytestmark = only_prefix

PRESIGN = {"content_type": "image/png", "size": 100}


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


@dataclass
class Forger:
    """Makes tokens for the user with any header and claims. It can sign as KMS does, which no attacker can: what it
    then changes is the only thing that is wrong.
    """

    ours: SigningKey
    origin: str
    username: str

    @cached_property
    def strange(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @property
    def kid(self) -> str:
        return self.ours.jwk["kid"]

    @cached_property
    def public_key(self) -> Any:
        return jwt.PyJWK(self.ours.jwk, "ES256").key

    def spell(self, header: dict[str, Any] | None = None, /, **changed: Any) -> str:
        """Header and claims; what is None is left out."""
        now = int(time.time())
        claims = {
            "iss": f"{self.origin}/auth",
            "aud": self.origin,
            "sub": self.username,
            "iat": now - 60,
            "exp": now + 3600,
            "jti": str(uuid.uuid4()),
        }
        parts = ({"alg": "ES256", "kid": self.kid, "typ": "JWT"} | (header or {}), claims | changed)
        stated = ({name: value for name, value in part.items() if value is not None} for part in parts)
        return ".".join(encode(json.dumps(part).encode()) for part in stated)

    def sign(self, header: dict[str, Any] | None = None, /, **changed: Any) -> str:
        spelled = self.spell(header, **changed)
        return f"{spelled}.{encode(self.ours.sign(spelled.encode()))}"

    def sign_strangely(self, header: dict[str, Any] | None = None, /, **changed: Any) -> str:
        """With a key that is not ours."""
        spelled = self.spell(header, **changed)
        return f"{spelled}.{encode(jwt.get_algorithm_by_name('ES256').sign(spelled.encode(), self.strange))}"

    def strange_jwk(self, kid: str) -> dict[str, Any]:
        public: dict[str, Any] = ECAlgorithm.to_jwk(self.strange.public_key(), as_dict=True)
        return public | {"kid": kid, "use": "sig", "alg": "ES256"}


@dataclass(frozen=True)
class Doors:
    """Every call that asks who one is, with a token in the header and in the cookie."""

    http: httpx2.Client
    origin: str
    refused: Refused

    def ask(self, token: str) -> list[httpx2.Response]:
        header, cookie = {"Authorization": f"Bearer {token}"}, {"Cookie": f"session={token}", "Origin": self.origin}
        return [
            answer
            for headers in (header, cookie)
            for answer in (
                self.http.get("/auth/me", headers=headers),
                self.http.post("/uploads/presign", headers=headers, json=PRESIGN),
                self.http.post("/uploads/confirm", headers=headers, json={"key": "pending/x"}),
            )
        ]

    def are_open_to(self, token: str) -> None:
        assert [answer.status_code for answer in self.ask(token)] == [200, 200, 404] * 2
        assert self.is_known(token)

    def are_closed_to(self, token: str, slug: str = "not-logged-in") -> None:
        for answer in self.ask(token):
            self.refused.by_service(answer, 401, slug)
        assert not self.is_known(token)

    def is_known(self, token: str) -> bool:
        """To the page, which is shown to anybody."""
        page = self.http.get("/", headers={"Cookie": f"session={token}"})
        assert page.status_code == 200
        return "Current user" in page.text


@pytest.fixture
def doors(http: httpx2.Client, stack: Stack, refused: Refused) -> Doors:
    return Doors(http, stack.origin, refused)


@pytest.fixture(scope="session")
def signing_key(stack: Stack) -> SigningKey:
    return SigningKey(stack.aws.kms, stack.resources.key_arn)


@pytest.fixture
def forger(stack: Stack, user: User, signing_key: SigningKey) -> Forger:
    return Forger(signing_key, stack.origin, user.username)


def test_no_algorithm(doors: Doors, forger: Forger) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE", "", None):
        spelled = forger.spell({"alg": algorithm})
        doors.are_closed_to(f"{spelled}.")
        doors.are_closed_to(f"{spelled}.{encode(forger.ours.sign(spelled.encode()))}")


@pytest.mark.parametrize("algorithm", ["HS256", "ES256"])
def test_the_public_key_as_a_shared_secret(doors: Doors, forger: Forger, http: httpx2.Client, algorithm: str) -> None:
    (published,) = http.get(JWKS_PATH).json()["keys"]
    key = forger.public_key
    spelled = forger.spell({"alg": algorithm})
    for secret in (
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        json.dumps(published).encode(),
        b"",
    ):
        doors.are_closed_to(f"{spelled}.{encode(hmac.digest(secret, spelled.encode(), 'sha256'))}")


def test_another_algorithm(doors: Doors, forger: Forger) -> None:
    """Even over our own signature."""
    for algorithm in ("HS256", "RS256", "PS256", "ES384", "EdDSA"):
        doors.are_closed_to(forger.sign({"alg": algorithm}))


def test_another_key_id(doors: Doors, forger: Forger) -> None:
    for kid in ("another", "", "../../dev/null", "' OR 1=1 --", "x" * 4000, 7, [forger.kid], None):
        doors.are_closed_to(forger.sign({"kid": kid}))


def test_a_strange_key_under_our_key_id(doors: Doors, forger: Forger) -> None:
    doors.are_closed_to(forger.sign_strangely())


def test_a_key_in_the_token_itself(doors: Doors, forger: Forger) -> None:
    for kid in (forger.kid, "mine"):
        doors.are_closed_to(forger.sign_strangely({"kid": kid, "jwk": forger.strange_jwk(kid)}))
        doors.are_closed_to(forger.sign_strangely({"kid": kid, "x5c": [encode(b"certificate")]}))


def test_a_key_at_an_address_in_the_token(doors: Doors, forger: Forger) -> None:
    with run_elsewhere() as elsewhere:
        for kid in (forger.kid, "mine"):
            keys = json.dumps({"keys": [forger.strange_jwk(kid)]})
            where = elsewhere.serve("/jwks.json", keys, content_type="application/json")
            for parameter in ("jku", "x5u"):
                doors.are_closed_to(forger.sign_strangely({"kid": kid, parameter: where}))
        assert elsewhere.asked == []


def test_a_token_past_its_time(doors: Doors, forger: Forger) -> None:
    doors.are_closed_to(forger.sign(exp=int(time.time()) - 1), "token-expired")
    doors.are_closed_to(forger.sign(iat=1, exp=2), "token-expired")


def test_a_forged_token_past_its_time(doors: Doors, forger: Forger) -> None:
    """Which tells its maker nothing of the key."""
    doors.are_closed_to(forger.sign_strangely(exp=1))


def test_a_token_before_its_time(doors: Doors, forger: Forger) -> None:
    doors.are_closed_to(forger.sign(nbf=int(time.time()) + 600))


def test_a_token_issued_in_the_future(doors: Doors, forger: Forger) -> None:
    doors.are_closed_to(forger.sign(iat=int(time.time()) + 600))


def test_a_token_of_another_issuer(doors: Doors, forger: Forger) -> None:
    for issuer in ("https://evil.example/auth", forger.origin, f"{forger.origin}/auth/", [f"{forger.origin}/auth"], 7):
        doors.are_closed_to(forger.sign(iss=issuer))


def test_a_token_for_another_audience(doors: Doors, forger: Forger) -> None:
    own = forger.origin
    for audience in ("https://evil.example", f"{own}.evil.example", f"{own}/", [own], ["https://evil.example", own], 7):
        doors.are_closed_to(forger.sign(aud=audience))


def test_a_missing_claim(doors: Doors, forger: Forger) -> None:
    for claim in ("iss", "aud", "sub", "iat", "exp", "jti"):
        doors.are_closed_to(forger.sign(**{claim: None}))


def test_claims_of_the_wrong_kind(doors: Doors, forger: Forger) -> None:
    for changed in ({"sub": 7}, {"sub": [forger.username]}, {"exp": "tomorrow"}, {"iat": "now"}, {"jti": 7}):
        doors.are_closed_to(forger.sign(**changed))


def test_a_tampered_signature(doors: Doors, forger: Forger) -> None:
    # With nothing changed it is good: every token here differs from a good one in one thing.
    doors.are_open_to(good := forger.sign())
    spelled, _, signature = good.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    for other in (
        bytes([raw[0] ^ 1]) + raw[1:],
        raw[:-1],
        raw + b"\0",
        raw[32:] + raw[:32],
        bytes(64),  # r and s of zero, which some verifiers have taken for a good one
        raw_to_der_signature(raw, ec.SECP256R1()),
        b"",
    ):
        doors.are_closed_to(f"{spelled}.{encode(other)}")
    doors.are_closed_to(spelled)


def test_a_tampered_payload(doors: Doors, forger: Forger, other_user: User) -> None:
    """Somebody makes their token one of another user, or one that lasts."""
    signature = forger.sign().rpartition(".")[2]
    for changed in ({"sub": other_user.username}, {"exp": 4_000_000_000}):
        doors.are_closed_to(f"{forger.spell(**changed)}.{signature}")


def test_no_token_at_all(doors: Doors) -> None:
    for nothing in ("x", "..", "a.b.c", "null", "e30.e30.e30", encode(b"[" * 3000) + ".e30."):
        doors.are_closed_to(nothing)


def test_a_token_in_the_address(http: httpx2.Client, forger: Forger, refused: Refused) -> None:
    """From where it would get into logs and the Referer."""
    for name in ("access_token", "token", "session"):
        refused.by_service(http.get("/auth/me", params={name: forger.sign()}), 401, "not-logged-in")


def test_a_good_cookie_behind_a_bad_header(stack: Stack, http: httpx2.Client, forger: Forger, refused: Refused) -> None:
    headers = {"Authorization": f"Bearer {forger.sign_strangely()}", "Cookie": f"session={forger.sign()}"}
    refused.by_service(http.get("/auth/me", headers=headers), 401, "not-logged-in")
    own = {"Origin": stack.origin}
    refused.by_service(http.post("/uploads/presign", headers=headers | own, json=PRESIGN), 401, "not-logged-in")


def test_two_tokens(stack: Stack, http: httpx2.Client, forger: Forger, other_user: User, refused: Refused) -> None:
    """All services take the same one of them: the first header, and the last cookie. The other counts for nothing."""
    ours, theirs = forger.sign(), forger.sign(sub=other_user.username)
    bad = forger.sign_strangely()
    for headers in (
        [("Authorization", f"Bearer {ours}"), ("Authorization", f"Bearer {theirs}")],
        [("Authorization", f"Bearer {ours}"), ("Authorization", f"Bearer {bad}")],
        [("Cookie", f"session={theirs}; session={ours}")],
        [("Cookie", f"session={bad}; session={ours}")],
        [("Authorization", f"Bearer {ours}"), ("Cookie", f"session={theirs}")],
    ):
        assert http.get("/auth/me", headers=headers).json() == {"username": forger.username}
        form = http.post("/uploads/presign", headers=[*headers, ("Origin", stack.origin)], json=PRESIGN).json()
        assert form["fields"]["x-amz-meta-username"] == forger.username
    for headers in (
        [("Authorization", f"Bearer {bad}"), ("Authorization", f"Bearer {ours}")],
        [("Authorization", f"Bearer {bad}, Bearer {ours}")],
        [("Cookie", f"session={ours}; session={bad}")],
        [("Authorization", f"Bearer {bad}"), ("Cookie", f"session={ours}")],
    ):
        refused.by_service(http.get("/auth/me", headers=headers), 401, "not-logged-in")
        answer = http.post("/uploads/presign", headers=[*headers, ("Origin", stack.origin)], json=PRESIGN)
        refused.by_service(answer, 401, "not-logged-in")


# Keys that change, and keys that can't be had


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def verify(verifier: Verifier, token: str) -> str:
    return anyio.run(verifier.verify, token).username


def test_a_token_kept_after_its_key_was_taken_out(
    stack: Stack, user: User, signing_key: SigningKey, tmp_path: Path, refused: Refused
) -> None:
    """With real keys and a real auth service for each stage. It knows its own keys and refuses at once; the others do
    as soon as they fetch the keys anew.
    """
    new = stack.aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    aws = {"AWS_ACCESS_KEY_ID": stack.aws.access_key_id, "AWS_SECRET_ACCESS_KEY": stack.aws.secret_access_key}
    kept = Forger(signing_key, stack.origin, user.username).sign()
    fresh = Forger(SigningKey(stack.aws.kms, new), stack.origin, user.username).sign()
    where, clock = stack.services["auth"] + JWKS_PATH, Clock()

    async def fetch() -> str:
        return await fetch_over_http(where)()

    verifier = Verifier(Audience(stack.origin), fetch, clock)
    assert verify(verifier, kept) == user.username
    with pytest.raises(NotLoggedInError, match="a key that is not ours"):
        verify(verifier, fresh)

    with run_service(stack, "auth", tmp_path, SIGNING_KEYS=f"{new},{signing_key.key_id}", **aws) as auth:
        where, clock.now = auth + JWKS_PATH, REFETCH_SECONDS
        assert verify(verifier, fresh) == verify(verifier, kept) == user.username
        assert whoami(auth, kept).json() == whoami(auth, fresh).json() == {"username": user.username}

    with run_service(stack, "auth", tmp_path, SIGNING_KEYS=new, **aws) as auth:
        where, clock.now = auth + JWKS_PATH, REFETCH_SECONDS + 599
        refused.by_service(whoami(auth, kept), 401, "not-logged-in")
        assert verify(verifier, kept) == user.username
        clock.now += 1
        with pytest.raises(NotLoggedInError, match="a key that is not ours"):
            verify(verifier, kept)
        refused.otherwise("by the others after at most 600 s")
        assert verify(verifier, fresh) == user.username


def whoami(auth: str, token: str) -> httpx2.Response:
    return web.get(f"{auth}/auth/me", headers={"Authorization": f"Bearer {token}"})


def test_any_token_while_the_keys_can_not_be_had(
    stack: Stack, user: User, forger: Forger, tmp_path: Path, refused: Refused
) -> None:
    """A real uploads service that starts without the auth service in reach, finds it later, and loses it again."""
    (port,) = pick_free_ports(1)
    jwks_url = f"http://127.0.0.1:{port}/jwks.json"
    good, strange = forger.sign(), forger.sign_strangely()
    with run_service(stack, "uploads", tmp_path, JWKS_URL=jwks_url) as uploads:
        for token in (good, strange):
            answer = presign(uploads, token)
            refused.by_service(answer, 503, "unavailable")
            assert answer.headers["Retry-After"] == "1"

        with run_elsewhere(port) as auth:
            auth.serve("/jwks.json", json.dumps({"keys": [forger.ours.jwk]}), content_type="application/json")
            eventually(lambda: presign(uploads, good).status_code == 200)
            refused.by_service(presign(uploads, strange), 401, "not-logged-in")

        # What is known goes on; what is not can't be made known.
        assert presign(uploads, good).json()["fields"]["x-amz-meta-username"] == user.username
        refused.by_service(presign(uploads, strange), 401, "not-logged-in")
        refused.by_service(presign(uploads, forger.sign_strangely({"kid": "mine"})), 401, "not-logged-in")


def test_any_token_while_the_keys_are_rubbish(stack: Stack, forger: Forger, refused: Refused) -> None:
    """Whoever answers in the auth service's place, and not with our keys' own kind, gives no keys."""
    secret = {"kty": "oct", "kid": forger.kid, "k": encode(b"secret")}
    with run_elsewhere() as elsewhere:
        for document in ("", "<html>", "{}", '{"keys": [{}]}', json.dumps({"keys": [secret]})):
            where = elsewhere.serve("/jwks.json", document, content_type="application/json")
            verifier = Verifier(Audience(stack.origin), fetch_over_http(where), Clock())
            with pytest.raises(KeysUnavailableError):
                verify(verifier, forger.sign())
    refused.otherwise("no keys, so that nobody is let in")


def presign(uploads: str, token: str) -> httpx2.Response:
    return web.post(f"{uploads}/uploads/presign", json=PRESIGN, headers={"Authorization": f"Bearer {token}"})
