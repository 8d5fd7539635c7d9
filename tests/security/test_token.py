"""Attacks with access tokens, in the Bearer header and in the cookie, at every service."""

from __future__ import annotations

import base64
import contextlib
import functools
import hmac
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import raw_to_der_signature

from infra.local.ports import pick_free_ports
from services.auth.settings import JWKS_PATH
from services.auth.tokens import SigningKey
from services.store.kinds import AVATAR
from services.web.callers.identity import Audience, KeysUnavailableError, NotLoggedInError
from services.web.callers.issuer import Issuer as TrustedIssuer
from services.web.callers.key_set import REFETCH_SECONDS, fetch_over_http
from services.web.callers.verifier import Verifier
from tests import web
from tests.conftest import DECLARED, only_prefix
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.security.services import run_other_server, run_service, run_trickling_server
from tests.security.tokens import API, Forger, LocalKey, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2
    from anyio.from_thread import BlockingPortal

    from infra.local.stack import Stack
    from tests.conftest import User
    from tests.security.conftest import Refused

pytestmark = only_prefix

PRESIGN = DECLARED
POINT, PKCS1 = (Encoding.X962, PublicFormat.UncompressedPoint), (Encoding.PEM, PublicFormat.PKCS1)
"""Formats of a public key, of the types EC and RSA."""


@dataclass(frozen=True)
class Endpoints:
    """Every call that needs a login, with a token in the header and in the cookie."""

    http: httpx2.Client
    origin: str
    refused: Refused

    @property
    def cookie(self) -> str:
        return Audience(self.origin).cookie

    def request(self, token: str) -> list[httpx2.Response]:
        header = {"Authorization": f"Bearer {token}"}
        cookie = {"Cookie": f"{self.cookie}={token}", "Origin": self.origin}
        return [
            answer
            for headers in (header, cookie)
            for answer in (
                self.http.get("/auth/me", headers=headers),
                self.http.post("/uploads/presign", headers=headers, json=PRESIGN),
                self.http.post("/uploads/confirm", headers=headers, json={"key": f"{AVATAR.pending_prefix}x"}),
            )
        ]

    def accept(self, token: str) -> None:
        assert [answer.status_code for answer in self.request(token)] == [200, 200, 404] * 2
        assert self.is_logged_in_on_page(token)

    def reject(self, token: str, slug: str = "not-logged-in") -> None:
        for answer in self.request(token):
            self.refused.by_service(answer, 401, slug)
        assert not self.is_logged_in_on_page(token)

    def is_logged_in_on_page(self, token: str) -> bool:
        """Whether the page, which needs no login, shows the user as logged in."""
        page = self.http.get("/", headers={"Cookie": f"{self.cookie}={token}"})
        assert page.status_code == 200
        return "Current user" in page.text


@dataclass(frozen=True)
class IssuerEndpoints(Endpoints):
    """The calls of two services that accept the tokens of another issuer, in the header only."""

    uploads: str
    frontend: str

    def request(self, token: str, headers: dict[str, str] | None = None) -> list[httpx2.Response]:
        headers = headers or {"Authorization": f"Bearer {token}"}
        return [
            web.post(f"{self.uploads}/uploads/presign", headers=headers, json=PRESIGN),
            web.post(f"{self.uploads}/uploads/confirm", headers=headers, json={"key": f"{AVATAR.pending_prefix}x"}),
        ]

    def accept(self, token: str) -> None:
        assert [answer.status_code for answer in self.request(token)] == [200, 404]
        assert self.is_logged_in_on_page(token)
        for answer in self.request(token, {"Cookie": f"{self.cookie}={token}", "Origin": self.origin}):
            self.refused.by_service(answer, 401, "not-logged-in")

    def is_logged_in_on_page(self, token: str) -> bool:
        page = web.get(self.frontend, headers={"Authorization": f"Bearer {token}"})
        assert page.status_code == 200
        return "Current user" in page.text


LOGINS = ("auth service", "issuer with RS256", "issuer with ES256")
only_auth_service = pytest.mark.parametrize("login", LOGINS[:1], indirect=True)
"""For attacks with the session cookie, which only the auth service has, and with its own key set."""


@pytest.fixture(params=LOGINS)
def login(request: pytest.FixtureRequest) -> str:
    """Whose tokens the services accept."""
    return request.param


@dataclass(frozen=True)
class Issuer:
    url: str
    key: LocalKey
    uploads: str
    frontend: str


@pytest.fixture(scope="module")
def issuers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Issuer]]:
    """An issuer whose keys have this algorithm, and services that accept its tokens."""
    with contextlib.ExitStack() as running:

        @functools.cache
        def start(algorithm: str) -> Issuer:
            key = LocalKey(algorithm, "the issuer's key")
            encryption = LocalKey("RS256", "the issuer's other key").jwk | {"use": "enc", "alg": "RSA-OAEP"}
            url = running.enter_context(run_other_server()).issue(encryption, key.jwk)
            settings = {"ISSUER": url, "AUDIENCE": f"https://other.example,{API}", "JWKS_URL": ""}
            uploads, frontend = (
                running.enter_context(run_service(stack, name, tmp_path_factory.mktemp(name), **settings))
                for name in ("uploads", "frontend")
            )
            return Issuer(url, key, uploads, frontend)

        yield start


@pytest.fixture
def endpoints(
    http: httpx2.Client, stack: Stack, refused: Refused, login: str, issuers: Callable[[str], Issuer]
) -> Endpoints:
    if login == "auth service":
        return Endpoints(http, stack.origin, refused)
    issuer = issuers(login[-5:])
    return IssuerEndpoints(http, stack.origin, refused, issuer.uploads, issuer.frontend)


@pytest.fixture(scope="session")
def signing_key(stack: Stack) -> SigningKey:
    return SigningKey(stack.aws.kms, stack.resources.key_arn)


@pytest.fixture
def forger(stack: Stack, user: User, signing_key: SigningKey, login: str, issuers: Callable[[str], Issuer]) -> Forger:
    if login == "auth service":
        return Forger.of_auth_service(signing_key, stack.origin, user.username)
    issuer = issuers(login[-5:])
    return Forger.of_other_issuer(issuer.key, issuer.url, user.username)


def test_no_algorithm(endpoints: Endpoints, forger: Forger) -> None:
    for algorithm in ("none", "None", "NONE", "nOnE", "", None):
        unsigned = forger.encode_unsigned({"alg": algorithm})
        endpoints.reject(f"{unsigned}.")
        endpoints.reject(f"{unsigned}.{encode(forger.key.sign(unsigned.encode()))}")


@pytest.mark.parametrize("algorithm", ["HS256", None])
def test_the_public_key_as_a_shared_secret(endpoints: Endpoints, forger: Forger, algorithm: str | None) -> None:
    key = forger.public_key
    unsigned = forger.encode_unsigned({"alg": algorithm or forger.algorithm})
    for secret in (
        key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key.public_bytes(*POINT) if forger.algorithm == "ES256" else key.public_bytes(*PKCS1),
        json.dumps(forger.key.jwk).encode(),
        b"",
    ):
        endpoints.reject(f"{unsigned}.{encode(hmac.digest(secret, unsigned.encode(), 'sha256'))}")


def test_another_algorithm(endpoints: Endpoints, forger: Forger) -> None:
    """The signature is by the service's own key."""
    for algorithm in {"HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"} - {forger.algorithm}:
        endpoints.reject(forger.sign({"alg": algorithm}))


def test_an_unknown_key_id(endpoints: Endpoints, forger: Forger) -> None:
    for kid in ("another", "", "../../dev/null", "' OR 1=1 --", "x" * 4000, 7, [forger.kid], None):
        endpoints.reject(forger.sign({"kid": kid}))


def test_another_key_under_the_services_key_id(endpoints: Endpoints, forger: Forger) -> None:
    endpoints.reject(forger.sign_with_other_key())


def test_a_key_in_the_token_header(endpoints: Endpoints, forger: Forger) -> None:
    for kid in (forger.kid, "mine"):
        endpoints.reject(forger.sign_with_other_key({"kid": kid, "jwk": forger.other_jwk(kid)}))
        endpoints.reject(forger.sign_with_other_key({"kid": kid, "x5c": [encode(b"certificate")]}))


def test_a_key_url_in_the_token_header(endpoints: Endpoints, forger: Forger) -> None:
    with run_other_server() as other_server:
        for kid in (forger.kid, "mine"):
            keys = json.dumps({"keys": [forger.other_jwk(kid)]})
            where = other_server.serve("/jwks.json", keys, content_type="application/json")
            for parameter in ("jku", "x5u"):
                endpoints.reject(forger.sign_with_other_key({"kid": kid, parameter: where}))
        assert other_server.requested == []


def test_an_expired_token(endpoints: Endpoints, forger: Forger) -> None:
    endpoints.reject(forger.sign(exp=int(time.time()) - 1 - forger.leeway), "token-expired")
    endpoints.reject(forger.sign(iat=1, exp=2), "token-expired")


def test_an_expired_token_with_a_forged_signature(endpoints: Endpoints, forger: Forger) -> None:
    """The response is the same as for a forged token that has not expired."""
    endpoints.reject(forger.sign_with_other_key(exp=1))


def test_a_token_that_is_not_valid_yet(endpoints: Endpoints, forger: Forger) -> None:
    endpoints.reject(forger.sign(nbf=int(time.time()) + 600))


def test_a_token_issued_in_the_future(endpoints: Endpoints, forger: Forger) -> None:
    endpoints.reject(forger.sign(iat=int(time.time()) + 600))


def test_a_token_of_another_issuer(endpoints: Endpoints, forger: Forger) -> None:
    for issuer in forger.wrong_issuers:
        endpoints.reject(forger.sign(iss=issuer))


def test_a_token_for_another_audience(endpoints: Endpoints, forger: Forger) -> None:
    for audience in forger.wrong_audiences:
        endpoints.reject(forger.sign(aud=audience))


def test_a_missing_claim(endpoints: Endpoints, forger: Forger) -> None:
    for claim in ("sub", "iat", "exp", *forger.claims.keys() - {"client_id"}):
        endpoints.reject(forger.sign(**{claim: None}))


def test_claims_of_the_wrong_type(endpoints: Endpoints, forger: Forger) -> None:
    for changed in ({"sub": 7}, {"sub": [forger.username]}, {"exp": "tomorrow"}, {"iat": "now"}, {"jti": 7}):
        endpoints.reject(forger.sign(**changed))


def test_a_tampered_signature(endpoints: Endpoints, forger: Forger) -> None:
    # The unchanged token is valid, so every token in this file differs from a valid one in one thing.
    endpoints.accept(good := forger.sign())
    unsigned, _, signature = good.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    for other in (
        bytes([raw[0] ^ 1]) + raw[1:],
        raw[:-1],
        raw + b"\0",
        raw[32:] + raw[:32],
        bytes(len(raw)),  # for ES256, r and s are zero, which some verifiers have accepted
        *([raw_to_der_signature(raw, ec.SECP256R1())] if forger.algorithm == "ES256" else []),
        b"",
    ):
        endpoints.reject(f"{unsigned}.{encode(other)}")
    endpoints.reject(unsigned)


def test_a_tampered_payload(endpoints: Endpoints, forger: Forger, other_user: User) -> None:
    """A user changes the subject or the expiry of their token."""
    signature = forger.sign().rpartition(".")[2]
    for changed in ({"sub": other_user.username}, {"exp": 4_000_000_000}):
        endpoints.reject(f"{forger.encode_unsigned(**changed)}.{signature}")


def test_a_malformed_token(endpoints: Endpoints) -> None:
    for malformed in ("x", "..", "a.b.c", "null", "e30.e30.e30", encode(b"[" * 3000) + ".e30."):
        endpoints.reject(malformed)


@only_auth_service
def test_a_token_in_the_url(http: httpx2.Client, forger: Forger, refused: Refused) -> None:
    """A token in a URL would appear in logs and in the Referer header."""
    for name in ("access_token", "token", Audience(str(http.base_url)).cookie):
        refused.by_service(http.get("/auth/me", params={name: forger.sign()}), 401, "not-logged-in")


@only_auth_service
def test_a_good_cookie_with_a_bad_header(stack: Stack, http: httpx2.Client, forger: Forger, refused: Refused) -> None:
    headers = {
        "Authorization": f"Bearer {forger.sign_with_other_key()}",
        "Cookie": f"{Audience(stack.origin).cookie}={forger.sign()}",
    }
    refused.by_service(http.get("/auth/me", headers=headers), 401, "not-logged-in")
    own = {"Origin": stack.origin}
    refused.by_service(http.post("/uploads/presign", headers=headers | own, json=PRESIGN), 401, "not-logged-in")


@only_auth_service
def test_two_tokens(stack: Stack, http: httpx2.Client, forger: Forger, other_user: User, refused: Refused) -> None:
    """All services use the first Authorization header and the last session cookie, and ignore the others."""
    ours, theirs = forger.sign(), forger.sign(sub=other_user.username)
    bad = forger.sign_with_other_key()
    cookie = Audience(stack.origin).cookie
    for headers in (
        [("Authorization", f"Bearer {ours}"), ("Authorization", f"Bearer {theirs}")],
        [("Authorization", f"Bearer {ours}"), ("Authorization", f"Bearer {bad}")],
        [("Cookie", f"{cookie}={theirs}; {cookie}={ours}")],
        [("Cookie", f"{cookie}={bad}; {cookie}={ours}")],
        [("Authorization", f"Bearer {ours}"), ("Cookie", f"{cookie}={theirs}")],
    ):
        assert http.get("/auth/me", headers=headers).json() == {"username": forger.username}
        form = http.post("/uploads/presign", headers=[*headers, ("Origin", stack.origin)], json=PRESIGN).json()
        assert form["fields"]["x-amz-meta-username"] == forger.username
    for headers in (
        [("Authorization", f"Bearer {bad}"), ("Authorization", f"Bearer {ours}")],
        [("Authorization", f"Bearer {bad}, Bearer {ours}")],
        [("Cookie", f"{cookie}={ours}; {cookie}={bad}")],
        [("Authorization", f"Bearer {bad}"), ("Cookie", f"{cookie}={ours}")],
    ):
        refused.by_service(http.get("/auth/me", headers=headers), 401, "not-logged-in")
        answer = http.post("/uploads/presign", headers=[*headers, ("Origin", stack.origin)], json=PRESIGN)
        refused.by_service(answer, 401, "not-logged-in")


# Key sets that change or can't be fetched


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread."""
    with start_blocking_portal() as portal:
        yield portal


def test_a_token_whose_signing_key_was_removed(
    stack: Stack, user: User, signing_key: SigningKey, tmp_path: Path, refused: Refused, portal: BlockingPortal
) -> None:
    """Each stage has real KMS keys and a real auth service. The auth service refuses the token at once, and the others
    when they fetch the key set again.
    """
    new = stack.aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    aws = {"AWS_ACCESS_KEY_ID": stack.aws.access_key_id, "AWS_SECRET_ACCESS_KEY": stack.aws.secret_access_key}
    kept = Forger.of_auth_service(signing_key, stack.origin, user.username).sign()
    fresh = Forger.of_auth_service(SigningKey(stack.aws.kms, new), stack.origin, user.username).sign()
    where, clock = stack.services["auth"] + JWKS_PATH, Clock()

    async def fetch() -> bytes:
        return await fetch_over_http(where)()

    verifier = Verifier(TrustedIssuer.of_auth_service(Audience(stack.origin)), fetch, clock)

    def verify(token: str) -> str:
        return portal.call(verifier.verify, token).username

    assert verify(kept) == user.username
    with pytest.raises(NotLoggedInError, match="signed with an unknown key"):
        verify(fresh)

    with run_service(stack, "auth", tmp_path, SIGNING_KEYS=f"{new},{signing_key.key_id}", **aws) as auth:
        where, clock.now = auth + JWKS_PATH, REFETCH_SECONDS
        assert verify(fresh) == verify(kept) == user.username
        assert whoami(auth, kept).json() == whoami(auth, fresh).json() == {"username": user.username}

    with run_service(stack, "auth", tmp_path, SIGNING_KEYS=new, **aws) as auth:
        where, clock.now = auth + JWKS_PATH, REFETCH_SECONDS + 599
        refused.by_service(whoami(auth, kept), 401, "not-logged-in")
        assert verify(kept) == user.username
        clock.now += 1
        with pytest.raises(NotLoggedInError, match="signed with an unknown key"):
            verify(kept)
        refused.record("by the other services after at most 600 s")
        assert verify(fresh) == user.username


def whoami(auth: str, token: str) -> httpx2.Response:
    return web.get(f"{auth}/auth/me", headers={"Authorization": f"Bearer {token}"})


@only_auth_service
def test_a_token_while_the_key_set_is_unreachable(
    stack: Stack, user: User, forger: Forger, tmp_path: Path, refused: Refused
) -> None:
    """A real uploads service starts while the auth service is unreachable, reaches it later, and loses it again."""
    (port,) = pick_free_ports(1)
    jwks_url = f"http://127.0.0.1:{port}/jwks.json"
    good, strange = forger.sign(), forger.sign_with_other_key()
    with run_service(stack, "uploads", tmp_path, JWKS_URL=jwks_url) as uploads:
        for token in (good, strange):
            answer = presign(uploads, token)
            refused.by_service(answer, 503, "unavailable")
            assert answer.headers["Retry-After"] == "1"

        with run_other_server(port) as auth:
            auth.serve("/jwks.json", json.dumps({"keys": [forger.key.jwk]}), content_type="application/json")
            eventually(lambda: presign(uploads, good).status_code == 200)
            refused.by_service(presign(uploads, strange), 401, "not-logged-in")

        # Keys that were fetched still verify tokens. Other keys can't be fetched.
        assert presign(uploads, good).json()["fields"]["x-amz-meta-username"] == user.username
        refused.by_service(presign(uploads, strange), 401, "not-logged-in")
        refused.by_service(presign(uploads, forger.sign_with_other_key({"kid": "mine"})), 401, "not-logged-in")


@only_auth_service
def test_a_token_while_the_key_set_is_invalid(stack: Stack, forger: Forger, refused: Refused) -> None:
    """A response without a key of the right type is not used as a key set."""
    secret = {"kty": "oct", "kid": forger.kid, "k": encode(b"secret")}
    with run_other_server() as other_server:
        for document in ("", "<html>", "{}", '{"keys": [{}]}', json.dumps({"keys": [secret]})):
            where = other_server.serve("/jwks.json", document, content_type="application/json")
            verifier = Verifier(TrustedIssuer.of_auth_service(Audience(stack.origin)), fetch_over_http(where), Clock())
            with pytest.raises(KeysUnavailableError):
                anyio.run(verifier.verify, forger.sign())
    refused.record("no key is accepted")


@only_auth_service
def test_a_token_while_the_key_set_arrives_byte_by_byte(
    stack: Stack, user: User, forger: Forger, refused: Refused, portal: BlockingPortal
) -> None:
    """A timeout for each read would never pass."""
    good, strange = forger.sign(), forger.sign_with_other_key({"kid": "strange"})
    document, clock = json.dumps({"keys": [forger.key.jwk]}), Clock()
    issuer = TrustedIssuer.of_auth_service(Audience(stack.origin))
    with run_other_server() as other_server, run_trickling_server(document) as (slow, released):
        sources = iter([other_server.serve("/jwks.json", document), slow])

        async def fetch() -> bytes:
            return await fetch_over_http(next(sources), PATIENCE_SECONDS)()

        verifier = Verifier(issuer, fetch, clock)
        assert portal.call(verifier.verify, good).username == user.username
        clock.now = REFETCH_SECONDS
        waiting = portal.start_task_soon(verifier.verify, strange)
        assert portal.call(verifier.verify, good).username == user.username
        assert not waiting.done()
        released.set()
        with pytest.raises(NotLoggedInError, match="signed with an unknown key"):
            waiting.result()
    refused.record("401 once the fetch ends; known keys are used at once")
    with run_trickling_server(document) as (slow, _):
        verifier = Verifier(issuer, fetch_over_http(slow, 0.2), clock)
        with pytest.raises(KeysUnavailableError):
            anyio.run(verifier.verify, good)
    refused.record("503 when the time for the whole fetch is over")


def presign(uploads: str, token: str) -> httpx2.Response:
    return web.post(f"{uploads}/uploads/presign", json=PRESIGN, headers={"Authorization": f"Bearer {token}"})
