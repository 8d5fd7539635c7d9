"""Random faults during the soak: failing calls to AWS, and kills of the uploads service."""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.soak.proxy import Effect, Kind, When, is_possible

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from infra.local.processes import Process, Processes

CALLS = frozenset({"GetObject", "GetItem", "CopyObject", "UpdateItem", "DeleteObjects"})
"""The calls to AWS that a confirm makes."""

POST = "PostObject"
"""The client's POST of a form."""

POST_SHARE = 0.25
"""Share of the fault rate that applies to the POST of a form."""

WEIGHTS = {
    Kind.KILL: 8,
    Kind.DELAY: 6,
    Kind.ERROR_500: 6,
    Kind.SLOW_DOWN: 5,
    Kind.ERROR_IN_200: 5,
    Kind.EMPTY_200: 5,
    Kind.UNREADABLE_200: 5,
    Kind.CUT_AFTER_STATUS: 2,
    Kind.CUT_IN_NAME: 2,
    Kind.CUT_AFTER_HEADERS: 2,
    Kind.HALF: 4,
    # Each of these blocks a thread for three seconds.
    Kind.SILENCE: 1,
    Kind.STALL: 1,
    Kind.LATE: 1,
}

POLL_SECONDS = 0.05


@dataclass
class Faults:
    """Chooses faults for `percent` of the calls, drawing from `dice` in the order of the calls."""

    percent: float
    dice: random.Random
    struck: Counter[Effect] = field(default_factory=Counter[Effect])

    def choose(self, call: str) -> Effect | None:
        effects = _list_effects(call)
        percent = self.percent * POST_SHARE if call == POST else self.percent
        if not effects or self.dice.random() * 100 >= percent:
            return None
        (effect,) = self.dice.choices([*effects], [*effects.values()])
        self.struck[effect] += 1
        return effect


@functools.cache
def _list_effects(call: str) -> Mapping[Effect, int]:
    """The possible faults of a call, with their weights."""
    if call == POST:
        return {(when, Kind.KILL): 1 for when in When}
    if call not in CALLS:
        return {}
    effects = {(when, kind): weight for kind, weight in WEIGHTS.items() for when in When}
    return {effect: weight for effect, weight in effects.items() if is_possible(call, effect)}


@dataclass
class Outages:
    """The periods when the service was down, on the monotonic clock."""

    down: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def begin(self) -> None:
        self.down.append((time.monotonic(), math.inf))

    def end(self) -> None:
        self.down[-1] = (self.down[-1][0], time.monotonic())

    def overlap(self, begun: float, ended: float) -> bool:
        return any(begun <= end and start <= ended for start, end in self.down)


@dataclass
class Killer:
    """Kills the service with SIGKILL and starts it again on the same port."""

    processes: Processes
    environ: Mapping[str, str]
    health: str
    outages: Outages
    current: Process
    killed: list[Process] = field(default_factory=list["Process"])

    async def kill_at(self, moments: Sequence[float], progress: Callable[[], float], ended: asyncio.Event) -> None:
        """Kill the service whenever `progress` reaches a moment, until `ended` is set. It is ready again on return."""
        waiting = [*moments]
        while waiting:
            if progress() >= waiting[0]:
                del waiting[0]
                await self.kill()
            elif ended.is_set():
                break
            await asyncio.sleep(POLL_SECONDS)

    async def kill(self) -> None:
        self.outages.begin()
        self.killed.append(self.current)
        self.current.popen.kill()
        await asyncio.to_thread(self.current.popen.wait)
        # A new log file, so that the log of the killed process is kept.
        self.current = self.processes.start(
            f"uploads-{len(self.killed)}", "services.uploads", health=self.health, environ=self.environ
        )
        await asyncio.to_thread(self.current.wait_until_ready)
        self.outages.end()

    def find_ended(self) -> Process | None:
        """Return a process that ended without being killed, if any."""
        return next(
            (
                process
                for process in self.processes.started
                if process not in self.killed and process.popen.poll() is not None
            ),
            None,
        )
