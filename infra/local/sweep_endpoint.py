"""`POST /_sweep`: a sweep on demand, which only the local system offers. A deployment sweeps every hour."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING

from infra.local.asgi_messages import read_body, send_problem, send_response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar.types import HTTPScope, Receive, Send

logger = logging.getLogger(__name__)

SWEEP_PATH = "/_sweep"
COMMAND = (sys.executable, "-m", "infra.local.child_process", "infra.local.sweep_command")
MAX_SECONDS = 300
"""Maximum duration of a sweep. The emulator needs about ten seconds for a thousand objects that the sweep reads."""
MAX_BODY_BYTES = 100


class SweepError(Exception):
    """The body was refused or the sweep failed. The response is this problem."""

    def __init__(self, status: int, slug: str, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.slug = slug
        self.title = title


class SweepEndpoint:
    """An ASGI application that runs each sweep in a process, one at a time.

    A request waits for a running sweep and then starts its own, so that its report covers all changes before it.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        command: Sequence[str] = COMMAND,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        """`environ`: variables of the process, in addition to those of this one."""
        self._environ = environ
        self._command = command
        self._max_seconds = max_seconds
        self._sweeping = asyncio.Lock()

    async def __call__(self, _scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            await _check_body(receive)
            async with self._sweeping:
                report = await self._sweep()
        except SweepError as error:
            await send_problem(send, error.status, error.slug, error.title)
        else:
            await send_response(send, 200, [(b"content-type", b"application/json")], report)

    async def _sweep(self) -> bytes:
        """
        Raises:
            SweepError: the sweep failed or took too long. Its error messages are in the gateway's log.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, env={**os.environ, **self._environ}
        )
        assert process.stdin  # noqa: S101 - for the type checker
        assert process.stdout  # noqa: S101 - for the type checker
        try:
            async with asyncio.timeout(self._max_seconds):
                report = await process.stdout.read()
                status = await process.wait()
        except TimeoutError:
            logger.warning("The sweep took longer than %s s", self._max_seconds)
            raise SweepError(504, "sweep-timeout", "The sweep took too long and was stopped") from None
        finally:
            if process.returncode is None:
                # A sweep can be killed at any moment; the next one does the rest.
                process.kill()
                await process.wait()
            process.stdin.close()
        if status:
            logger.warning("The sweep ended with status %s", status)
            raise SweepError(500, "sweep-failed", "The sweep failed")
        return report


async def _check_body(receive: Receive) -> None:
    """Accept only an empty body, since a sweep takes no parameters.

    Raises:
        SweepError: the body is not empty.
    """
    body = b""
    async for chunk in read_body(receive):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    try:
        is_empty = json.loads(body or b"{}") == {}
    except ValueError:
        is_empty = False
    if not is_empty:
        raise SweepError(400, "invalid-request", "The body must be empty, or an empty object")
