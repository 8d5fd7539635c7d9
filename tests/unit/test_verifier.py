"""The tokens that a service accepts and refuses."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.web.callers.identity import Audience, Caller, KeysUnavailableError, NotLoggedInError, TokenExpiredError
from services.web.callers.issuer import Issuer
from services.web.callers.key_set import FIRST_FETCH_SECONDS, MAX_AGE_SECONDS, REFETCH_SECONDS, RENEW_SECONDS
from services.web.callers.remembered import RememberedTokens
from services.web.callers.verifier import Verifier

pytestmark = pytest.mark.anyio

OLD, NEW, STRANGER = (ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 12, 13))
AUDIENCE = Audience("https://pictures.example")
ISSUER = Issuer.of_auth_service(AUDIENCE)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PAST, FUTURE = 1_600_000_000, 4_000_000_000  # 2020 and 2096
CLAIMS: dict[str, Any] = {
    "iss": "https://pictures.example/auth",
    "aud": "https://pictures.example",
    "sub": "ada",
    "iat": PAST,
    "exp": FUTURE,
    "jti": "1",
}


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_token(key: ec.EllipticCurvePrivateKey = OLD, kid: str = "old", /, **changed: Any) -> str:
    """A valid token except for the claims in `changed`; None removes a claim."""
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": kid})


def forge(header: Any, secret: bytes = b"", claims: Any = CLAIMS) -> str:
    """A token with any header, signed by HMAC. PyJWT refuses to make some of these."""
    signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def make_jwk(kid: str, key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y, "use": "sig", "alg": "ES256"}


def make_key_set(**keys: ec.EllipticCurvePrivateKey) -> str:
    return json.dumps({"keys": [make_jwk(kid, key) for kid, key in keys.items()]})


class AuthService:
    """The auth service's key set, and the verifier's clock."""

    def __init__(self) -> None:
        self.answer: str | Exception = make_key_set(old=OLD)
        self.fetches = 0
        self.now = 0.0
        self.responds = anyio.Event()
        """A fetch ends when this is set."""
        self.responds.set()

    async def fetch(self) -> str:
        self.fetches += 1
        for _ in range(5):  # lets concurrent requests ask for the keys, too
            await anyio.lowlevel.checkpoint()
        await self.responds.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def auth_service() -> AuthService:
    return AuthService()


@pytest.fixture
def verifier(auth_service: AuthService) -> Verifier:
    return Verifier(ISSUER, auth_service.fetch, lambda: auth_service.now)


async def refuse(verifier: Verifier, token: str) -> Exception:
    """The reason for which the token is refused."""
    with pytest.raises(NotLoggedInError) as caught:
        await verifier.verify(token)
    return caught.value


async def test_a_good_token_names_the_caller(verifier: Verifier) -> None:
    assert await verifier.verify(make_token()) == Caller("ada")


@pytest.mark.parametrize("claim", CLAIMS)
async def test_each_claim_is_required(verifier: Verifier, claim: str) -> None:
    assert claim in ISSUER.required_claims
    assert type(await refuse(verifier, make_token(**{claim: None}))) is NotLoggedInError


async def test_an_expired_token_is_distinguished_from_a_bad_one(verifier: Verifier) -> None:
    assert type(await refuse(verifier, make_token(exp=PAST + 1))) is TokenExpiredError


async def test_a_forged_token_is_not_reported_as_expired(verifier: Verifier) -> None:
    assert type(await refuse(verifier, make_token(STRANGER, exp=PAST + 1))) is NotLoggedInError


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"nbf": FUTURE}, id="not yet valid"),
        pytest.param({"iat": FUTURE}, id="issued in the future"),
        pytest.param({"iss": "https://pictures.example"}, id="another issuer"),
        pytest.param({"iss": "https://pictures.example/auth/"}, id="nearly the issuer"),
        pytest.param({"aud": "https://other.example"}, id="another audience"),
        pytest.param({"aud": "https://pictures.example.evil.example"}, id="nearly the audience"),
        pytest.param({"aud": ["https://pictures.example"]}, id="a list of audiences"),
        pytest.param({"aud": ["https://other.example", "https://pictures.example"]}, id="ours among the audiences"),
        pytest.param({"sub": 7}, id="a subject that is no text"),
        pytest.param({"exp": "tomorrow"}, id="an expiry that is no number"),
        pytest.param({"iat": "now"}, id="a time of issue that is no number"),
    ],
)
async def test_wrong_claims_are_refused(verifier: Verifier, changed: dict[str, Any]) -> None:
    assert type(await refuse(verifier, make_token(**changed))) is NotLoggedInError


PUBLIC = OLD.public_key()
SECRETS = {
    "PEM": PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "DER": PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "point": PUBLIC.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    "JWK": json.dumps(make_jwk("old", OLD)).encode(),
    "nothing": b"",
}


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "none", "None", "", None, 7])
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
async def test_an_hmac_with_the_public_key_is_refused(verifier: Verifier, algorithm: Any, secret: bytes) -> None:
    await refuse(verifier, forge({"alg": algorithm, "kid": "old", "typ": "JWT"}, secret))


@pytest.mark.parametrize("algorithm", ["none", "NONE", "ES256"])
async def test_a_token_without_signature_is_refused(verifier: Verifier, algorithm: str) -> None:
    signed, _, _ = forge({"alg": algorithm, "kid": "old"}).rpartition(".")
    await refuse(verifier, f"{signed}.")


async def test_a_key_in_the_token_s_header_is_ignored(verifier: Verifier) -> None:
    headers = {"kid": "old", "jwk": make_jwk("old", STRANGER), "jku": "https://evil.example/jwks.json"}
    await refuse(verifier, jwt.encode(CLAIMS, STRANGER, algorithm="ES256", headers=headers))


async def test_a_signature_by_another_key_under_a_known_key_id_is_refused(verifier: Verifier) -> None:
    await refuse(verifier, make_token(STRANGER))


async def test_another_algorithm_of_the_same_family_is_refused(verifier: Verifier) -> None:
    key = ec.derive_private_key(11, ec.SECP384R1())
    await refuse(verifier, jwt.encode(CLAIMS, key, algorithm="ES384", headers={"kid": "old"}))


@pytest.mark.parametrize("algorithm", ["HS256", "ES384", "none"])
async def test_the_token_can_not_choose_the_algorithm(verifier: Verifier, algorithm: str) -> None:
    signed, _, _ = forge({"alg": algorithm, "kid": "old"}).rpartition(".")
    signature = jwt.get_algorithm_by_name("ES256").sign(signed.encode(), OLD)
    await refuse(verifier, f"{signed}.{encode(signature)}")


@pytest.mark.parametrize("part", [0, 1, 2])
async def test_a_token_that_was_changed_is_refused(verifier: Verifier, part: int) -> None:
    parts = make_token().split(".")
    other = jwt.encode({**CLAIMS, "sub": "eve"}, STRANGER, algorithm="ES256", headers={"kid": "old", "x": 1})
    parts[part] = other.split(".")[part]
    await refuse(verifier, ".".join(parts))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ES256"},
        {"alg": "ES256", "kid": None},
        {"alg": "ES256", "kid": 7},
        {"alg": "ES256", "kid": ["old"]},
        {"alg": "ES256", "kid": {"old": 1}},
        [],
        "old",
        None,
    ],
)
async def test_a_token_without_a_key_id_is_refused_without_fetching_keys(
    verifier: Verifier, auth_service: AuthService, header: Any
) -> None:
    await refuse(verifier, forge(header))
    assert auth_service.fetches == 0


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "null",
        "é.é.é",
        "\0",
        "A" * 10_000,
        encode(b'{"alg":"ES256","kid":"old"') + ".e30.",
        encode(b"\xff\xfe") + ".e30.",
        encode(b"[" * 10_000) + ".e30.",
        make_token() + ".more",
        make_token() + "é",
    ],
)
async def test_a_text_that_is_no_token_is_refused(verifier: Verifier, token: str) -> None:
    await refuse(verifier, token)


@pytest.mark.parametrize("claims", [[], "ada", 7, None])
async def test_a_signed_token_whose_payload_is_no_object_is_refused(verifier: Verifier, claims: Any) -> None:
    token = jwt.PyJWS().encode(json.dumps(claims).encode(), OLD, algorithm="ES256", headers={"kid": "old"})
    await refuse(verifier, token)


async def test_the_keys_are_fetched_when_first_needed_and_kept(verifier: Verifier, auth_service: AuthService) -> None:
    assert auth_service.fetches == 0
    for moment in (0, 1, REFETCH_SECONDS, RENEW_SECONDS - 1):
        auth_service.now = moment
        await verifier.verify(make_token())
    await anyio.wait_all_tasks_blocked()
    assert auth_service.fetches == 1


async def test_known_keys_are_renewed_while_requests_continue(verifier: Verifier, auth_service: AuthService) -> None:
    await verifier.verify(make_token())
    auth_service.responds = anyio.Event()
    auth_service.answer = make_key_set(new=NEW)
    for auth_service.now in (RENEW_SECONDS, MAX_AGE_SECONDS - 1):
        assert await verifier.verify(make_token()) == Caller("ada")  # the fetch runs and has not ended
        assert await verifier.verify(make_token(jti="2")) == Caller("ada")
    await anyio.wait_all_tasks_blocked()
    assert auth_service.fetches == 2
    auth_service.responds.set()
    await anyio.wait_all_tasks_blocked()
    await refuse(verifier, make_token())
    assert await verifier.verify(make_token(NEW, "new")) == Caller("ada")


async def test_a_known_key_is_used_while_an_unknown_one_is_fetched(
    verifier: Verifier, auth_service: AuthService
) -> None:
    await verifier.verify(make_token())
    auth_service.responds = anyio.Event()
    auth_service.now = REFETCH_SECONDS
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(refuse, verifier, make_token(STRANGER, "unknown"))
        await anyio.wait_all_tasks_blocked()
        assert await verifier.verify(make_token()) == Caller("ada")
        assert auth_service.fetches == 2
        auth_service.responds.set()


async def test_a_fetch_continues_if_a_caller_that_waits_for_it_disconnects(
    verifier: Verifier, auth_service: AuthService
) -> None:
    auth_service.responds = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(verifier.verify, make_token())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    async with anyio.create_task_group() as group:
        group.start_soon(verifier.verify, make_token())
        await anyio.wait_all_tasks_blocked()
        auth_service.responds.set()
    assert auth_service.fetches == 1


async def test_callers_wait_for_one_fetch_if_the_keys_are_too_old(
    verifier: Verifier, auth_service: AuthService
) -> None:
    await verifier.verify(make_token())
    auth_service.answer = TimeoutError()
    auth_service.now = 10 * MAX_AGE_SECONDS
    assert await verifier.verify(make_token()) == Caller("ada")
    assert auth_service.fetches == 2  # the caller has waited
    auth_service.responds = anyio.Event()
    auth_service.now += REFETCH_SECONDS
    assert await verifier.verify(make_token()) == Caller("ada")
    await anyio.wait_all_tasks_blocked()
    assert auth_service.fetches == 3  # the caller has not waited
    auth_service.responds.set()


async def test_concurrent_requests_fetch_the_keys_once(verifier: Verifier, auth_service: AuthService) -> None:
    callers: list[Caller] = []

    async def call() -> None:
        callers.append(await verifier.verify(make_token()))

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(call)
    assert callers == [Caller("ada")] * 50
    assert auth_service.fetches == 1


async def test_unknown_key_ids_cause_at_most_one_fetch_in_an_interval(
    verifier: Verifier, auth_service: AuthService
) -> None:
    await verifier.verify(make_token())
    unknown = make_token(STRANGER, "unknown")
    for moment, fetches in [
        (0, 1),
        (REFETCH_SECONDS - 0.1, 1),
        (REFETCH_SECONDS, 2),
        (REFETCH_SECONDS, 2),
        (2 * REFETCH_SECONDS - 0.1, 2),
        (2 * REFETCH_SECONDS, 3),
    ]:
        auth_service.now = moment
        await refuse(verifier, unknown)
        assert auth_service.fetches == fetches


async def test_a_new_key_is_found_when_a_token_names_it(verifier: Verifier, auth_service: AuthService) -> None:
    await verifier.verify(make_token())
    auth_service.answer = make_key_set(new=NEW, old=OLD)
    auth_service.now = REFETCH_SECONDS
    assert await verifier.verify(make_token(NEW, "new")) == Caller("ada")
    assert await verifier.verify(make_token()) == Caller("ada")


async def test_a_removed_key_no_longer_verifies(verifier: Verifier, auth_service: AuthService) -> None:
    await verifier.verify(make_token())
    auth_service.answer = make_key_set(new=NEW)
    auth_service.now = MAX_AGE_SECONDS - 1
    await verifier.verify(make_token())
    auth_service.now = MAX_AGE_SECONDS
    await refuse(verifier, make_token())
    assert await verifier.verify(make_token(NEW, "new")) == Caller("ada")


async def test_without_keys_a_token_can_not_be_judged(verifier: Verifier, auth_service: AuthService) -> None:
    auth_service.answer = httpx2.ConnectError("away")
    with pytest.raises(KeysUnavailableError):
        await verifier.verify(make_token())


async def test_a_service_that_starts_before_the_auth_service_soon_verifies(
    verifier: Verifier, auth_service: AuthService
) -> None:
    auth_service.answer, good = httpx2.ConnectError("away"), auth_service.answer
    with pytest.raises(KeysUnavailableError):
        await verifier.verify(make_token())
    auth_service.answer = good
    auth_service.now = FIRST_FETCH_SECONDS - 0.1
    with pytest.raises(KeysUnavailableError):
        await verifier.verify(make_token())
    assert auth_service.fetches == 1
    auth_service.now = FIRST_FETCH_SECONDS
    assert await verifier.verify(make_token()) == Caller("ada")


BAD_ANSWERS: dict[str, str | Exception] = {
    "out of reach": httpx2.ConnectError("away"),
    "too slow": httpx2.ReadTimeout("slow"),
    "an error page": "<html>Bad Gateway</html>",
    "nothing": "",
    "no key set": "{}",
    "a list": "[]",
    "keys that are no list": '{"keys": {}}',
    "an RSA key": '{"keys": [{"kty": "RSA", "kid": "old", "n": "AQAB", "e": "AQAB"}]}',
    "a secret": '{"keys": [{"kty": "oct", "kid": "old", "k": "AQAB"}]}',
    "another curve": json.dumps({"keys": [make_jwk("old", OLD) | {"crv": "P-384"}]}),
    "a key without id": json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "x": "AQAB", "y": "AQAB"}]}),
    "a key cut off": json.dumps({"keys": [make_jwk("old", OLD) | {"x": "AQAB"}]}),
    "a key of no base64": json.dumps({"keys": [make_jwk("old", OLD) | {"x": "é" * 43}]}),
    "a point off the curve": json.dumps({"keys": [make_jwk("old", OLD) | {"x": encode(bytes(32))}]}),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
async def test_a_failed_fetch_neither_adds_nor_removes_keys(
    verifier: Verifier, auth_service: AuthService, caplog: pytest.LogCaptureFixture, answer: str | Exception
) -> None:
    auth_service.answer, good = answer, auth_service.answer
    with pytest.raises(KeysUnavailableError):
        await verifier.verify(make_token())
    assert "could not be fetched" in caplog.text
    auth_service.answer = good
    auth_service.now = FIRST_FETCH_SECONDS
    await verifier.verify(make_token())
    auth_service.answer = answer
    # The other services keep working while the auth service is stopped.
    for moment in (MAX_AGE_SECONDS + 1, 10 * MAX_AGE_SECONDS):
        auth_service.now = moment
        assert await verifier.verify(make_token()) == Caller("ada")
        await anyio.wait_all_tasks_blocked()
    assert auth_service.fetches == 4


async def test_a_stopped_auth_service_receives_one_request_in_an_interval(
    verifier: Verifier, auth_service: AuthService
) -> None:
    await verifier.verify(make_token())
    auth_service.answer = httpx2.ConnectError("away")
    auth_service.now = MAX_AGE_SECONDS
    for _ in range(5):
        await verifier.verify(make_token())
    assert auth_service.fetches == 2


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signatures were verified, not found in memory."""
    checked: list[str] = []
    decode = jwt.decode

    def decode_and_tell(token: str, *args: Any, **kwargs: Any) -> Any:
        checked.append(token)
        return decode(token, *args, **kwargs)

    monkeypatch.setattr(jwt, "decode", decode_and_tell)
    return checked


def change(token: str, place: int) -> str:
    """The text with another character at this place."""
    return token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]


async def test_the_signature_of_a_good_token_is_verified_once(verifier: Verifier, checks: list[str]) -> None:
    token = make_token()
    assert [await verifier.verify(token) for _ in range(3)] == [Caller("ada")] * 3
    assert checks == [token]


async def test_a_remembered_token_changed_in_one_character_is_refused(verifier: Verifier) -> None:
    token = make_token()
    await verifier.verify(token)
    for place in range(len(token)):
        await refuse(verifier, change(token, place))
    assert await verifier.verify(token) == Caller("ada")


async def test_another_encoding_of_a_good_signature_is_verified_again_and_not_remembered_twice(
    auth_service: AuthService, checks: list[str]
) -> None:
    tokens = RememberedTokens()
    verifier = Verifier(ISSUER, auth_service.fetch, lambda: 0.0, tokens=tokens)
    token = make_token()
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    mirrored = (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")  # if s is a valid signature, so is -s
    spellings = [token, f"{signed}.{encode(raw[:32] + mirrored)}"]
    for spelling in spellings:
        assert await verifier.verify(spelling) == Caller("ada")
    assert checks == spellings
    assert len(tokens) == 1


async def test_a_remembered_token_is_refused_once_it_expires(auth_service: AuthService, checks: list[str]) -> None:
    now = FUTURE - 0.001
    verifier = Verifier(ISSUER, auth_service.fetch, lambda: 0.0, lambda: now)
    token = make_token()
    assert await verifier.verify(token) == Caller("ada")
    assert await verifier.verify(token) == Caller("ada")
    now = FUTURE
    assert type(await refuse(verifier, token)) is TokenExpiredError
    assert checks == [token]


async def test_a_bad_token_is_not_remembered(auth_service: AuthService, checks: list[str]) -> None:
    tokens = RememberedTokens()
    verifier = Verifier(ISSUER, auth_service.fetch, lambda: 0.0, tokens=tokens)
    for token in (make_token(STRANGER), make_token(exp=PAST + 1), make_token(sub=7), "a.b.c"):
        await refuse(verifier, token)
        await refuse(verifier, token)
    assert len(tokens) == 0
    assert len(checks) == 6  # the last token has no key id


async def test_a_remembered_token_is_dropped_with_its_key(
    verifier: Verifier, auth_service: AuthService, checks: list[str]
) -> None:
    old, new = make_token(), make_token(NEW, "new")
    auth_service.answer = make_key_set(old=OLD, new=NEW)
    await verifier.verify(old)
    auth_service.answer = make_key_set(new=NEW)
    # An unknown key id causes a fetch long before the known keys are too old.
    auth_service.now = REFETCH_SECONDS
    await refuse(verifier, make_token(STRANGER, "unknown"))
    await refuse(verifier, old)
    assert await verifier.verify(new) == Caller("ada")
    assert len(checks) == 2


async def test_a_remembered_token_is_refused_once_its_key_id_has_another_key(
    verifier: Verifier, auth_service: AuthService
) -> None:
    await verifier.verify(make_token())
    auth_service.answer = make_key_set(old=NEW)
    auth_service.now = MAX_AGE_SECONDS
    await refuse(verifier, make_token())


async def test_fetching_the_same_keys_again_keeps_remembered_tokens(
    verifier: Verifier, auth_service: AuthService, checks: list[str]
) -> None:
    token = make_token()
    await verifier.verify(token)
    auth_service.now = MAX_AGE_SECONDS
    await verifier.verify(token)
    assert auth_service.fetches == 2
    assert checks == [token]


async def test_the_least_recently_used_token_is_dropped(auth_service: AuthService, checks: list[str]) -> None:
    tokens = RememberedTokens(maximum=2)
    verifier = Verifier(ISSUER, auth_service.fetch, lambda: 0.0, tokens=tokens)
    first, second, third = (make_token(jti=str(number)) for number in range(3))
    for token in (first, second, first, third, first, second):
        await verifier.verify(token)
        assert len(tokens) <= 2
    assert checks == [first, second, third, second]
