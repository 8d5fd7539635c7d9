"""What a service does once it has been told to stop."""

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
    """Answers 200, and has something to do after that for as long as it is held."""

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
    """While somebody is inside and the gate has been told to close; the event is set when it has closed."""
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


async def test_what_is_inside_is_finished_before_the_gate_is_closed() -> None:
    application = Application()
    async with closing(Gate(application), 600) as closed:
        assert not closed.is_set()
        application.held.set()
        await closed.wait()
        assert application.finished == 1


async def test_what_does_not_finish_is_waited_for_no_longer_than_said() -> None:
    application = Application()
    async with closing(Gate(application), 0) as closed:
        await closed.wait()
        assert application.finished == 0
        application.held.set()


async def test_nothing_new_is_let_in() -> None:
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


async def test_a_gate_with_nobody_inside_closes_at_once() -> None:
    application = Application()
    application.held.set()
    gate = Gate(application)
    await ask(gate)
    await gate.close(600)
    assert (await ask(gate))[0]["status"] == 503


async def test_the_life_of_the_application_is_none_of_the_gate_s_business() -> None:
    gate = Gate(Application())
    await gate.close(600)
    assert await ask(gate, "lifespan") == [{"type": "lifespan.answer"}]
