"""Runs the jobs, so many at once, while things go wrong."""

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
"""Of one worker: more than a job makes calls at once."""

WATCH_SECONDS = 0.5

_tls = ssl.create_default_context()
"""One for all clients, since it takes long to make; there is no TLS here to use it."""


@dataclass
class Drive:
    origin: str
    shared: Shared
    files: Files
    jobs: Iterator[Job]
    uploads: int
    """How many there are to be in all."""
    at_once: int
    seconds: float
    """After so many no job is begun any more."""
    killer: Killer
    kills: Sequence[float]
    """How many uploads there are to be at each."""
    took: float = 0
    """Seconds, without logging in."""

    async def run(self, usernames: Sequence[str]) -> bool:
        """Whether it came to its end; a signal ends it early.

        Raises:
            ProcessError: a part of the system ended by itself.
        """
        running = asyncio.create_task(self._run(usernames))
        loop = asyncio.get_running_loop()
        for told in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(told, running.cancel)
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
        """Among as many workers as there are to be."""

        async def serve() -> None:
            # Connections of its own, since a pool looks at each of its connections for each request.
            limits = httpx2.Limits(max_connections=CONNECTIONS)
            async with httpx2.AsyncClient(
                base_url=self.origin, timeout=TIMEOUT_SECONDS, limits=limits, verify=_tls
            ) as http:
                await work(Client(http, self.shared))

        async with asyncio.TaskGroup() as group:
            for _ in range(self.at_once):
                group.create_task(serve())

    async def _watch(self) -> None:
        """Show how far it has come, on a terminal.

        Raises:
            ProcessError: a process ended that nobody killed.
        """
        counts = self.shared.counts
        with tqdm(total=self.uploads, desc="uploads", unit="", disable=None, leave=False) as bar:
            while (process := self.killer.find_ended()) is None:
                bar.update(counts.uploads - bar.n)
                bar.set_postfix(violations=len(counts.violations), refresh=False)
                await asyncio.sleep(WATCH_SECONDS)
        raise ProcessError(f"{process.name} ended by itself: {process.last_words}")
