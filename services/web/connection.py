"""A connection of uvicorn's, with the bounds that it leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

REQUEST_SECONDS = 10
"""How long a request may take to come in, from its first byte to its last. It has no more than a few kilobytes."""

MAX_HEAD_BYTES = 65_536
"""Of a request's line and headers, as much as a load balancer lets through (AWS: "Quotas for your Application Load
Balancers")."""


class Connection(HttpToolsProtocol):
    """Sets the bounds that uvicorn leaves open: to the size of a request's head, and to the time it may trickle in."""

    _head = 0
    _in_head = True
    _end: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._end is None:
            self._end = self.loop.call_later(REQUEST_SECONDS, self.transport.close)
        if self._in_head:
            self._head += len(data.partition(b"\r\n\r\n")[0])
            if self._head > MAX_HEAD_BYTES:
                self.send_400_response("The request's head is too large.")
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head, self._in_head = 0, True
        self._stop_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _stop_clock(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
