"""Who calls too often is told so, and nobody else is; on a system of its own, whose limits are low."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from infra.local.stack import Options, run_stack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.stack import Stack

LOGINS, PRESIGNS = 4, 3
"""A minute. None of these tests lasts until the next one is due, in 15 and 20 seconds."""


@pytest.fixture(scope="module")
def strict_stack() -> Iterator[Stack]:
    options = Options(0, 0, presigns_per_minute=PRESIGNS, logins_per_minute=LOGINS)
    with run_stack(options, lambda _part, _where: None) as running:
        yield running


@pytest.fixture(scope="module")
def usernames(strict_stack: Stack) -> list[str]:
    return [user["username"] for user in httpx2.get(f"{strict_stack.origin}/users").json()["users"]]


def log_in(url: str, username: str, address: str) -> httpx2.Response:
    return httpx2.post(f"{url}/auth/login", json={"username": username}, headers={"X-Client-Address": address})


def presign(url: str, token: str) -> httpx2.Response:
    wanted = {"content_type": "image/png", "size": 1}
    return httpx2.post(f"{url}/uploads/presign", json=wanted, headers={"Authorization": f"Bearer {token}"})


def check_refusal(answer: httpx2.Response, per_minute: int) -> None:
    assert answer.status_code == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:problem:too-many-requests"
    wait = answer.headers["Retry-After"]
    assert 1 <= int(wait) <= 60 / per_minute
    assert f"Try again in {wait} s." in answer.json()["detail"]


def test_an_address_has_so_many_logins_good_or_bad(strict_stack: Stack, usernames: list[str]) -> None:
    auth = strict_stack.services["auth"]
    statuses = [log_in(auth, name, "192.0.2.1").status_code for name in (usernames[0], "Nobody", *usernames[1:])]
    assert statuses == [200, 404, 200, 200]
    refused = log_in(auth, usernames[0], "192.0.2.1")
    check_refusal(refused, LOGINS)
    assert "Set-Cookie" not in refused.headers
    assert log_in(auth, usernames[0], "192.0.2.2").status_code == 200


def test_a_household_is_one_address_however_many_it_has(strict_stack: Stack, usernames: list[str]) -> None:
    auth = strict_stack.services["auth"]
    addresses = [f"2001:db8:1:2::{number:x}" for number in range(LOGINS + 1)]
    statuses = [log_in(auth, usernames[0], address).status_code for address in addresses]
    assert statuses == [200] * LOGINS + [429]


def test_what_a_client_says_of_its_address_gets_no_further_than_the_gateway(
    strict_stack: Stack, usernames: list[str]
) -> None:
    addresses = [f"198.51.100.{number}" for number in range(LOGINS + 1)]
    statuses = [log_in(strict_stack.origin, usernames[0], address).status_code for address in addresses]
    assert statuses == [200] * LOGINS + [429]


def test_a_user_has_so_many_presigns_from_wherever(strict_stack: Stack, usernames: list[str]) -> None:
    auth, origin = strict_stack.services["auth"], strict_stack.origin
    tokens = [log_in(auth, name, "192.0.2.3").json()["access_token"] for name in (*usernames[:2], usernames[0])]
    statuses = [presign(origin, tokens[number]).status_code for number in (0, 2, 0)]
    assert statuses == [200] * PRESIGNS
    check_refusal(presign(origin, tokens[2]), PRESIGNS)
    assert presign(origin, tokens[1]).status_code == 200
