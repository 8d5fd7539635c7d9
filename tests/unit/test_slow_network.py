"""The emulator's slow network, with a clock that only records the pauses."""

from __future__ import annotations

import asyncio
from typing import Any

from infra.local.emulator.faults import BYTES_PER_SECOND, LATENCY_SECONDS, FaultyAws
from infra.local.faults import Fault

FORM: Any = {"method": "POST", "headers": [(b"content-type", b"multipart/form-data; boundary=x")]}
SIGNED_CALL: Any = {"method": "PUT", "headers": []}


def test_a_slow_network_delays_forms_by_their_size_and_no_other_call() -> None:
    pauses: list[float] = []
    received: list[bytes] = []

    async def ministack(_scope: Any, receive: Any, _send: Any) -> None:
        received.append((await receive())["body"])

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * (3 * BYTES_PER_SECOND), "more_body": False}

    async def send(_message: Any) -> None:
        pass

    aws = FaultyAws(ministack, pause)
    asyncio.run(aws(FORM, receive, send))
    aws.inject(Fault.SLOW_NETWORK)
    asyncio.run(aws(SIGNED_CALL, receive, send))
    assert pauses == []
    asyncio.run(aws(FORM, receive, send))
    asyncio.run(aws(FORM, receive, send))
    assert pauses == [LATENCY_SECONDS, 3] * 2
    aws.inject(None)
    asyncio.run(aws(FORM, receive, send))
    assert len(pauses) == 4
    assert [len(body) for body in received] == [3 * BYTES_PER_SECOND] * 5
