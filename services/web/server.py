"""Runs a service's application under uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import uvicorn
from botocore.exceptions import BotoCoreError

from services.settings.environment import ForService, InvalidSettingsError, read_settings
from services.web.connection import Connection
from services.web.logging import RequestLog, set_up_logging
from services.web.request_context import annotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litestar import Litestar
    from litestar.types import BeforeMessageSendHookHandler, Message
    from litestar.types import Scope as LitestarScope
    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

GRACE_SECONDS = 10
"""How long what has begun may take to finish once the process is told to stop; ECS kills after 30 s of its own."""

HANDLER_THREADS = 40
"""Requests that wait for AWS at once; asyncio's own default follows the CPUs, of which a small task has one."""

API_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""For answers that are no pages: whatever a browser makes of them, nothing in them runs and nobody frames them."""


async def widen_threads() -> None:
    """To be run when an application starts, in its event loop."""
    threads = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="handler")
    asyncio.get_running_loop().set_default_executor(threads)


def send_always(headers: Mapping[str, str]) -> BeforeMessageSendHookHandler:
    """For `before_send`: these headers go with every answer, problems and static files among them."""
    always = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def add_headers(message: Message, _: LitestarScope) -> None:
        if message["type"] == "http.response.start":
            sent = message.get("headers", [])
            names = {name for name, _ in sent}
            message["headers"] = [*sent, *(header for header in always if header[0] not in names)]

    return add_headers


class Gate:
    """An ASGI application around another one. Once it is closing it lets nothing new in: every request, that for the
    health among them, is answered 503, so that a load balancer sends the next one elsewhere.
    """

    def __init__(self, application: ASGI3Application) -> None:
        self._application = application
        self._inside = 0
        self._closing = False
        self._empty = asyncio.Event()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif self._closing:
            await _turn_away(send)
        else:
            self._inside += 1
            try:
                # What follows an answer, such as deleting what it left over, is a part of this call.
                await self._application(scope, receive, send)
            finally:
                self._inside -= 1
                if not self._inside:
                    self._empty.set()

    async def close(self, seconds: float) -> None:
        """Return when what is inside has finished, or after so many seconds."""
        self._closing = True
        self._empty.clear()
        if self._inside:
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._empty.wait(), seconds)


class _Server(uvicorn.Server):
    """Keeps listening while it finishes what has begun: a refused connection would tell a load balancer less."""

    def __init__(self, config: uvicorn.Config, gate: Gate, grace_seconds: float) -> None:
        super().__init__(config)
        self._gate = gate
        self._grace_seconds = grace_seconds

    async def main_loop(self) -> None:
        await super().main_loop()
        await self._gate.close(self._grace_seconds)


async def _turn_away(send: ASGISendCallable) -> None:
    annotate(problem="unavailable")
    title = "The service is stopping; another one takes its place"
    problem = {"type": "urn:problem:unavailable", "status": 503, "title": title, "detail": title}
    headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"1"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode(), "more_body": False})


def serve(
    service: str,
    kind: type[ForService],
    environ: Mapping[str, str],
    create_app: Callable[[ForService], Litestar],
    grace_seconds: float = GRACE_SECONDS,
) -> None:
    """Serve until SIGTERM or SIGINT, and then finish what has begun. A wrong setting, and a region or credentials that
    boto3 doesn't find, end the process with one line and status 1.
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
    gate = Gate(application)  # pyright: ignore[reportArgumentType] - Litestar spells ASGI's types its own way
    config = uvicorn.Config(
        RequestLog(gate, service),
        host=settings.host,
        port=settings.port,
        http=Connection,
        access_log=False,
        log_config=None,
        server_header=False,
        # The load balancer alone speaks to us; what it says of the client is believed from its addresses only.
        proxy_headers=False,
        # Longer than the load balancer keeps an idle one (60 s), or it would send a request into one that is closing.
        timeout_keep_alive=75,
        # The gate has waited already; what is not done by now is cut off.
        timeout_graceful_shutdown=1,
    )
    _Server(config, gate, grace_seconds).run()
