"""Runs the application of a service with uvicorn."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import uvicorn
from botocore.exceptions import BotoCoreError

from services.settings.environment import ForService, InvalidSettingsError, read_settings
from services.web.allowed_addresses import AllowedAddresses
from services.web.connection import MAX_HEAD_BYTES, Connection
from services.web.cross_origin import CrossOrigin
from services.web.gate import Gate
from services.web.logging import RequestLog, set_up_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litestar import Litestar
    from litestar.types import BeforeMessageSendHookHandler, Message, Scope

GRACE_SECONDS = 10
"""How long running requests may take to finish after SIGTERM. ECS sends SIGKILL later (`stopTimeout`)."""

HANDLER_THREADS = 40
"""Number of threads for route handlers that wait for AWS. asyncio's default depends on the number of CPUs, and a small
task has one.
"""


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


class Server(uvicorn.Server):
    """Keeps its port open while running requests finish. A load balancer understands a 503 better than a refused
    connection.
    """

    def __init__(self, config: uvicorn.Config, gate: Gate, grace_seconds: float) -> None:
        super().__init__(config)
        self._gate = gate
        self._grace_seconds = grace_seconds

    async def main_loop(self) -> None:
        await super().main_loop()
        self._gate.is_closed = True
        # These include the background tasks that run after a response, such as deletions.
        if running := set(self.server_state.tasks):
            await asyncio.wait(running, timeout=self._grace_seconds)


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
    networks, origins = settings.parse_networks(), settings.other_origins
    gate = Gate(AllowedAddresses(application, networks) if networks else application)
    config = uvicorn.Config(
        # Pages of other origins can also read the responses of the gate.
        RequestLog(CrossOrigin(gate, origins) if origins else gate, service),
        host=settings.host,
        port=settings.port,
        http=Connection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        # `services.web.rate_limits` finds the client's address. No other code needs it.
        proxy_headers=False,
        # Longer than the load balancer's idle timeout (60 s), so that it never reuses a connection that is closing.
        timeout_keep_alive=75,
        # `Server` has waited before. uvicorn cancels requests that are still running.
        timeout_graceful_shutdown=1,
    )
    Server(config, gate, grace_seconds).run()
