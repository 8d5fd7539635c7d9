"""Runs the application of a service with uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec
import uvicorn
from botocore.exceptions import BotoCoreError
from litestar.enums import ScopeType

from services.settings.environment import ForService, InvalidSettingsError, read_settings
from services.web.connection import Connection
from services.web.logging import RequestLog, set_up_logging
from services.web.problems import MEDIA_TYPE, UNAVAILABLE, ProblemDetails
from services.web.request_context import annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litestar import Litestar
    from litestar.types import ASGIApp, BeforeMessageSendHookHandler, Message, Receive, Scope, Send

GRACE_SECONDS = 10
"""How long running requests may take to finish after SIGTERM. ECS sends SIGKILL later (`stopTimeout`)."""

HANDLER_THREADS = 40
"""Number of threads for route handlers that wait for AWS. asyncio's default depends on the number of CPUs, and a small
task has one.
"""

API_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of a service without pages: a browser runs nothing in the responses and shows them in no frame."""


async def enlarge_thread_pool() -> None:
    """An `on_startup` hook: gives the event loop an executor with `HANDLER_THREADS` threads."""
    threads = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="handler")
    asyncio.get_running_loop().set_default_executor(threads)


def send_always(headers: Mapping[str, str]) -> BeforeMessageSendHookHandler:
    """Make a `before_send` hook that adds these headers to every response, unless the response sets them."""
    always = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def add_headers(message: Message, _: Scope) -> None:
        if message["type"] == "http.response.start":
            sent = message.get("headers", [])
            names = {name for name, _ in sent}
            message["headers"] = [*sent, *(header for header in always if header[0] not in names)]

    return add_headers


class Gate:
    """ASGI middleware that rejects new requests once it is closed, and waits for those that are running.

    It responds to every new request with 503, also to health checks, so that a load balancer uses another task.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._running = 0
        self._closed = False
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._application(scope, receive, send)
        elif self._closed:
            await _send_unavailable(send)
        else:
            self._running += 1
            try:
                # This call includes the background tasks that run after the response, such as deletions.
                await self._application(scope, receive, send)
            finally:
                self._running -= 1
                if not self._running:
                    self._idle.set()

    async def close(self, seconds: float) -> None:
        """Reject new requests, and return when the running ones have finished or this time is over."""
        self._closed = True
        self._idle.clear()
        if self._running:
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)


class _Server(uvicorn.Server):
    """Keeps its port open while running requests finish. A load balancer understands a 503 better than a refused
    connection.
    """

    def __init__(self, config: uvicorn.Config, gate: Gate, grace_seconds: float) -> None:
        super().__init__(config)
        self._gate = gate
        self._grace_seconds = grace_seconds

    async def main_loop(self) -> None:
        await super().main_loop()
        await self._gate.close(self._grace_seconds)


async def _send_unavailable(send: Send) -> None:
    annotate(problem=UNAVAILABLE.slug)
    details = ProblemDetails(
        type=UNAVAILABLE.urn,
        status=UNAVAILABLE.status,
        title=UNAVAILABLE.title,
        detail="This task is stopping. Try again.",
    )
    headers = {"Content-Type": MEDIA_TYPE, "Connection": "close"} | UNAVAILABLE.headers
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": UNAVAILABLE.status, "headers": encoded})
    await send({"type": "http.response.body", "body": msgspec.json.encode(details), "more_body": False})


def serve(
    service: str,
    kind: type[ForService],
    environ: Mapping[str, str],
    create_app: Callable[[ForService], Litestar],
    grace_seconds: float = GRACE_SECONDS,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish running requests. If a setting is invalid, or boto3 finds no region or
    no credentials, the process exits with status 1 and prints one line.
    """
    try:
        settings = read_settings(kind, environ)
    except InvalidSettingsError as error:
        sys.exit(str(error))
    set_up_logging(service)
    try:
        application = create_app(settings)
    except BotoCoreError as error:
        sys.exit(str(error))
    gate = Gate(application)
    config = uvicorn.Config(
        RequestLog(gate, service),
        host=settings.host,
        port=settings.port,
        http=Connection,
        access_log=False,
        log_config=None,
        server_header=False,
        # `services.web.rate_limits` finds the client's address. No other code needs it.
        proxy_headers=False,
        # Longer than the load balancer's idle timeout (60 s), so that it never reuses a connection that is closing.
        timeout_keep_alive=75,
        # `Gate.close` has waited before. uvicorn cancels requests that are still running.
        timeout_graceful_shutdown=1,
    )
    _Server(config, gate, grace_seconds).run()
