"""uvicorn's HTTP connection on the parser h11, with a time limit for each request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.web.problem_response import MALFORMED

if TYPE_CHECKING:
    import asyncio

REQUEST_SECONDS = 10
"""Maximum time from the first byte of a request to its last. A valid request has a few kilobytes."""

MAX_HEAD_BYTES = 65_536
"""Maximum size of the request line and headers, and of the trailers, bytes: for uvicorn's setting
`h11_max_incomplete_event_size`. An Application Load Balancer has the same limit (AWS: "Quotas for your Application Load
Balancers")."""


class Connection(H11Protocol):
    """Limits the time in which a request must arrive, which uvicorn has no setting for, and responds to invalid HTTP
    with problem details.
    """

    _timeout: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] - as in uvicorn
        super().connection_made(transport)
        # uvicorn starts this timeout after a response only.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        # Anything after a request with `Connection: close` is ignored. uvicorn would respond 400 in place of the
        # application.
        if self.conn.their_state not in {h11.MUST_CLOSE, h11.CLOSED, h11.ERROR}:
            super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        state = self.conn.their_state
        is_arriving = state is h11.SEND_BODY or (state is h11.IDLE and bool(self.conn.trailing_data[0]))
        if not is_arriving:
            self._cancel_timeout()
        elif self._timeout is None:
            self._timeout = self.loop.call_later(REQUEST_SECONDS, self.transport.close)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the signature of uvicorn
        """Close the connection, after a response unless there is one already."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            headers = b"".join(b"%s: %s\r\n" % header for header in MALFORMED.encoded_headers)
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + headers + b"\r\n" + MALFORMED.body)
        if self.cycle is not None:  # pyright: ignore[reportUnnecessaryComparison] - it is None before the first request
            # The application must not respond as well.
            self.cycle.disconnected = True
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timeout()
        super().connection_lost(exc)

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade is optional (RFC 9110, section 7.8), and clients such as the JDK's ask for one by default."""

    def _cancel_timeout(self) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
