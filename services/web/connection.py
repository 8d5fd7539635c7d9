"""An HTTP connection with limits that uvicorn does not have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

REQUEST_SECONDS = 10
"""Maximum time from the first byte of a request to its last. A valid request has a few kilobytes."""

MAX_HEAD_BYTES = 65_536
"""Maximum size of the request line and headers, bytes. An Application Load Balancer has the same limit (AWS: "Quotas
for your Application Load Balancers")."""


class Connection(HttpToolsProtocol):
    """Limits the size of a request's line and headers, and the time in which the whole request must arrive."""

    _head_bytes = 0
    _in_head = True
    _timeout: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        if self._timeout is None:
            self._timeout = self.loop.call_later(REQUEST_SECONDS, self.transport.close)
        if self._in_head:
            self._head_bytes += len(data.partition(b"\r\n\r\n")[0])
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response("The request line and headers are too large.")
                return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._head_bytes, self._in_head = 0, True
        self._cancel_timeout()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timeout()
        super().connection_lost(exc)

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
