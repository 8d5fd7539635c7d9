"""Runs a service's application under uvicorn."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import uvicorn
from litestar.exceptions import HTTPException

from services.environment import InvalidSettingsError, Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from litestar import Litestar, Request

GRACE_SECONDS = 10
"""How long requests that have begun may take to finish once the process is told to stop."""


HANDLER_THREADS = 40
"""Requests that wait for AWS at once; asyncio's own default follows the CPUs, of which a small task has one."""


async def widen_threads() -> None:
    """To be run when an application starts, in its event loop."""
    threads = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="handler")
    asyncio.get_running_loop().set_default_executor(threads)


async def require_json(request: Request[Any, Any, Any]) -> None:
    """To be run before each request: a body is JSON and says so, which no plain form of another site can do."""
    has_body = request.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in request.headers
    if has_body and request.content_type[0] != "application/json":
        raise HTTPException("The body must be application/json.", status_code=415)


def serve(kind: type[Settings], environ: Mapping[str, str], create_app: Callable[[Settings], Litestar]) -> None:
    """Serve until SIGTERM or SIGINT. A wrong setting ends the process with one line and status 1."""
    try:
        settings = read_settings(kind, environ)
    except InvalidSettingsError as error:
        sys.exit(str(error))
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        # The load balancer alone speaks to us; what it says of the client is believed from its addresses only.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
