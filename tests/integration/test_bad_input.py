"""Invalid requests: each gets its own problem type and status code, changes nothing, and the services stay healthy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services.web.callers.identity import Audience
from tests import web
from tests.conftest import DECLARED, SOME_DIGEST
from tests.pictures import BAD_PICTURES
from tests.targets import Trait

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User


pytestmark = pytest.mark.every_aws


@pytest.fixture(autouse=True)
def _nothing_changes(stack: Stack, user: User, bucket: Bucket) -> Iterator[None]:
    avatar = user.avatar
    yield
    assert user.avatar == avatar
    assert bucket.head(avatar or "")
    for url in (*stack.services.values(), stack.origin):
        assert web.get(f"{url}/healthz").status_code == 200


def refused(answer: httpx2.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.text
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["status"], problem["type"]) == (status, status, f"urn:problem:{slug}"), problem
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in answer.text
    return problem


# Login


@pytest.mark.parametrize("username", ["Nobody99", "", "../etc", "a" * 200, "Zoë", "' OR 1=1"])
def test_a_login_of_an_unknown_user_is_404(http: httpx2.Client, username: str) -> None:
    refused(http.post("/auth/login", json={"username": username}), 404, "unknown-user")


@pytest.mark.parametrize("path", ["/auth/login", "/uploads/presign", "/uploads/confirm"])
@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"', b"nonsense"])
def test_a_body_that_is_not_json_is_400(user: User, path: str, body: bytes) -> None:
    answer = user.http.post(path, content=body, headers={"Content-Type": "application/json"})
    refused(answer, 400, "malformed-json" if body else "invalid-request")


@pytest.mark.parametrize("size", ["1", 1.5, True, None, [1]])
def test_a_size_of_another_type_is_400_and_names_the_field(user: User, size: Any) -> None:
    answer = user.http.post("/uploads/presign", json=DECLARED | {"size": size})
    assert "$.size" in refused(answer, 400, "invalid-request")["detail"]


@pytest.mark.parametrize("path", ["/uploads/nothing", "/auth/nothing", "/nothing"])
def test_an_unknown_path_is_404(http: httpx2.Client, path: str) -> None:
    refused(http.get(path), 404, "not-found")


# Tokens


@pytest.mark.parametrize("path", ["/uploads/presign", "/uploads/confirm"])
def test_a_request_without_a_token_is_401(http: httpx2.Client, path: str) -> None:
    answer = http.post(path, json=DECLARED if "presign" in path else {"key": "x"})
    refused(answer, 401, "not-logged-in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_cookie_needs_the_systems_origin_for_changes(stack: Stack, user: User, http: httpx2.Client) -> None:
    token = user.http.headers["Authorization"].split()[1]
    http.cookies.set(Audience(stack.origin).cookie, token)
    body = DECLARED
    assert http.get("/auth/me").json() == {"username": user.username}
    refused(http.post("/uploads/presign", json=body), 403, "foreign-origin")
    refused(http.post("/uploads/presign", json=body, headers={"Origin": "https://evil.example"}), 403, "foreign-origin")
    refused(http.post("/auth/logout", headers={"Origin": "https://evil.example"}), 403, "foreign-origin")
    assert http.post("/uploads/presign", json=body, headers={"Origin": stack.origin}).status_code == 200


def test_a_login_from_another_origin_is_403(user: User, http: httpx2.Client) -> None:
    answer = http.post("/auth/login", json={"username": user.username}, headers={"Origin": "https://evil.example"})
    refused(answer, 403, "foreign-origin")
    assert "Set-Cookie" not in answer.headers


# Presign


@pytest.mark.parametrize(
    "content_type",
    ["image/svg+xml", "image/avif", "text/html", "", "image/png; charset=x", "application/octet-stream"],
)
def test_a_content_type_that_is_not_allowed_is_415(user: User, content_type: str) -> None:
    refused(user.declare(content_type, 100), 415, "type-not-allowed")


@pytest.mark.parametrize("sha256", ["", "x", "A" * 44, "A" * 42 + "B=", SOME_DIGEST + "\n", 5, None])
def test_an_invalid_digest_is_400(user: User, sha256: Any) -> None:
    refused(user.declare("image/png", 100, sha256=sha256), 400, "invalid-request")


# Confirm


@pytest.mark.needs(Trait.EXPIRATION)
@pytest.mark.parametrize("problem", BAD_PICTURES)
def test_a_bad_picture_is_refused_at_every_confirm(user: User, bucket: Bucket, problem: str) -> None:
    content_type, make = BAD_PICTURES[problem]
    form = user.upload_unconfirmed(content_type, make())
    refused(user.confirm(form), 422, problem)
    refused(user.confirm(form), 422, problem)
    assert "Expiration" in bucket.head(form["key"])


# Reading


@pytest.mark.parametrize("path", ["/users", "/inspector/objects", "/inspector/users"])
@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("limit=0", "invalid-request"),
        ("limit=1000", "invalid-request"),
        ("limit=x", "invalid-request"),
        ("cursor=%00%ff", "invalid-cursor"),
        ("cursor=", "invalid-cursor"),
        ("cursor=a", "invalid-cursor"),
        ("cursor=" + "QUJD" * 500, "invalid-cursor"),
    ],
)
def test_an_invalid_limit_or_cursor_is_400(http: httpx2.Client, path: str, query: str, slug: str) -> None:
    refused(http.get(f"{path}?{query}"), 400, slug)


def test_the_avatar_of_an_unknown_user_is_404(http: httpx2.Client) -> None:
    refused(http.get("/users/Nobody99/avatar"), 404, "unknown-user")
