"""Rate limits of logins and presigns, by services with low limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.ports import pick_free_ports
from infra.local.stack import Options, make_environ, run_processes, start_gateway
from infra.seed.people import invent_people
from infra.settings import Settings
from services.auth.app import create_app as auth_app
from services.auth.settings import Settings as AuthSettings
from services.settings.environment import ForService, read_settings
from services.uploads.app import create_app as uploads_app
from services.uploads.settings import Settings as UploadsSettings
from tests import web
from tests.conftest import DECLARED, only_prefix
from tests.faults.conftest import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.stack import Stack

pytestmark = only_prefix

LOGINS, PRESIGNS, CONFIRMS = 4, 3, 2
"""Allowed calls per minute. The services' clock stands still in these tests."""


def stand_still() -> float:
    return 0


@pytest.fixture(scope="module")
def strict_stack(stack: Stack) -> Iterator[Stack]:
    """The same system with two services that have low limits, behind another gateway."""
    settings = Settings(presigns_per_minute=PRESIGNS, confirms_per_minute=CONFIRMS, logins_per_minute=LOGINS)

    def read(kind: type[ForService], name: str) -> ForService:
        return read_settings(
            kind, make_environ(name, stack.services, stack.aws, stack.resources, stack.origin, settings)
        )

    aws = {name: stack.aws.with_credentials(stack.resources.credentials[name]) for name in ("auth", "uploads")}
    auth = auth_app(
        read(AuthSettings, "auth"), dynamodb=aws["auth"].dynamodb, kms=aws["auth"].kms, stopwatch=stand_still
    )
    uploads = uploads_app(
        read(UploadsSettings, "uploads"),
        s3=aws["uploads"].s3,
        dynamodb=aws["uploads"].dynamodb,
        credentials=aws["uploads"].find_credentials,
        stopwatch=stand_still,
    )
    [port] = pick_free_ports(1)
    origin = f"http://localhost:{port}"
    with serve(auth) as auth_url, serve(uploads) as uploads_url, run_processes() as processes:
        services = {**stack.services, "auth": auth_url, "uploads": uploads_url}
        start_gateway(processes, services, stack.aws, origin, port).wait_until_ready()
        yield replace(stack, origin=origin, services=services)


@pytest.fixture(scope="module")
def usernames() -> list[str]:
    return [person.username for person in invent_people(Options().users)]


def log_in(url: str, username: str, address: str) -> httpx2.Response:
    return web.post(f"{url}/auth/login", json={"username": username}, headers={"X-Client-Address": address})


def presign(url: str, token: str) -> httpx2.Response:
    wanted = DECLARED
    return web.post(f"{url}/uploads/presign", json=wanted, headers={"Authorization": f"Bearer {token}"})


def check_refusal(answer: httpx2.Response, per_minute: int) -> None:
    assert answer.status_code == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:problem:too-many-requests"
    wait = answer.headers["Retry-After"]
    assert int(wait) == 60 / per_minute
    assert f"Try again in {wait} s." in answer.json()["detail"]


def test_logins_are_limited_per_client_address(strict_stack: Stack, usernames: list[str]) -> None:
    auth = strict_stack.services["auth"]
    statuses = [log_in(auth, name, "192.0.2.1").status_code for name in (usernames[0], "Nobody", *usernames[1:])]
    assert statuses == [200, 404, 200, 200]
    refused = log_in(auth, usernames[0], "192.0.2.1")
    check_refusal(refused, LOGINS)
    assert "Set-Cookie" not in refused.headers
    assert log_in(auth, usernames[0], "192.0.2.2").status_code == 200


def test_ipv6_addresses_of_one_network_share_a_limit(strict_stack: Stack, usernames: list[str]) -> None:
    auth = strict_stack.services["auth"]
    addresses = [f"2001:db8:1:2::{number:x}" for number in range(LOGINS + 1)]
    statuses = [log_in(auth, usernames[0], address).status_code for address in addresses]
    assert statuses == [200] * LOGINS + [429]


def test_a_client_cannot_set_its_own_address(strict_stack: Stack, usernames: list[str]) -> None:
    addresses = [f"198.51.100.{number}" for number in range(LOGINS + 1)]
    statuses = [log_in(strict_stack.origin, usernames[0], address).status_code for address in addresses]
    assert statuses == [200] * LOGINS + [429]


def test_presigns_are_limited_per_user(strict_stack: Stack, usernames: list[str]) -> None:
    auth, origin = strict_stack.services["auth"], strict_stack.origin
    tokens = [log_in(auth, name, "192.0.2.3").json()["access_token"] for name in (*usernames[:2], usernames[0])]
    statuses = [presign(origin, tokens[number]).status_code for number in (0, 2, 0)]
    assert statuses == [200] * PRESIGNS
    check_refusal(presign(origin, tokens[2]), PRESIGNS)
    assert presign(origin, tokens[1]).status_code == 200


def test_confirms_and_removals_are_limited_per_user_together(strict_stack: Stack, usernames: list[str]) -> None:
    auth, origin = strict_stack.services["auth"], strict_stack.origin

    def call(username: str, method: str, path: str, **more: Any) -> httpx2.Response:
        token = log_in(auth, username, "192.0.2.4").json()["access_token"]
        return web.request(method, f"{origin}/uploads/{path}", headers={"Authorization": f"Bearer {token}"}, **more)

    unknown: dict[str, Any] = {"json": {"key": "no key"}}
    assert call(usernames[2], "POST", "confirm", **unknown).status_code == 404
    assert call(usernames[2], "DELETE", "avatar").status_code == 204
    check_refusal(call(usernames[2], "POST", "confirm", **unknown), CONFIRMS)
    check_refusal(call(usernames[2], "DELETE", "avatar"), CONFIRMS)
