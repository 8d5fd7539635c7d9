"""Attacks that only a system with another issuer than the auth service has: other tokens of that issuer, names that it
gives, and documents in place of its own.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import anyio
import pytest

from services.web.callers.identity import KeysUnavailableError, NotLoggedInError
from services.web.callers.issuer import Issuer
from services.web.callers.key_set import MAX_DOCUMENT_BYTES, discover_over_http, fetch_over_http
from services.web.callers.verifier import Verifier
from tests.conftest import only_prefix
from tests.security.services import DISCOVERY_PATH, OtherServer, run_other_server, run_trickling_server
from tests.security.tokens import API, Forger, LocalKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.conftest import User
    from tests.security.conftest import Refused

pytestmark = only_prefix

KEY = LocalKey("ES256")


@pytest.fixture
def server() -> Iterator[OtherServer]:
    with run_other_server() as server:
        yield server


@pytest.fixture
def issuer(server: OtherServer) -> Issuer:
    return Issuer(server.issue(KEY.jwk), (API,), ("ES256",))


@pytest.fixture
def forger(issuer: Issuer, user: User) -> Forger:
    return Forger.of_other_issuer(KEY, issuer.url, user.username)


def verify(issuer: Issuer, *tokens: str, fetch: Callable[[], Awaitable[bytes]] | None = None) -> list[str]:
    verifier = Verifier(issuer, fetch or discover_over_http(issuer.url))

    async def verify_all() -> list[str]:
        return [(await verifier.verify(token)).username for token in tokens]

    return anyio.run(verify_all)


def refuse(issuer: Issuer, token: str, reason: str) -> None:
    with pytest.raises(NotLoggedInError, match=reason):
        verify(issuer, token)


def test_an_id_token(issuer: Issuer, forger: Forger, refused: Refused) -> None:
    """It is for the client, and the client's name is no audience."""
    token = forger.sign({"typ": "JWT"}, aud="shop", azp="shop", client_id=None, nonce="n")
    refuse(issuer, token, "another audience")
    refused.record("401 not-logged-in")


def test_a_token_for_another_service_with_the_same_client(issuer: Issuer, forger: Forger, refused: Refused) -> None:
    for_client = replace(issuer, audiences=("shop",))
    assert verify(for_client, forger.sign(aud=None)) == [forger.username]
    refuse(for_client, forger.sign(aud="https://other.example"), "another audience")
    refused.record("401 not-logged-in")


def test_a_logout_token(issuer: Issuer, forger: Forger, refused: Refused) -> None:
    refuse(issuer, forger.sign({"typ": "logout+jwt"}), "no access token")
    refused.record("401 not-logged-in")


def test_an_unverified_e_mail_address(issuer: Issuer, forger: Forger, refused: Refused) -> None:
    """Everybody can sign up with another's address, before it is verified."""
    by_address = replace(issuer, username_claim="email")
    address = "victim@example.com"
    assert verify(by_address, forger.sign(email=address, email_verified=True))
    for verified in (False, None, "true"):
        refuse(by_address, forger.sign(email=address, email_verified=verified), "names no user")
    refused.record("401 not-logged-in")


def test_a_name_that_is_another_users_digest(issuer: Issuer, forger: Forger, refused: Refused) -> None:
    [victim] = verify(issuer, forger.sign(sub="victim@example.com"))
    for name in (victim, victim.removeprefix("~"), "victim@example.com ", "Victim@example.com", "victim@example.com\0"):
        assert verify(issuer, forger.sign(sub=name)) != [victim]
    refused.record("another user")


def fail(issuer: Issuer, token: str, fetch: Callable[[], Awaitable[bytes]] | None = None) -> None:
    with pytest.raises(KeysUnavailableError):
        verify(issuer, token, fetch=fetch)


def test_a_discovery_document_of_another_issuer(
    issuer: Issuer, forger: Forger, server: OtherServer, refused: Refused
) -> None:
    assert verify(issuer, forger.sign()) == [forger.username]
    keys = f"{issuer.url}/keys"
    for other in ("https://evil.example", f"{issuer.url}/", issuer.url.upper(), None):
        server.serve(DISCOVERY_PATH, json.dumps({"issuer": other, "jwks_uri": keys}))
        server.requested.clear()
        fail(issuer, forger.sign())
        assert server.requested == [DISCOVERY_PATH]
    refused.record("503 unavailable; the key set is not fetched")


def test_a_key_set_without_https(issuer: Issuer, forger: Forger, server: OtherServer, refused: Refused) -> None:
    with run_other_server() as evil:
        # The first two lead to this machine, and the service does not see that.
        hosts = ("http://127.1", "http://somebody@127.0.0.1", "file://localhost")
        for where in (*(f"{host}:{evil.port}/keys" for host in hosts), "", None):
            evil.serve("/keys", json.dumps({"keys": [KEY.jwk]}))
            server.serve(DISCOVERY_PATH, json.dumps({"issuer": issuer.url, "jwks_uri": where}))
            fail(issuer, forger.sign())
        assert evil.requested == []
    refused.record("503 unavailable; the key set is not fetched")


def test_a_redirected_key_set(issuer: Issuer, forger: Forger, server: OtherServer, refused: Refused) -> None:
    with run_other_server() as evil:
        where = evil.serve("/keys", json.dumps({"keys": [KEY.jwk]}))
        for path in ("/keys", DISCOVERY_PATH):
            server.redirects[path] = where
            fail(issuer, forger.sign())
        assert evil.requested == []
    refused.record("503 unavailable; the redirect is not followed")


def test_a_huge_key_set(issuer: Issuer, forger: Forger, server: OtherServer, refused: Refused) -> None:
    document = json.dumps({"keys": [KEY.jwk]})
    server.serve("/keys", document.ljust(MAX_DOCUMENT_BYTES))
    assert verify(issuer, forger.sign()) == [forger.username]
    server.serve("/keys", document.ljust(MAX_DOCUMENT_BYTES + 1))
    fail(issuer, forger.sign())
    refused.record("503 unavailable")


def test_a_compressed_key_set(issuer: Issuer, forger: Forger, server: OtherServer, refused: Refused) -> None:
    """It could be a thousand times larger in memory than on the wire, so not even a small one is decompressed."""
    server.serve("/keys", gzip.compress(json.dumps({"keys": [KEY.jwk]}).encode()))
    server.encodings["/keys"] = "gzip"
    fail(issuer, forger.sign())
    refused.record("503 unavailable; nothing is decompressed")


def test_a_key_set_that_never_ends(issuer: Issuer, forger: Forger, refused: Refused) -> None:
    with run_trickling_server(json.dumps({"keys": [KEY.jwk]})) as (slow, _):
        fail(issuer, forger.sign(), fetch_over_http(slow, 0.2))
    refused.record("503 unavailable")
