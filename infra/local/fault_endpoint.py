"""`/_faults`: the page chooses a fault. The emulator injects the faults of S3, and the gateway the lost response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import msgspec

from infra.local.asgi_messages import read_body, send_problem, send_response
from infra.local.faults import FAULTS_PATH, Fault, FaultChoice, Injection
from infra.local.processes import read_process_ids

if TYPE_CHECKING:
    from pathlib import Path

    from litestar.types import HTTPScope, Receive, Send

SECONDS = 30
"""Time limit of a call to the emulator."""
CONFIRM_SUFFIX = "/confirm"


class FaultEndpoint:
    """An ASGI application that passes the choice to the emulator.

    `transport`: the gateway's. `folder`: that of the processes' ids.
    """

    def __init__(self, emulator: str, transport: httpx2.AsyncHTTPTransport, folder: Path) -> None:
        self._url = emulator + FAULTS_PATH
        self._transport = transport
        self._folder = folder
        self._fault: Fault | None = None

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        body = b"".join([chunk async for chunk in read_body(receive)])
        try:
            choice = msgspec.json.decode(body, type=FaultChoice) if scope["method"] == "POST" else None
            shown = await (self._choose(choice.fault) if choice else self._call("GET"))
        except msgspec.ValidationError as error:
            await send_problem(send, 400, "invalid-request", str(error))
        except msgspec.DecodeError:
            await send_problem(send, 400, "invalid-request", "The body is not valid JSON")
        except httpx2.TransportError:
            await send_problem(send, 503, "unavailable", "The emulator is unavailable; try again in a moment")
        else:
            await send_response(send, 200, [(b"content-type", b"application/json")], msgspec.json.encode(shown))

    async def lose(self, scope: HTTPScope, response: httpx2.Response) -> bool:
        """Whether the client must not get this response of a service. It is the only one, and has been read then."""
        is_chosen = (
            self._fault is Fault.LOST_RESPONSE
            and scope["method"] == "POST"
            and scope["path"].endswith(CONFIRM_SUFFIX)
            and response.is_success
        )
        # A reset lifts the fault in the emulator.
        is_lost = is_chosen and (await self._call("GET")).fault is Fault.LOST_RESPONSE
        if is_lost:
            await response.aread()
            await self._choose(None)
        return is_lost

    async def _choose(self, fault: Fault | None) -> FaultChoice:
        ids = read_process_ids(self._folder, "uploads*") if fault is Fault.KILL_AFTER_COPY else []
        chosen = await self._call("POST", msgspec.json.encode(Injection(fault, ids)))
        self._fault = chosen.fault
        return chosen

    async def _call(self, method: str, body: bytes | None = None) -> FaultChoice:
        request = httpx2.Request(
            method,
            self._url,
            headers={"content-type": "application/json"},
            content=body,
            extensions={"timeout": httpx2.Timeout(SECONDS).as_dict()},
        )
        response = await self._transport.handle_async_request(request)
        try:
            return msgspec.json.decode(await response.aread(), type=FaultChoice)
        finally:
            await response.aclose()
