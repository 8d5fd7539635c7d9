"""The gateway of the local system, which stands where API Gateway and the load balancer will."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import web

if TYPE_CHECKING:
    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import User


pytestmark = pytest.mark.every_aws


def test_one_users_session_is_never_anothers(http: httpx2.Client, user: User, stack: Stack) -> None:
    answer = web.post(f"{stack.origin}/auth/login", json={"username": user.username})
    assert "session=" in answer.headers["Set-Cookie"]
    assert http.get("/auth/me").status_code == 401


def test_another_name_of_this_machine_leads_to_the_one_origin(stack: Stack) -> None:
    answer = web.get(stack.origin.replace("localhost", "127.0.0.1") + "/users?limit=1")
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{stack.origin}/users?limit=1")


def test_what_a_client_says_of_forwarding_is_not_believed(http: httpx2.Client) -> None:
    answer = http.get("/", headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    assert answer.status_code == 200
    assert "evil.example" not in answer.text
