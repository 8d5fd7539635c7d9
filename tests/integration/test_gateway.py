"""The local gateway, which replaces API Gateway and the load balancer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import httpx2
import pytest

from infra.local.gateway import OPENAPI_PATH, Gateway
from infra.local.ports import HOST, pick_free_ports
from tests import web

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.conftest import User


pytestmark = pytest.mark.every_aws


def test_the_gateway_shares_no_cookies_between_clients(http: httpx2.Client, user: User, stack: Stack) -> None:
    answer = web.post(f"{stack.origin}/auth/login", json={"username": user.username})
    assert "session-" in answer.headers["Set-Cookie"]
    assert http.get("/auth/me").status_code == 401


def test_another_host_name_is_redirected_to_the_origin(stack: Stack) -> None:
    answer = web.get(stack.origin.replace("localhost", "127.0.0.1") + "/users?limit=1")
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{stack.origin}/users?limit=1")


def test_forwarding_headers_of_a_client_are_ignored(http: httpx2.Client) -> None:
    answer = http.get("/", headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    assert answer.status_code == 200
    assert "evil.example" not in answer.text


@pytest.mark.parametrize(
    ("accept", "content_type", "part"),
    [
        ("text/html,*/*;q=0.8", "text/html", '<meta http-equiv="refresh" content="1">'),
        ("*/*", "application/problem+json", "urn:problem:unavailable"),
    ],
)
def test_a_browser_gets_a_page_that_reloads_while_the_services_start(accept: str, content_type: str, part: str) -> None:
    service = f"http://{HOST}:{pick_free_ports(1)[0]}"
    gateway = Gateway({"frontend": service}, service, "http://localhost")
    response = asyncio.run(get_page(gateway, accept))
    assert (response.status_code, response.headers["Content-Type"]) == (503, content_type)
    assert part in response.text


async def get_page(gateway: Gateway, accept: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(gateway)  # pyright: ignore[reportArgumentType] - Litestar's types of messages
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get("/", headers={"Accept": accept})


def test_without_a_service_there_is_no_merged_openapi_document() -> None:
    closed = f"http://{HOST}:{pick_free_ports(1)[0]}"
    gateway = Gateway({"auth": closed}, closed, closed)

    async def ask() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(cast("Any", gateway)), base_url=closed) as client:
            return await client.get(OPENAPI_PATH)

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:problem:unavailable")
    assert answer.headers["Retry-After"] == "1"
