"""Whatever a client gets wrong: its own problem type and status, nothing changed, the services still up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
import uuid_utils
from cryptography.hazmat.primitives.asymmetric import ec

from tests import web
from tests.conftest import WAITS_UNDER
from tests.pictures import BAD_PICTURES, make_picture
from tests.targets import Trait

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User


pytestmark = pytest.mark.every_aws

MEGABYTE = 1_000_000


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
def test_an_unknown_user(http: httpx2.Client, username: str) -> None:
    refused(http.post("/auth/login", json={"username": username}), 404, "unknown-user")


@pytest.mark.parametrize("path", ["/auth/login", "/uploads/presign", "/uploads/confirm"])
@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe", b'{"', b"nonsense"])
def test_a_body_that_is_not_json(user: User, path: str, body: bytes) -> None:
    answer = user.http.post(path, content=body, headers={"Content-Type": "application/json"})
    refused(answer, 400, "malformed-json" if body else "invalid-request")


@pytest.mark.parametrize("path", ["/auth/login", "/uploads/presign", "/uploads/confirm"])
@pytest.mark.parametrize("body", [{}, [], None, "text", 7, {"unknown": 1}, {"username": 5, "key": [], "size": "many"}])
def test_json_of_another_shape(user: User, path: str, body: Any) -> None:
    refused(user.http.post(path, json=body), 400, "invalid-request")


def test_a_problem_names_the_field_that_is_wrong(user: User) -> None:
    answer = user.http.post("/uploads/presign", json={"content_type": "image/png", "size": "many"})
    assert "size" in refused(answer, 400, "invalid-request")["detail"]


@pytest.mark.parametrize("size", ["1", 1.5, True, None, [1]])
def test_a_number_is_a_number(user: User, size: Any) -> None:
    answer = user.http.post("/uploads/presign", json={"content_type": "image/png", "size": size})
    assert "$.size" in refused(answer, 400, "invalid-request")["detail"]


def test_a_body_that_is_too_large(user: User) -> None:
    refused(user.http.post("/uploads/confirm", json={"key": "x" * 100_000}), 413, "body-too-large")


def test_another_content_type(user: User) -> None:
    answer = user.http.post("/uploads/confirm", content=b'{"key":"x"}', headers={"Content-Type": "text/plain"})
    refused(answer, 415, "unsupported-media-type")


@pytest.mark.parametrize("path", ["/uploads/nothing", "/auth/nothing", "/nothing"])
def test_a_path_that_is_not_there(http: httpx2.Client, path: str) -> None:
    refused(http.get(path), 404, "not-found")


def test_a_method_that_is_not_there(http: httpx2.Client) -> None:
    refused(http.get("/uploads/presign"), 405, "method-not-allowed")


# Tokens


def make_token(stack: Stack, user: User, **changed: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": f"{stack.origin}/auth",
        "aud": stack.origin,
        "sub": user.username,
        "iat": now - 7200,
        "exp": now + 3600,
        "jti": "1",
    }
    kid = jwt.get_unverified_header(user.http.headers["Authorization"].split()[1])["kid"]
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims | changed, key, algorithm="ES256", headers={"kid": kid})


@pytest.mark.parametrize("path", ["/uploads/presign", "/uploads/confirm"])
def test_no_token(http: httpx2.Client, path: str) -> None:
    answer = http.post(path, json={"content_type": "image/png", "size": 1} if "presign" in path else {"key": "x"})
    refused(answer, 401, "not-logged-in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_of_a_foreign_key(stack: Stack, user: User, http: httpx2.Client) -> None:
    headers = {"Authorization": f"Bearer {make_token(stack, user)}"}
    refused(http.get("/auth/me", headers=headers), 401, "not-logged-in")


@pytest.mark.parametrize("token", ["x", "a.b.c", "e30.e30.e30"])
def test_a_token_that_is_none(http: httpx2.Client, token: str) -> None:
    refused(http.get("/auth/me", headers={"Authorization": f"Bearer {token}"}), 401, "not-logged-in")


def test_an_expired_token(stack: Stack, user: User, http: httpx2.Client) -> None:
    """Signed by the real key, through the emulator's KMS, with its time over."""
    from services.auth.tokens import SigningKey, Tokens  # noqa: PLC0415 - the one test that issues tokens itself
    from services.web.callers.identity import Audience  # noqa: PLC0415

    keys = (SigningKey(stack.aws.kms, stack.resources.key_arn),)
    tokens = Tokens(keys, Audience(stack.origin), 60, lambda: time.time() - 3600)
    headers = {"Authorization": f"Bearer {tokens.issue(user.username)}"}
    refused(http.get("/auth/me", headers=headers), 401, "token-expired")
    refused(http.post("/uploads/confirm", headers=headers, json={"key": "x"}), 401, "token-expired")


def test_a_cookie_that_another_sites_page_sends_along(stack: Stack, user: User, http: httpx2.Client) -> None:
    token = user.http.headers["Authorization"].split()[1]
    http.cookies.set("session", token)
    body = {"content_type": "image/png", "size": 100}
    assert http.get("/auth/me").json() == {"username": user.username}
    refused(http.post("/uploads/presign", json=body), 403, "foreign-origin")
    refused(http.post("/uploads/presign", json=body, headers={"Origin": "https://evil.example"}), 403, "foreign-origin")
    refused(http.post("/auth/logout", headers={"Origin": "https://evil.example"}), 403, "foreign-origin")
    assert http.post("/uploads/presign", json=body, headers={"Origin": stack.origin}).status_code == 200


def test_a_login_that_another_sites_page_makes(user: User, http: httpx2.Client) -> None:
    answer = http.post("/auth/login", json={"username": user.username}, headers={"Origin": "https://evil.example"})
    refused(answer, 403, "foreign-origin")
    assert "Set-Cookie" not in answer.headers


# Presign


@pytest.mark.parametrize(
    "content_type",
    ["image/svg+xml", "image/avif", "text/html", "", "image/PNG", "image/png; charset=x", "application/octet-stream"],
)
def test_a_type_that_is_not_allowed(user: User, content_type: str) -> None:
    refused(user.presign(content_type, 100), 415, "type-not-allowed")


def test_a_file_that_is_too_large(user: User) -> None:
    refused(user.presign("image/png", 5 * MEGABYTE + 1), 413, "too-large")
    assert user.presign("image/png", 5 * MEGABYTE).status_code == 200


@pytest.mark.parametrize("size", [0, -1])
def test_an_empty_file(user: User, size: int) -> None:
    refused(user.presign("image/png", size), 422, "empty-file")


@pytest.mark.parametrize("sha256", ["", "x", "A" * 44, 5])
def test_a_digest_that_is_none(user: User, sha256: Any) -> None:
    refused(user.presign("image/png", 100, sha256=sha256), 400, "invalid-request")


# Confirm


def test_an_upload_whose_time_is_over(stack: Stack, user: User, bucket: Bucket, strategy: str) -> None:
    """Put there as a form of two hours ago would have: the id carries its time."""
    stack.aws.dynamodb.update_item(
        TableName=stack.resources.table, Key={"Username": {"S": user.username}}, UpdateExpression="REMOVE Avatar"
    )
    old = uuid_utils.uuid7(nanoseconds=int((time.time() - 7200) * 1e9))
    avatar = bucket.keys(user.username)[0]
    key = WAITS_UNDER[strategy] + str(old)
    metadata = {"username": user.username, "upload-token": "token"}
    bucket.aws.s3.put_object(
        Bucket=bucket.name, Key=key, Body=make_picture(), ContentType="image/png", Metadata=metadata
    )
    try:
        refused(user.confirm(key, upload_token="token"), 410, "expired")
    finally:
        restore = {":old": {"S": avatar}}
        stack.aws.dynamodb.update_item(
            TableName=stack.resources.table,
            Key={"Username": {"S": user.username}},
            UpdateExpression="SET Avatar = :old",
            ExpressionAttributeValues=restore,  # pyright: ignore[reportArgumentType] - a literal of the right shape
        )


@pytest.mark.needs(Trait.EXPIRATION)
@pytest.mark.parametrize("problem", BAD_PICTURES)
def test_a_file_that_is_no_good_picture(user: User, bucket: Bucket, problem: str) -> None:
    content_type, make = BAD_PICTURES[problem]
    form = user.put_up(content_type, make())
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
def test_a_page_that_is_none(http: httpx2.Client, path: str, query: str, slug: str) -> None:
    refused(http.get(f"{path}?{query}"), 400, slug)


def test_the_avatar_of_nobody(http: httpx2.Client) -> None:
    refused(http.get("/users/Nobody99/avatar"), 404, "unknown-user")
