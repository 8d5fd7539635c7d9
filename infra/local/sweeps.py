"""Sweeps when it is asked to: `POST /_sweep`, which only the local system has. A deployment sweeps every hour."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING

from infra.local.asgi import read_body, send_answer, send_problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope

    from infra.local.asgi import Headers

logger = logging.getLogger(__name__)

SWEEP_PATH = "/_sweep"
COMMAND = (sys.executable, "-m", "infra.local.child", "infra.local.sweep")
SECONDS = 300
"""How long a sweep may take. The emulator needs some ten for each thousand objects that are looked at more closely."""
MOST_BODY_BYTES = 100


class SweepError(Exception):
    """No sweep, or none to its end: what is answered in place of a report."""

    def __init__(self, status: int, slug: str, title: str, headers: Headers | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.slug = slug
        self.title = title
        self.headers = headers or []


class Sweeps:
    """An ASGI application. Each sweep is a process of its own, which has this environment besides ours; they take
    turns, so that a report is always about a sweep that began after it was asked for.
    """

    def __init__(
        self, origin: str, environ: Mapping[str, str], command: Sequence[str] = COMMAND, seconds: float = SECONDS
    ) -> None:
        self._origin = origin
        self._environ = environ
        self._command = command
        self._seconds = seconds
        self._turn = asyncio.Lock()

    async def __call__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            self._check_sender(scope)
            await _check_body(receive)
            async with self._turn:
                report = await self._sweep()
        except SweepError as error:
            await send_problem(send, error.status, error.slug, error.title, error.headers)
        else:
            await send_answer(send, 200, [(b"content-type", b"application/json")], report)

    def _check_sender(self, scope: HTTPScope) -> None:
        """That it is no page of another site: such a one can't send JSON without being asked first (Fetch: "CORS
        protocol"), and says where it is from.
        """
        headers = dict(scope["headers"])
        if scope["method"] != "POST":
            raise SweepError(405, "method-not-allowed", "A sweep is begun by POST", [(b"allow", b"POST")])
        if headers.get(b"origin", self._origin.encode()) != self._origin.encode():
            raise SweepError(403, "foreign-origin", "This call came from another site's page")
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
            raise SweepError(415, "unsupported-media-type", "The body must be application/json")

    async def _sweep(self) -> bytes:
        """
        Raises:
            SweepError: it failed, and what it said of that is in our log; or it took too long.
        """
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, env={**os.environ, **self._environ}
        )
        assert process.stdin  # noqa: S101 - for the type checker: both are pipes
        assert process.stdout  # noqa: S101 - likewise
        try:
            async with asyncio.timeout(self._seconds):
                report = await process.stdout.read()
                status = await process.wait()
        except TimeoutError:
            logger.warning("The sweep took longer than %s s", self._seconds)
            raise SweepError(504, "sweep-timeout", "The sweep took too long and was stopped") from None
        finally:
            if process.returncode is None:
                # At any moment is as good as another.
                process.kill()
                await process.wait()
            process.stdin.close()
        if status:
            logger.warning("The sweep ended with status %s", status)
            raise SweepError(500, "sweep-failed", "The sweep did not come to its end")
        return report


async def _check_body(receive: ASGIReceiveCallable) -> None:
    """That nothing is asked for which it can't do."""
    body = b""
    async for chunk in read_body(receive):
        body += chunk
        if len(body) > MOST_BODY_BYTES:
            break
    try:
        is_empty = json.loads(body or b"{}") == {}
    except ValueError:
        is_empty = False
    if not is_empty:
        raise SweepError(400, "invalid-request", "The body must be empty, or an empty object")
