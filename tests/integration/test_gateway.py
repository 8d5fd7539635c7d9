"""The local gateway, which replaces API Gateway and the load balancer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import web

if TYPE_CHECKING:
    import httpx2

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
