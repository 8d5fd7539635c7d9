"""`POST /_sweep` and `POST /_reset`: commands on demand, which only the local system offers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from infra.local.asgi_messages import read_body, send_problem, send_response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from litestar.types import HTTPScope, Receive, Send

logger = logging.getLogger(__name__)

SWEEP_PATH = "/_sweep"
RESET_PATH = "/_reset"
RUN_MODULE = (sys.executable, "-m", "infra.local.child_process")
COMMANDS = {
    SWEEP_PATH: (*RUN_MODULE, "infra.local.sweep_command"),
    RESET_PATH: (*RUN_MODULE, "infra.local.reset_command"),
}
MAX_SECONDS = 300
"""Maximum duration of a command. The emulator needs about ten seconds for a thousand objects that a sweep reads."""
MAX_BODY_BYTES = 100


class CommandError(Exception):
    """The body was refused or the command failed. The response is this problem."""

    def __init__(self, status: int, slug: str, title: str) -> None:
        super().__init__(title)
        self.status = status
        self.slug = slug
        self.title = title


@dataclass(slots=True)
class CommandEndpoint:
    """An ASGI application that runs a command for each request, one at a time. It responds with the command's output,
    which is JSON. Endpoints with the same `running` run one command at a time among them.

    A request waits for a running command and then starts its own, so that its report covers all changes before it.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    """Variables of the process, in addition to those of this one."""
    max_seconds: float = MAX_SECONDS
    running: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, _scope: HTTPScope, receive: Receive, send: Send) -> None:
        try:
            await _check_body(receive)
            async with self.running:
                report = await self._run()
        except CommandError as error:
            await send_problem(send, error.status, error.slug, error.title)
        else:
            await send_response(send, 200, [(b"content-type", b"application/json")], report)

    async def _run(self) -> bytes:
        """
        Raises:
            CommandError: the command failed or took too long. Its error messages are in the gateway's log.
        """
        process = await asyncio.create_subprocess_exec(
            *self.command, stdin=PIPE, stdout=PIPE, env={**os.environ, **self.environ}
        )
        assert process.stdin  # noqa: S101 - for the type checker
        assert process.stdout  # noqa: S101 - for the type checker
        try:
            async with asyncio.timeout(self.max_seconds):
                report = await process.stdout.read()
                status = await process.wait()
        except TimeoutError:
            logger.warning("The %s took longer than %s s", self.name, self.max_seconds)
            raise CommandError(504, f"{self.name}-timeout", f"The {self.name} took too long and was stopped") from None
        finally:
            if process.returncode is None:
                # A command can be killed at any moment; the next one does the rest.
                process.kill()
                await process.wait()
            process.stdin.close()
        if status:
            logger.warning("The %s ended with status %s", self.name, status)
            raise CommandError(500, f"{self.name}-failed", f"The {self.name} failed")
        return report


async def _check_body(receive: Receive) -> None:
    """Accept only an empty body, since a command takes no parameters.

    Raises:
        CommandError: the body is not empty.
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
        raise CommandError(400, "invalid-request", "The body must be empty, or an empty object")
