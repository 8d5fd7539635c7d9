"""The shutdown of a service."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from services.web.server import Gate

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio

Messages = list[Any]


class Application:
    """Responds 200 and then runs a background task until it is released."""

    def __init__(self) -> None:
        self.held = anyio.Event()
        self.finished = 0

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": f"{scope['type']}.answer"})
        if scope["type"] == "http":
            await self.held.wait()
            self.finished += 1


async def ask(gate: Gate, kind: str = "http") -> Messages:
    sent: Messages = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise NotImplementedError

    scope: Any = {"type": kind}
    await gate(scope, receive, send)
    return sent


@asynccontextmanager
async def closing(gate: Gate, seconds: float) -> AsyncGenerator[anyio.Event]:
    """A request is running and the gate is closing. The event is set when the gate is closed."""
    closed = anyio.Event()

    async def close() -> None:
        await gate.close(seconds)
        closed.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, gate)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(close)
        await anyio.wait_all_tasks_blocked()
        yield closed


async def test_requests_finish_before_the_gate_is_closed() -> None:
    application = Application()
    async with closing(Gate(application), 600) as closed:
        assert not closed.is_set()
        application.held.set()
        await closed.wait()
        assert application.finished == 1


async def test_the_gate_waits_no_longer_than_its_limit() -> None:
    application = Application()
    async with closing(Gate(application), 0) as closed:
        await closed.wait()
        assert application.finished == 0
        application.held.set()


async def test_a_closing_gate_refuses_new_requests() -> None:
    application = Application()
    gate = Gate(application)
    async with closing(gate, 600):
        start, body = await ask(gate)
        assert start["status"] == 503
        headers = dict(start["headers"])
        assert (headers[b"content-type"], headers[b"retry-after"]) == (b"application/problem+json", b"1")
        assert headers[b"connection"] == b"close"
        assert json.loads(body["body"])["type"] == "urn:problem:unavailable"
        application.held.set()
    assert application.finished == 1


async def test_a_gate_without_requests_closes_at_once() -> None:
    application = Application()
    application.held.set()
    gate = Gate(application)
    await ask(gate)
    await gate.close(600)
    assert (await ask(gate))[0]["status"] == 503


async def test_the_gate_passes_lifespan_events_through() -> None:
    gate = Gate(Application())
    await gate.close(600)
    assert await ask(gate, "lifespan") == [{"type": "lifespan.answer"}]
