"""What a service says on its standard output: a line of JSON for each request, each warning and each error."""

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

from services.web.request_context import REQUEST_ID_HEADER, RequestContext, begin_context, find_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPScope, Scope

logger = logging.getLogger(__name__)

HEALTH_PATHS = frozenset({"/healthz", "/auth/healthz", "/uploads/healthz"})
"""Not logged: a load balancer asks every few seconds."""

LONGEST_PATH = 512
"""Characters of a path that are logged: no caller makes the lines as long as they like."""

SERVER_ERROR = 500

_REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
_writing = threading.Lock()


def write_line(line: str) -> None:
    """To standard output, past Python's buffer and in one write, so that what threads write is never mixed up."""
    # What is told has happened, and must not fail because it could not be told. The lock is for lines that are longer
    # than what a pipe takes undivided (POSIX: PIPE_BUF), such as those with a traceback.
    with contextlib.suppress(OSError), _writing:
        os.write(sys.stdout.fileno(), f"{line}\n".encode())


class RequestLine(msgspec.Struct, frozen=True, omit_defaults=True):
    time: datetime
    level: str
    service: str
    request_id: str
    method: str
    path: str
    """Without the query, which may hold a signature."""
    status: int
    duration_ms: float
    """Until the last of the answer was handed over."""
    username: str | None = None
    problem: str | None = None


_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class RequestLog:
    """An ASGI application around another one: gives each request its id and answers with it, and writes its line.

    The line is written before the end of the answer is sent, so that whoever has the answer finds it.
    """

    application: ASGI3Application
    service: str
    write: Callable[[str], object] = write_line
    clock: Callable[[], float] = time.time
    stopwatch: Callable[[], float] = time.perf_counter

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        begun = self.stopwatch()
        context = begin_context(_find_wanted_id(scope))
        own_header = (_REQUEST_ID, context.request_id.encode())
        # What uvicorn answers for an application that fails before its answer has begun.
        status = SERVER_ERROR
        is_written = scope["path"] in HEALTH_PATHS

        async def send_and_log(message: ASGISendEvent) -> None:
            nonlocal status, is_written
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), own_header]
            elif message["type"] == "http.response.body" and not message.get("more_body", False) and not is_written:
                is_written = True
                self._write(scope, context, status, begun)
            await send(message)

        try:
            await self.application(scope, receive, send_and_log)
        finally:
            if not is_written:
                self._write(scope, context, status, begun)

    def _write(self, scope: HTTPScope, context: RequestContext, status: int, begun: float) -> None:
        line = RequestLine(
            datetime.fromtimestamp(self.clock(), UTC),
            "error" if status >= SERVER_ERROR else "info",
            self.service,
            context.request_id,
            scope["method"],
            scope["path"][:LONGEST_PATH],
            status,
            round((self.stopwatch() - begun) * 1000, 3),
            context.username,
            context.problem,
        )
        self.write(_encode(line).decode())


def _find_wanted_id(scope: HTTPScope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == _REQUEST_ID), "")


class JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        context = find_context()
        line: dict[str, Any] = {
            # In the form of a request's line.
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
        except Exception:  # noqa: BLE001 - as every handler of the standard library does: a log breaks nothing
            self.handleError(record)


def set_up_logging(service: str) -> None:
    """Of the whole process, from warnings upwards: Python's own, too, and the error that ends it."""
    handler = LineHandler()
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_the_end


def _log_the_end(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        logger.critical("The service ended by an error", exc_info=(kind, error, traceback))
