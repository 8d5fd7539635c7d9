"""The OpenAPI documents: how they are served and printed, and that their examples are true."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import DECLARED, only_prefix
from tests.eventually import PATIENCE_SECONDS

if TYPE_CHECKING:
    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import User

pytestmark = only_prefix

PATHS = ("/auth/schema", "/uploads/schema", "/schema")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
DOCUMENT = "application/vnd.oai.openapi+json"


def read_operation(http: httpx2.Client, path: str, name: str) -> dict[str, Any]:
    return http.get(f"{path}/openapi.json").json()["paths"][name]["post" if path != "/schema" else "get"]


def list_examples(content: dict[str, Any]) -> list[Any]:
    return [example["value"] for described in content.values() for example in described["examples"].values()]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("accept", ["*/*", BROWSER])
def test_every_client_gets_the_openapi_document_as_json(http: httpx2.Client, path: str, accept: str) -> None:
    answer = http.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, DOCUMENT)
    assert answer.json()["openapi"].startswith("3.1.")
    assert answer.json()["servers"] == [{"url": str(http.base_url).rstrip("/")}]
    assert http.get(f"{path}/openapi.json").json() == answer.json()


def test_the_command_prints_the_document_that_the_gateway_serves(stack: Stack, http: httpx2.Client) -> None:
    command = [sys.executable, "-m", "infra.openapi", "--origin", stack.origin]
    printed = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE_SECONDS)  # noqa: S603
    served = http.get("/openapi.json")
    assert served.headers["Content-Type"] == DOCUMENT
    assert served.json() == json.loads(printed.stdout)
    assert served.json()["paths"].keys() == {name for path in PATHS for name in http.get(path).json()["paths"]}


def test_the_login_example_works(http: httpx2.Client) -> None:
    login = read_operation(http, "/auth/schema", "/auth/login")
    for body in list_examples(login["requestBody"]["content"]):
        answer = http.post("/auth/login", json=body)
        assert answer.status_code == 200
        (described,) = list_examples(login["responses"]["200"]["content"])
        assert answer.json().keys() == described.keys()


def test_the_presign_examples_return_the_documented_form(http: httpx2.Client, user: User) -> None:
    presign = read_operation(http, "/uploads/schema", "/uploads/presign")
    described = list_examples(presign["responses"]["200"]["content"])[0]
    with_digest = user.http.post("/uploads/presign", json=list_examples(presign["requestBody"]["content"])[0]).json()
    assert with_digest.keys() == described.keys()
    # A form that an IAM user signs has no session token.
    assert with_digest["fields"].keys() == described["fields"].keys() - {"x-amz-security-token"}
    for body in list_examples(presign["requestBody"]["content"]):
        assert user.http.post("/uploads/presign", json=body).status_code == 200


@pytest.mark.parametrize(
    ("path", "name", "wanted", "slug"),
    [
        ("/auth/schema", "/auth/login", {"json": {"username": "Nobody"}}, "unknown-user"),
        ("/uploads/schema", "/uploads/presign", {"content": "{"}, "malformed-json"),
        ("/uploads/schema", "/uploads/presign", {"json": {"content_type": "image/png"}}, "invalid-request"),
        ("/uploads/schema", "/uploads/presign", {"json": DECLARED | {"content_type": "text/css"}}, "type-not-allowed"),
        ("/uploads/schema", "/uploads/presign", {"json": DECLARED | {"size": 0}}, "empty-file"),
        ("/uploads/schema", "/uploads/presign", {"content": " " * 20_000}, "body-too-large"),
        ("/uploads/schema", "/uploads/presign", {"data": {"size": "1"}}, "unsupported-media-type"),
        ("/uploads/schema", "/uploads/confirm", {"json": {"key": "nothing"}}, "unknown-upload"),
        ("/schema", "/users", {"params": {"limit": "1000"}}, "invalid-request"),
        ("/schema", "/users", {"params": {"cursor": "!"}}, "invalid-cursor"),
    ],
)
def test_a_problem_is_the_documented_one(
    stack: Stack, user: User, path: str, name: str, wanted: dict[str, Any], slug: str
) -> None:
    operation = read_operation(user.http, path, name)
    headers = {"Content-Type": "application/json"} if "content" in wanted else {}
    method = "GET" if path == "/schema" else "POST"
    answer = user.http.request(method, stack.origin + name, headers=headers, **wanted)
    examples = list_examples(operation["responses"][str(answer.status_code)]["content"])
    (example,) = [one for one in examples if one["type"] == f"urn:problem:{slug}"]
    assert answer.json() == example


def test_the_problem_without_a_login_is_the_documented_one(http: httpx2.Client) -> None:
    presign = read_operation(http, "/uploads/schema", "/uploads/presign")
    answer = http.post("/uploads/presign", json=DECLARED)
    assert answer.json() in list_examples(presign["responses"]["401"]["content"])
