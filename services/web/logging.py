"""Logs to standard output: one line of JSON for each request, each warning and each error."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from litestar.enums import ScopeType

from services.web.request_context import REQUEST_ID_HEADER, RequestContext, begin_context, find_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

HEALTH_PATHS = frozenset({"/healthz", "/auth/healthz", "/uploads/healthz"})
"""Requests to these paths are not logged. A load balancer sends one every few seconds."""

MAX_METHOD_LENGTH = 20
"""Maximum number of characters of a method that are logged."""

MAX_PATH_LENGTH = 512
"""Maximum number of characters of a path that are logged, so that clients can't make lines arbitrarily long."""

SERVER_ERROR = 500

_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
_write_lock = threading.Lock()


def write_line(line: str) -> None:
    """Write to standard output without Python's buffer and in one call, so that lines of several threads do not mix."""
    # A request must not fail because its line can't be written. The lock is for lines longer than what a pipe writes
    # atomically (POSIX: PIPE_BUF), such as those with a traceback.
    with contextlib.suppress(OSError), _write_lock:
        os.write(sys.stdout.fileno(), f"{line}\n".encode())


class RequestLine(msgspec.Struct, frozen=True, omit_defaults=True):
    time: datetime
    level: str
    service: str
    request_id: str
    method: str
    path: str
    """The path without the query, which may contain a signature."""
    status: int
    duration_ms: float
    """Time until the end of the response was passed to the server."""
    username: str | None = None
    problem: str | None = None


_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class RequestLog:
    """ASGI middleware that gives each request an id, returns it in a header of the response, and logs the request.

    The line is written before the end of the response is sent, so a client that has the response can find the line.
    """

    application: ASGIApp
    service: str
    write: Callable[[str], object] = write_line
    clock: Callable[[], float] = time.time
    stopwatch: Callable[[], float] = time.perf_counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.application(scope, receive, send)
            return
        started = self.stopwatch()
        context = begin_context(_read_request_id(scope))
        id_header = (_REQUEST_ID, context.request_id.encode())
        # uvicorn responds with this status if the application fails before its response starts.
        status = SERVER_ERROR
        is_written = scope["path"] in HEALTH_PATHS

        async def send_and_log(message: Message) -> None:
            nonlocal status, is_written
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), id_header]
            elif message["type"] == "http.response.body" and not message.get("more_body", False) and not is_written:
                is_written = True
                self._write(scope, context, status, started)
            await send(message)

        try:
            await self.application(scope, receive, send_and_log)
        finally:
            if not is_written:
                self._write(scope, context, status, started)

    def _write(self, scope: HTTPScope, context: RequestContext, status: int, started: float) -> None:
        line = RequestLine(
            datetime.fromtimestamp(self.clock(), UTC),
            "error" if status >= SERVER_ERROR else "info",
            self.service,
            context.request_id,
            scope["method"][:MAX_METHOD_LENGTH],
            scope["path"][:MAX_PATH_LENGTH],
            status,
            round((self.stopwatch() - started) * 1000, 3),
            context.username,
            context.problem,
        )
        self.write(_encode(line).decode())


def _read_request_id(scope: HTTPScope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == _REQUEST_ID), "")


class JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        context = find_context()
        line: dict[str, Any] = {
            # The same format as in `RequestLine`.
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "service": self._service,
            **({"request_id": context.request_id} if context else {}),
            "logger": record.name,
            "message": record.getMessage(),
            **({"exception": self.formatException(record.exc_info)} if record.exc_info else {}),
        }
        return json.dumps(line)


class LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            write_line(self.format(record))
        except Exception:  # noqa: BLE001 - like every handler of the standard library: logging must not raise
            self.handleError(record)


def set_up_logging(service: str) -> None:
    """Log warnings and errors of the whole process as JSON, including Python's warnings and an uncaught exception."""
    handler = LineHandler()
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logger.critical("The service stopped because of an uncaught exception", exc_info=(kind, error, traceback))
