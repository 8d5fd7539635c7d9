"""Access tokens of OpenID Connect issuers: which are accepted, whom they name, and how their keys are found."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from services.settings.environment import InvalidSettingsError, read_settings
from services.settings.tokens import Algorithm
from services.store.keys import make_username
from services.uploads.settings import Settings
from services.web.callers.guard import make_issuer
from services.web.callers.identity import Caller, KeysUnavailableError, NotLoggedInError, TokenExpiredError
from services.web.callers.issuer import LEEWAY_SECONDS, Issuer
from services.web.callers.key_set import is_safe_url
from services.web.callers.verifier import Verifier
from tests.unit.issuers import EXPIRES, ISSUED, SHAPES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.unit.issuers import Shape

pytestmark = pytest.mark.anyio

ISSUER = Issuer("https://login.example.com", ("api", "shop"), ("RS256", "ES256"))
CLAIMS: dict[str, Any] = {"iss": ISSUER.url, "aud": "api", "sub": "ada", "iat": ISSUED, "exp": EXPIRES}


@cache
def make_key(kind: str, size: int = 2048) -> Any:
    match kind:
        case "RSA":
            return rsa.generate_private_key(65537, size)
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case curve:
            curves = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "secp256k1": ec.SECP256K1}
            return ec.generate_private_key(curves[curve]())


def make_jwk(key: Any, kid: Any = "one", **members: Any) -> dict[str, Any]:
    """The public key of a private key. None removes a member."""
    kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ed25519.Ed25519PrivateKey: OKPAlgorithm}
    kind: Any = next((kind for known, kind in kinds.items() if isinstance(key, known)), ECAlgorithm)
    jwk = kind.to_jwk(key.public_key(), as_dict=True) | {"kid": kid} | members
    return {name: value for name, value in jwk.items() if value is not None and (name != "key_ops" or name in members)}


def fetch_of(*keys: Any) -> Callable[[], Awaitable[str]]:
    async def fetch() -> str:
        return json.dumps({"keys": keys})

    return fetch


def make_verifier(issuer: Issuer, *keys: Any) -> Verifier:
    return Verifier(issuer, fetch_of(*keys))


def sign(
    claims: dict[str, Any], key: Any = None, algorithm: str = "RS256", header: dict[str, Any] | None = None
) -> str:
    given = {name: value for name, value in claims.items() if value is not None}
    # Unlike `jwt.encode`, this signs claims of any type.
    return jwt.PyJWS().encode(
        json.dumps(given).encode(), key or make_key("RSA"), algorithm, {"kid": "one", "typ": None} | (header or {})
    )


async def refuse(verifier: Verifier, token: str) -> str:
    """The reason for which the token is refused."""
    with pytest.raises(NotLoggedInError) as caught:
        await verifier.verify(token)
    return str(caught.value)


def read(**given: str) -> Settings:
    environ = {"ORIGIN": "https://pictures.example", "TABLE": "users", "BUCKET": "pictures"}
    return read_settings(Settings, environ | given)


# What issuers document


def key_of(shape: Shape) -> Any:
    return make_key("RSA" if shape.algorithm == "RS256" else "P-256")


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_a_token_in_the_shape_of_an_issuer_names_the_user(shape: Shape) -> None:
    settings = read(ISSUER=shape.issuer, AUDIENCE=shape.audience, USERNAME_CLAIM=shape.username_claim)
    key = key_of(shape)
    verifier = make_verifier(make_issuer(settings), make_jwk(key, **shape.key))
    token = sign(shape.all_claims, key, shape.algorithm, shape.header)
    assert await verifier.verify(token) == Caller(shape.username)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_a_token_in_the_shape_of_an_issuer_is_refused_for_another_audience(shape: Shape) -> None:
    settings = read(ISSUER=shape.issuer, AUDIENCE=f"{shape.audience}x,another", USERNAME_CLAIM=shape.username_claim)
    key = key_of(shape)
    verifier = make_verifier(make_issuer(settings), make_jwk(key, **shape.key))
    assert "audience" in await refuse(verifier, sign(shape.all_claims, key, shape.algorithm, shape.header))


# Claims


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["other", "shop"]},
        {"aud": None, "client_id": "shop"},
        {"aud": None, "azp": "shop"},
        {"jti": "1"},
        {"nbf": ISSUED},
    ],
)
async def test_a_token_for_one_of_the_audiences_is_accepted(changed: dict[str, Any]) -> None:
    verifier = make_verifier(ISSUER, make_jwk(make_key("RSA")))
    assert await verifier.verify(sign(CLAIMS | changed)) == Caller("ada")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"aud": []}, id="an empty list of audiences"),
        pytest.param({"aud": "", "azp": "api"}, id="an empty audience, and the client"),
        pytest.param({"aud": ["other"], "azp": "api", "client_id": "api"}, id="another audience, and the client"),
        pytest.param({"aud": {"api": "api"}}, id="an object as the audience"),
        pytest.param({"aud": "api,shop"}, id="the audiences in one text"),
        pytest.param({"aud": None, "azp": "other"}, id="another client"),
        pytest.param({"aud": None, "azp": "api", "client_id": "other"}, id="two clients"),
        pytest.param({"iss": "https://login.example.com/"}, id="nearly the issuer"),
        pytest.param({"iss": ["https://login.example.com"]}, id="a list of issuers"),
        pytest.param({"iss": None}, id="no issuer"),
        pytest.param({"iat": None}, id="no time of issue"),
        pytest.param({"exp": None}, id="no expiry"),
        pytest.param({"sub": None}, id="no subject"),
        pytest.param({"sub": ""}, id="an empty subject"),
        pytest.param({"sub": "\ud800"}, id="a subject that is not Unicode text"),
        pytest.param({"jti": 7}, id="an id that is no text"),
    ],
)
async def test_a_token_with_other_claims_is_refused(changed: dict[str, Any]) -> None:
    await refuse(make_verifier(ISSUER, make_jwk(make_key("RSA"))), sign(CLAIMS | changed))


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT", None])
async def test_an_access_token_may_state_its_type(kind: str | None) -> None:
    verifier = make_verifier(ISSUER, make_jwk(make_key("RSA")))
    assert await verifier.verify(sign(CLAIMS, header={"typ": kind})) == Caller("ada")


@pytest.mark.parametrize("kind", ["logout+jwt", "dpop+jwt", "secevent+jwt", "jwt ", 7])
async def test_another_jwt_of_the_issuer_is_no_access_token(kind: Any) -> None:
    verifier = make_verifier(ISSUER, make_jwk(make_key("RSA")))
    assert "no access token" in await refuse(verifier, sign(CLAIMS, header={"typ": kind}))


async def test_the_issuers_clock_may_be_some_seconds_off() -> None:
    verifier = make_verifier(ISSUER, make_jwk(make_key("RSA")))
    now = int(time.time())
    for changed in ({"iat": now + 5}, {"nbf": now + 5}, {"exp": now - 5}):
        assert await verifier.verify(sign(CLAIMS | changed)) == Caller("ada")
    for changed in ({"iat": now + 600}, {"nbf": now + 600}, {"exp": now - LEEWAY_SECONDS}):
        await refuse(verifier, sign(CLAIMS | changed))


async def test_a_remembered_token_is_refused_when_the_leeway_ends() -> None:
    now = EXPIRES + LEEWAY_SECONDS - 1
    verifier = Verifier(ISSUER, fetch_of(make_jwk(make_key("RSA"))), clock=lambda: now)
    token = sign(CLAIMS)
    assert await verifier.verify(token) == await verifier.verify(token) == Caller("ada")
    now += 1
    with pytest.raises(TokenExpiredError):
        await verifier.verify(token)


# Names


async def name(value: Any, claim: str = "sub", **more: Any) -> str:
    issuer = replace(ISSUER, username_claim=claim)
    verifier = make_verifier(issuer, make_jwk(make_key("RSA")))
    return (await verifier.verify(sign(CLAIMS | {claim: value} | more))).username


async def test_the_username_is_in_the_claim_that_the_settings_name() -> None:
    assert await name("7c1f3a52-9b7e-4a0a-a3b6-0c6a3c1e5d77", "oid", sub=None) == "7c1f3a52-9b7e-4a0a-a3b6-0c6a3c1e5d77"


@pytest.mark.parametrize("value", [None, 7, True, ["ada"], {"name": "ada"}])
async def test_a_name_that_is_no_text_is_refused(value: Any) -> None:
    verifier = make_verifier(replace(ISSUER, username_claim="name"), make_jwk(make_key("RSA")))
    assert "names no user" in await refuse(verifier, sign(CLAIMS | {"name": value}))


async def test_an_e_mail_address_must_be_verified() -> None:
    assert await name("ada@example.com", "email", email_verified=True) == make_username("ada@example.com")
    verifier = make_verifier(replace(ISSUER, username_claim="email"), make_jwk(make_key("RSA")))
    for verified in (None, False, "true", 1):
        claims = CLAIMS | {"email": "ada@example.com", "email_verified": verified}
        assert "names no user" in await refuse(verifier, sign(claims))


# Algorithms and keys


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        *((algorithm, "RSA") for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
        ("ES256", "P-256"),
        ("ES384", "P-384"),
        ("ES512", "P-521"),
        ("EdDSA", "Ed25519"),
    ],
)
@pytest.mark.parametrize("states_algorithm", [True, False])
async def test_each_algorithm_verifies_with_its_type_of_key(
    algorithm: str,
    kind: str,
    states_algorithm: bool,  # noqa: FBT001 - a parameter set
) -> None:
    key = make_key(kind)
    jwk = make_jwk(key, alg=algorithm if states_algorithm else None)
    token = sign(CLAIMS, key, algorithm)
    assert await make_verifier(replace(ISSUER, algorithms=(algorithm,)), jwk).verify(token) == Caller("ada")
    others = tuple(other for other in get_args(Algorithm) if other != algorithm)
    verifier = make_verifier(replace(ISSUER, algorithms=others), jwk, make_jwk(make_key("RSA"), "other"))
    assert "not allowed" in await refuse(verifier, token)


async def test_a_key_verifies_only_the_algorithm_that_it_states() -> None:
    issuer = replace(ISSUER, algorithms=("RS256", "PS256"))
    verifier = make_verifier(issuer, make_jwk(make_key("RSA"), alg="RS256"))
    assert "unknown key" in await refuse(verifier, sign(CLAIMS, algorithm="PS256"))


UNUSABLE: dict[str, Any] = {
    "a key for encryption": make_jwk(make_key("RSA"), use="enc"),
    "a key that must not verify": make_jwk(make_key("RSA"), key_ops=["encrypt"]),
    "a shared secret": {"kty": "oct", "kid": "one", "k": "c2VjcmV0", "alg": "HS256"},
    "an algorithm with a shared secret": make_jwk(make_key("RSA"), alg="HS256"),
    "an RSA key of 1024 bits": make_jwk(make_key("RSA", 1024)),
    "a curve that is not allowed": make_jwk(make_key("secp256k1"), alg=None),
    "an unknown type": {"kty": "AKP", "kid": "one", "alg": "ML-DSA-44", "pub": "AQAB"},
    "a key without an id": make_jwk(make_key("RSA"), kid=None),
    "a key with a number as its id": make_jwk(make_key("RSA"), kid=1),
    "a modulus that is no base64": make_jwk(make_key("RSA"), n="é"),
    "a key without a modulus": make_jwk(make_key("RSA"), n=None),
    "a text": "key",
    "nothing": None,
}


@pytest.mark.parametrize("unusable", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_key_that_is_not_usable_is_skipped(unusable: Any) -> None:
    other = make_jwk(make_key("P-256"), "two")
    for keys in ([unusable, other], [other, unusable]):
        verifier = make_verifier(ISSUER, *keys)
        assert await verifier.verify(sign(CLAIMS, make_key("P-256"), "ES256", {"kid": "two"})) == Caller("ada")
        await refuse(verifier, sign(CLAIMS))
    with pytest.raises(KeysUnavailableError):
        await make_verifier(ISSUER, unusable).verify(sign(CLAIMS))


async def test_a_private_key_in_the_key_set_is_read_as_its_public_key() -> None:
    private: dict[str, Any] = RSAAlgorithm.to_jwk(make_key("RSA"), as_dict=True) | {"kid": "one", "key_ops": ["verify"]}
    assert await make_verifier(ISSUER, private).verify(sign(CLAIMS)) == Caller("ada")


async def test_two_keys_of_one_id_are_told_apart_by_their_type() -> None:
    verifier = make_verifier(ISSUER, make_jwk(make_key("RSA")), make_jwk(make_key("P-256")))
    assert await verifier.verify(sign(CLAIMS)) == Caller("ada")
    assert await verifier.verify(sign(CLAIMS, make_key("P-256"), "ES256")) == Caller("ada")


async def test_a_token_is_verified_by_the_first_of_two_keys_with_one_id_and_type() -> None:
    verifier = make_verifier(ISSUER, make_jwk(make_key("RSA")), make_jwk(make_key("RSA", 3072)))
    assert await verifier.verify(sign(CLAIMS)) == Caller("ada")
    await refuse(verifier, sign(CLAIMS, make_key("RSA", 3072)))


@pytest.mark.parametrize("document", [b"\xff", b'{"keys": "\xff"}', b'{"keys": [' + b"[" * 5000 + b"]" * 5000 + b"]}"])
async def test_a_document_that_is_no_key_set_is_refused(document: bytes) -> None:
    async def fetch() -> bytes:
        return document

    with pytest.raises(KeysUnavailableError):
        await Verifier(ISSUER, fetch).verify(sign(CLAIMS))


@pytest.mark.parametrize(
    ("url", "issuer", "expected"),
    [
        ("https://keys.example.com/jwks.json", "https://login.example.com", True),
        ("https://keys.example.com/jwks.json", "http://localhost:3000", True),
        ("http://localhost:3000/jwks.json", "http://localhost:3000", True),
        pytest.param(
            "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
            "https://securetoken.google.com/example-shop",
            True,
            id="Firebase",
        ),
        pytest.param(
            "https://shop.b2clogin.com/shop.onmicrosoft.com/discovery/v2.0/keys?p=b2c_1_sign_in",
            "https://shop.b2clogin.com/11111111-2222-4333-8444-555555555555/v2.0/",
            True,
            id="Azure AD B2C",
        ),
        ("http://localhost:3000/jwks.json", "https://login.example.com", False),
        ("http://login.example.com/jwks.json", "https://login.example.com", False),
        ("http://login.example.com/jwks.json", "http://localhost:3000", False),
        ("https://somebody@keys.example.com/jwks.json", "https://login.example.com", False),
        ("https://keys.example.com:443@evil.example/jwks.json", "https://login.example.com", False),
        ("http://localhost:3000@evil.example/jwks.json", "http://localhost:3000", False),
    ],
)
def test_the_issuers_keys_are_read_over_https(
    url: str,
    issuer: str,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    assert is_safe_url(url, issuer) is expected


# Settings

LOGIN = {"ISSUER": "https://login.example.com", "AUDIENCE": "api"}


@pytest.mark.parametrize("path", ["", "/keys", "/jwk/securetoken@example.com", "/discovery/keys?p=b2c_1_sign_in"])
def test_the_url_of_the_key_set_may_have_a_query(path: str) -> None:
    url = f"https://keys.example.com{path}"
    assert read(**LOGIN, JWKS_URL=url).jwks_url == url


def test_the_settings_describe_the_issuer() -> None:
    settings = read(**LOGIN | {"AUDIENCE": "api,shop", "ALGORITHMS": "ES256,EdDSA", "USERNAME_CLAIM": "oid"})
    assert make_issuer(settings) == Issuer(
        "https://login.example.com", ("api", "shop"), ("ES256", "EdDSA"), ("iss", "iat", "exp"), "oid", LEEWAY_SECONDS
    )


@pytest.mark.parametrize("name", ["none", "HS256", "RS256,HS256", "rs256", "ES256K", "RS256, ES256", "RS256,", "dir"])
def test_only_algorithms_with_a_public_key_can_be_set(name: str) -> None:
    with pytest.raises(InvalidSettingsError, match="ALGORITHMS must be a text like RS256,ES256"):
        read(**LOGIN, ALGORITHMS=name)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example.com",
        "http://localhost.example.com",
        "http://localhost@example.com",
        "http://127.0.0.10",
        "https://user@login.example.com",
        "https://login.example.com?x=1",
        "https://login.example.com#x",
        "https://login example.com",
        "login.example.com",
        "https://",
    ],
)
def test_an_issuer_that_could_not_be_trusted_is_refused(issuer: str) -> None:
    with pytest.raises(InvalidSettingsError, match="ISSUER must be a text like https"):
        read(**LOGIN | {"ISSUER": issuer})
    with pytest.raises(InvalidSettingsError, match="JWKS_URL must"):
        read(**LOGIN, JWKS_URL=issuer)


@pytest.mark.parametrize("issuer", ["https://login.example.com/realms/a", "http://localhost:3000", "http://[::1]:1/x/"])
def test_an_issuer_has_https_or_is_on_this_machine(issuer: str) -> None:
    assert read(**LOGIN | {"ISSUER": issuer}, JWKS_URL=issuer).issuer == issuer


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "JWKS_URL is needed without ISSUER"),
        ({"ISSUER": "https://login.example.com"}, "ISSUER needs AUDIENCE"),
        ({"JWKS_URL": "http://auth/jwks", "AUDIENCE": "api"}, "AUDIENCE needs ISSUER"),
        ({"JWKS_URL": "http://auth/jwks", "ALGORITHMS": "EdDSA"}, "ALGORITHMS needs ISSUER"),
        ({"JWKS_URL": "http://auth/jwks", "USERNAME_CLAIM": "oid"}, "USERNAME_CLAIM needs ISSUER"),
    ],
)
def test_a_setting_that_is_missing_or_without_effect_is_refused(given: dict[str, str], expected: str) -> None:
    with pytest.raises(InvalidSettingsError, match=expected):
        read(**given)
