"""The services' logs: each request with its id, and no secrets."""

from __future__ import annotations

import json
import re
import socket
import uuid
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import pytest

from infra.local.ports import HOST, pick_free_ports
from infra.local.processes import Process, Processes
from infra.local.stack import SERVICES, make_environ
from infra.settings import Settings
from services.web.callers.identity import Audience
from tests import web
from tests.conftest import DECLARED, User, only_prefix, post_form
from tests.eventually import eventually
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.stack import Stack

PICTURE = make_picture()

SECRET_PATTERN = re.compile(r"eyJ[\w-]+\.[\w-]+\.|x-amz-signature|bearer\s|session-?\d*=", re.IGNORECASE)
"""Tokens, signatures of presigned URLs and forms, and headers that contain a token."""


@pytest.fixture
def request_id(http: httpx2.Client) -> str:
    """The request id that the client `http` sends."""
    chosen = uuid.uuid4().hex
    http.headers["X-Request-Id"] = chosen
    return chosen


@pytest.fixture
def unprivileged_service(stack: Stack, strategy: Literal["prefix", "tag"], tmp_path: Path) -> Iterator[Process]:
    """Another process of the uploads service with the frontend's permissions, so that its confirms fail."""
    url = f"http://{HOST}:{pick_free_ports(1)[0]}"
    services = {**stack.services, "uploads": url}
    environ = make_environ("uploads", services, stack.aws, stack.resources, stack.origin, Settings(pending=strategy))
    processes = Processes(tmp_path)
    try:
        process = processes.start(
            "uploads",
            "services.uploads",
            health=f"{url}/healthz",
            environ=environ | dict(stack.resources.credentials["frontend"]),
        )
        process.wait_until_ready()
        yield process
    finally:
        processes.stop()


def find_process(stack: Stack, name: str) -> Process:
    (found,) = (process for process in stack.processes.started if process.name == name)
    return found


def read_lines(process: Process, request_id: str | None = None) -> list[dict[str, Any]]:
    """The lines of a log, each of which must be JSON."""
    # As bytes, since `str.splitlines` also splits at U+0085 and others, which a path can contain.
    lines = [json.loads(line) for line in process.log.read_bytes().splitlines()]
    return [line for line in lines if request_id in {None, line.get("request_id")}]


def test_the_request_id_finds_the_log_lines_of_an_upload(stack: Stack, user: User, request_id: str) -> None:
    user.http.headers["X-Request-Id"] = request_id
    user.confirm(user.upload_unconfirmed("image/png", PICTURE)).raise_for_status()
    lines = read_lines(find_process(stack, "uploads"), request_id)
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line.pop("time"))
        assert line.pop("duration_ms") > 0
    alike = {"level": "info", "service": "uploads", "request_id": request_id, "method": "POST", "status": 200}
    alike["username"] = user.username
    assert lines == [alike | {"path": "/uploads/presign"}, alike | {"path": "/uploads/confirm"}]


@pytest.mark.parametrize(
    ("service", "method", "path", "status", "problem"),
    [
        ("auth", "GET", "/auth/me", 401, "not-logged-in"),
        ("auth", "GET", "/auth/nowhere", 404, "not-found"),
        ("auth", "GET", "/auth/login", 405, "method-not-allowed"),
        ("auth", "POST", "/auth/login", 400, "invalid-request"),
        ("uploads", "POST", "/uploads/confirm", 401, "not-logged-in"),
        ("uploads", "GET", "/uploads/schema", 200, None),
        ("frontend", "GET", "/", 200, None),
        ("frontend", "GET", "/users", 200, None),
        ("frontend", "GET", "/users/Nobody/avatar", 404, "unknown-user"),
        ("frontend", "GET", "/static/page.css", 200, None),
        ("frontend", "GET", "/static/none", 404, "not-found"),
    ],
)
@only_prefix
def test_each_response_and_its_log_line_have_the_request_id(
    stack: Stack,
    http: httpx2.Client,
    request_id: str,
    service: str,
    method: str,
    path: str,
    status: int,
    problem: str | None,
) -> None:
    answer = http.request(method, path, params={"cursor2": "query"})
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (status, request_id)
    (line,) = read_lines(find_process(stack, service), request_id)
    assert (line["method"], line["path"], line["status"], line.get("problem")) == (method, path, status, problem)


@only_prefix
def test_a_missing_or_invalid_request_id_is_replaced(stack: Stack, http: httpx2.Client) -> None:
    answers = [http.get("/auth/me"), http.get("/auth/me", headers={"X-Request-Id": "strange: 12345"})]
    given = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(given) == 2
    for request_id in given:
        assert uuid.UUID(request_id).version == 4
        assert len(read_lines(find_process(stack, "auth"), request_id)) == 1


@only_prefix
def test_health_checks_are_not_logged(stack: Stack, request_id: str) -> None:
    headers = {"X-Request-Id": request_id}
    for name, url in stack.services.items():
        answer = web.get(f"{url}/healthz", headers=headers)
        assert (answer.status_code, answer.headers["X-Request-Id"]) == (200, request_id)
        assert read_lines(find_process(stack, name), request_id) == []


@only_prefix
def test_an_internal_error_logs_its_traceback_with_the_request_id(
    unprivileged_service: Process, user: User, request_id: str
) -> None:
    form = user.upload_unconfirmed("image/png", PICTURE)
    url = unprivileged_service.health.replace("/healthz", "/uploads/confirm")
    headers = {**user.http.headers, "X-Request-Id": request_id}
    answer = web.post(url, json={"key": form["key"]}, headers=headers)
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (500, request_id)
    why, line = read_lines(unprivileged_service, request_id)
    assert (why["level"], why["logger"], why["message"]) == ("error", "services.web.problems", "Unexpected error")
    assert why["exception"].startswith("Traceback")
    assert "CopyObject" in why["exception"].splitlines()[-1]
    assert (line["status"], line["level"], line["problem"]) == (500, "error", "internal")
    assert line["username"] == user.username


def send_invalid_http(url: str, token: str) -> None:
    """Send a request line that is not HTTP."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET /?{token} HTTP/nonsense\r\nCookie: session={token}\r\n\r\n".encode())
        connection.recv(1000)


def test_no_log_contains_a_secret(stack: Stack, unprivileged_service: Process, user: User, http: httpx2.Client) -> None:
    login = http.post("/auth/login", json={"username": user.username}).raise_for_status()
    token: str = login.json()["access_token"]
    name = Audience(stack.origin).cookie
    session = login.cookies[name]
    http.cookies.clear()
    secrets = {token, token.rpartition(".")[2], session, user.http.headers["Authorization"].split()[1]}
    secrets |= {credentials["AWS_SECRET_ACCESS_KEY"] for credentials in stack.resources.credentials.values()}
    secrets.add(stack.aws.secret_access_key)

    # A valid upload, and a request for the picture.
    form = user.upload_unconfirmed("image/png", PICTURE)
    user.confirm(form).raise_for_status()
    user.confirm(form).raise_for_status()
    shown = http.get(f"/users/{user.username}/avatar")
    secrets.add(httpx2.URL(shown.headers["Location"]).params["X-Amz-Signature"])
    http.get("/", headers={"Cookie": f"{name}={session}"}).raise_for_status()

    # Refusals.
    pending = user.upload_unconfirmed("image/png", PICTURE)
    for made in (form, pending):
        secrets |= {made["fields"]["policy"], made["fields"]["x-amz-signature"], made.get("upload_token", token)}
    bearer, cookie = (
        {"Authorization": f"Bearer {token}x"},
        {"Cookie": f"{name}={session}", "Origin": "http://evil.example"},
    )
    statuses = [
        post_form(pending, PICTURE, **{"x-amz-signature": "0" * 64}).status_code,
        http.post("/uploads/presign", json=DECLARED, headers=bearer).status_code,
        http.post("/uploads/confirm", json={"key": form["key"]}, headers=cookie).status_code,
        http.get("/auth/me", params={"access_token": token}, headers={"X-Request-Id": token}).status_code,
        http.post("/auth/login", json={"username": token.rpartition(".")[2]}).status_code,
        http.post("/auth/login", json={token: token}).status_code,
        http.post("/auth/login", content=token, headers={"Content-Type": "application/json"}).status_code,
        http.get("/users", params={"cursor": token}).status_code,
        user.confirm(pending["key"], upload_token=token).status_code,
        user.confirm(token).status_code,
    ]
    assert statuses[:-2] == [403, 401, 403, 401, 404, 400, 400, 400]
    assert statuses[-1] == 404

    # Failures.
    url = unprivileged_service.health.removesuffix("/healthz")
    with web.Client(base_url=url, headers=user.http.headers) as direct:
        unconfirmed = user.upload_unconfirmed("image/png", PICTURE)
        asked = {name: unconfirmed[name] for name in unconfirmed.keys() & {"key", "upload_token"}}
        assert direct.post("/uploads/confirm", json=asked).status_code == 500
        presigned = direct.post("/uploads/presign", json=DECLARED).json()
    secrets |= {presigned["fields"]["policy"], unconfirmed["fields"]["x-amz-signature"]}
    for address in (url, *stack.services.values()):
        send_invalid_http(address, token)
        secrets.add(token)

    own = [unprivileged_service, *(find_process(stack, name) for name in SERVICES)]
    for process in own:
        # The invalid request gets no response to wait for.
        eventually(lambda process=process: "Invalid HTTP request" in process.log.read_text())
        assert read_lines(process)
        assert not SECRET_PATTERN.search(process.log.read_text())
    everything = "\n".join(process.log.read_text() for process in (unprivileged_service, *stack.processes.started))
    assert "Traceback" in everything
    assert user.username in everything
    assert len(min(secrets, key=len)) > 5, "A secret this short would be found by chance."
    assert not [secret for secret in secrets if secret in everything]
