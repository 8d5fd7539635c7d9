"""Runs the jobs concurrently while faults are injected."""

from __future__ import annotations

import asyncio
import signal
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
from tqdm import tqdm

from bench.soak.client import TIMEOUT_SECONDS, Client
from bench.soak.scenarios import play
from infra.local.processes import ProcessError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from bench.soak.chaos import Killer
    from bench.soak.client import Shared
    from bench.soak.files import Files
    from bench.soak.jobs import Job

CONNECTIONS = 8
"""Connections of one worker; more than a job needs at once."""

WATCH_SECONDS = 0.5

_tls = ssl.create_default_context()
"""One TLS context for all clients, because making one is slow. The soak uses plain HTTP."""


@dataclass
class Drive:
    origin: str
    shared: Shared
    files: Files
    jobs: Iterator[Job]
    uploads: int
    """Total number of uploads."""
    at_once: int
    seconds: float
    """Time after which no new job begins."""
    killer: Killer
    kills: Sequence[float]
    """Numbers of uploads at which the service is killed."""
    took: float = 0
    """Duration without the logins, seconds."""

    async def run(self, usernames: Sequence[str]) -> bool:
        """Run all jobs and return whether they were completed. SIGINT and SIGTERM stop them early.

        Raises:
            ProcessError: a process ended without being killed.
        """
        running = asyncio.create_task(self._run(usernames))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, running.cancel)
        await asyncio.wait({running})
        if running.cancelled():
            return False
        running.result()
        return True

    async def _run(self, usernames: Sequence[str]) -> None:
        await self._log_in(usernames)
        begun = time.monotonic()
        watching = asyncio.create_task(self._watch())
        working = asyncio.create_task(self._work(begun + self.seconds))
        try:
            await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            working.result()
        finally:
            self.took = time.monotonic() - begun
            for task in (watching, working):
                task.cancel()
            await asyncio.gather(watching, working, return_exceptions=True)

    async def _log_in(self, usernames: Iterable[str]) -> None:
        waiting = iter(usernames)

        async def work(client: Client) -> None:
            for username in waiting:
                await client.log_in(username)

        await self._share(work)

    async def _work(self, deadline: float) -> None:
        ended = asyncio.Event()
        killing = asyncio.create_task(self.killer.kill_at(self.kills, lambda: self.shared.counts.uploads, ended))

        async def work(client: Client) -> None:
            for job in self.jobs:
                await play(client, job, self.files)
                if time.monotonic() > deadline:
                    return

        await self._share(work)
        ended.set()
        await killing

    async def _share(self, work: Callable[[Client], Awaitable[None]]) -> None:
        """Run as many workers as there are concurrent clients."""

        async def serve() -> None:
            # Each worker has a small pool of its own, because a pool checks all of its connections for each request.
            limits = httpx2.Limits(max_connections=CONNECTIONS)
            async with httpx2.AsyncClient(
                base_url=self.origin, timeout=TIMEOUT_SECONDS, limits=limits, verify=_tls
            ) as http:
                await work(Client(http, self.shared))

        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(serve())

    async def _watch(self) -> None:
        """Show the progress on a terminal.

        Raises:
            ProcessError: a process ended without being killed.
        """
        counts = self.shared.counts
        with tqdm(total=self.uploads, desc="uploads", unit="", disable=None, leave=False) as bar:
            while (process := self.killer.find_ended()) is None:
                bar.update(counts.uploads - bar.n)
                bar.set_postfix(violations=len(counts.violations), refresh=False)
                await asyncio.sleep(WATCH_SECONDS)
        raise ProcessError(process.describe("ended unexpectedly"))
