"""Lets S3 fail as the demo's page has chosen."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from infra.local.faults import Fault
from infra.local.processes import KILL_SIGNAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]

BYTES_PER_SECOND = 128_000
"""Speed of a slow network. The largest picture takes less time than the page waits for progress."""
LATENCY_SECONDS = 1
REFUSED_POSTS = 2
"""How many POSTs S3 refuses. The page posts three times."""
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
"""S3's response with 503 (AWS: "Error responses")."""


class FaultyAws:
    """An ASGI application in front of MiniStack's."""

    def __init__(self, ministack: Any, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._ministack = ministack
        self._sleep = sleep
        self._process_ids: Sequence[int] = ()
        self._posts = 0
        self.fault: Fault | None = None

    def inject(self, fault: Fault | None, process_ids: Sequence[int] = ()) -> None:
        self.fault = fault
        self._process_ids = process_ids
        self._posts = REFUSED_POSTS

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        is_form = scope["method"] == "POST" and headers.get(b"content-type", b"").startswith(b"multipart/form-data")
        if self.fault is Fault.SLOW_NETWORK and is_form:
            await self._sleep(LATENCY_SECONDS)
            await self._ministack(scope, self._slow_down(receive), send)
        elif self.fault is Fault.S3_UNAVAILABLE and is_form:
            await self._refuse(headers, receive, send)
        elif self.fault is Fault.KILL_AFTER_COPY and scope["method"] == "PUT" and b"x-amz-copy-source" in headers:
            await self._kill_after(scope, receive, send)
        else:
            await self._ministack(scope, receive, send)

    async def _refuse(self, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        self._posts -= 1
        if self._posts == 0:
            self.fault = None
        # A response before the end of the body would break the connection.
        while (await receive()).get("more_body"):
            pass
        # A browser hides a response without these headers from the page.
        exposed = (b"access-control-expose-headers", b"ETag")
        allowed = [(b"access-control-allow-origin", headers[b"origin"]), exposed] if b"origin" in headers else []
        shown = [(b"content-type", b"application/xml"), (b"content-length", str(len(SLOW_DOWN)).encode()), *allowed]
        await send({"type": "http.response.start", "status": 503, "headers": shown})
        await send({"type": "http.response.body", "body": SLOW_DOWN})

    async def _kill_after(self, scope: Any, receive: Receive, send: Send) -> None:
        response: list[Any] = []

        async def keep(message: Any) -> None:
            response.append(message)

        await self._ministack(scope, receive, keep)
        if response[0]["status"] != 200:  # noqa: PLR2004
            for message in response:
                await send(message)
            return
        self.fault = None
        for process_id in self._process_ids:
            os.kill(process_id, KILL_SIGNAL)
        while (await receive())["type"] != "http.disconnect":
            pass

    def _slow_down(self, receive: Receive) -> Receive:
        async def receive_slowly() -> Any:
            message = await receive()
            await self._sleep(len(message.get("body", b"")) / BYTES_PER_SECOND)
            return message

        return receive_slowly
