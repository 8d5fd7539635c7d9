"""The gate in front of an application, and the server's stop."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anyio
import pytest
import uvicorn

from services.web.connection import MAX_HEAD_BYTES
from services.web.gate import MAX_HOST_BYTES, MAX_PARAMETERS, MAX_PATH_LENGTH, MAX_QUERY_BYTES, Gate
from services.web.server import Server

pytestmark = pytest.mark.anyio

Messages = list[Any]


async def respond(scope: Any, _receive: Any, send: Any) -> None:
    """Responds with the path, or repeats the type of a lifespan event."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})
    else:
        await send({"type": f"{scope['type']}.answer"})


async def ask(gate: Gate, kind: str = "http", **changed: Any) -> Messages:
    sent: Messages = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise NotImplementedError

    scope: Any = {
        "type": kind,
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
        **changed,
    }
    await gate(scope, receive, send)
    return sent


def check_problem(sent: Messages, slug: str, status: int) -> dict[bytes, bytes]:
    start, body = sent
    headers = dict(start["headers"])
    assert start["status"] == status
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"content-length"] == str(len(body["body"])).encode()
    assert headers[b"x-content-type-options"] == b"nosniff"
    problem = json.loads(body["body"])
    assert (problem["type"], problem["status"]) == (f"urn:problem:{slug}", status)
    assert problem["title"]
    assert problem["detail"]
    return headers


async def test_a_closed_gate_refuses_requests() -> None:
    gate = Gate(respond)
    assert (await ask(gate))[0]["status"] == 200
    gate.is_closed = True
    headers = check_problem(await ask(gate), "unavailable", 503)
    assert (headers[b"retry-after"], headers[b"connection"]) == (b"1", b"close")


async def test_the_gate_passes_lifespan_events_through() -> None:
    gate = Gate(respond)
    gate.is_closed = True
    assert await ask(gate, "lifespan") == [{"type": "lifespan.answer"}]


async def test_an_exception_before_the_response_is_a_problem() -> None:
    async def fail(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("secret")

    sent = await ask(Gate(fail))
    check_problem(sent, "internal", 500)
    assert "secret" not in str(sent)


async def test_an_exception_after_the_start_of_the_response_is_left_to_the_server() -> None:
    async def start_and_fail(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ask(Gate(start_and_fail))


def make_server(gate: Gate, grace_seconds: float) -> Server:
    """A server that was told to stop."""
    server = Server(uvicorn.Config(respond, log_config=None), gate, grace_seconds)
    server.should_exit = True
    return server


async def test_the_server_closes_the_gate_and_waits_for_running_requests() -> None:
    gate = Gate(respond)
    server = make_server(gate, 600)
    finished = asyncio.Event()
    server.server_state.tasks.add(asyncio.ensure_future(finish_after(finished)))
    stopping = asyncio.ensure_future(server.main_loop())
    await anyio.wait_all_tasks_blocked()
    assert gate.is_closed
    assert not stopping.done()
    finished.set()
    await stopping


async def test_the_server_waits_no_longer_than_its_limit() -> None:
    server = make_server(Gate(respond), 0)
    request = asyncio.ensure_future(finish_after(asyncio.Event()))
    server.server_state.tasks.add(request)
    await server.main_loop()
    assert not request.done()
    request.cancel()


async def finish_after(event: asyncio.Event) -> None:
    await event.wait()


HOST = (b"host", b"pictures.example")
LENGTH = (b"content-length", b"2")
CHUNKED = (b"transfer-encoding", b"chunked")


@pytest.mark.parametrize(
    "changed",
    [
        {"headers": [LENGTH, CHUNKED]},
        {"headers": [(b"content-length", b"1" * 16)]},
        {"headers": [(b"host", b"a" * (MAX_HOST_BYTES + 1))]},
        {"headers": [(b"x", b"a" * MAX_HEAD_BYTES)]},
        {"headers": [(b"x", b"a\x01b")]},
        {"headers": [(b"upgrade", b"WebSocket")]},
        {"http_version": "9.9"},
        {"raw_path": b"evil.example", "path": "evil.example"},
        {"raw_path": b"http:///x", "path": "http:///x"},
        {"raw_path": b"*", "path": "*"},
        {"raw_path": b"evil.example:80", "path": "evil.example:80", "method": "CONNECT"},
        {"method": "CONNECT"},
        {"path": "/" + "a" * MAX_PATH_LENGTH},
        {"query_string": b"a" * (MAX_QUERY_BYTES + 1)},
        {"query_string": b"a&" * MAX_PARAMETERS},
    ],
    ids=str,
)
async def test_the_gate_refuses_a_malformed_request(changed: dict[str, Any]) -> None:
    check_problem(await ask(Gate(respond), **changed), "invalid-request", 400)


@pytest.mark.parametrize(
    "changed",
    [
        {"headers": [HOST, LENGTH]},
        {"headers": [HOST, CHUNKED]},
        {"headers": [(b"connection", b"upgrade"), (b"upgrade", b"h2c"), LENGTH]},
        {"headers": [(b"x", b"a\tb \xff")]},
        {"http_version": "1.0"},
        {"raw_path": b"*", "path": "*", "method": "OPTIONS"},
        {"path": "/" + "a" * (MAX_PATH_LENGTH - 1)},
        {"query_string": b"a" * MAX_QUERY_BYTES},
        {"query_string": b"a&" * (MAX_PARAMETERS - 1)},
    ],
    ids=str,
)
async def test_the_gate_lets_a_well_formed_request_through(changed: dict[str, Any]) -> None:
    assert (await ask(Gate(respond), **changed))[0]["status"] == 200


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://pictures.example/users", "/users"),
        (b"HTTPS://pictures.example/%C3%A9", "/é"),
        (b"http://pictures.example", "/"),
        (b"/http://pictures.example/users", "/http://pictures.example/users"),
    ],
)
async def test_a_target_in_absolute_form_has_the_path_of_its_url(target: bytes, path: str) -> None:
    _, body = await ask(Gate(respond), raw_path=target, path=target.decode())
    assert body["body"].decode() == path
