"""The emulator's clock, and a job that runs at its midnights."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from infra.local.emulator.lifecycle import round_up_to_midnight

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MAX_AHEAD = timedelta(days=400)
"""How far the clock can be moved ahead. Dates that are computed from it must not overflow."""


class TooFarAheadError(Exception):
    """The clock would be more than `MAX_AHEAD` ahead."""


@dataclass
class Clock:
    """The time of S3, for objects and lifecycle rules. It can be moved ahead, and set back to the real time."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, by: timedelta) -> None:
        """
        Raises:
            TooFarAheadError: the clock is unchanged.
        """
        ahead = self.ahead + max(by, timedelta())
        if ahead > MAX_AHEAD:
            raise TooFarAheadError(f"The clock can be at most {MAX_AHEAD.days} days ahead.")
        self.ahead = ahead

    def reset(self) -> None:
        self.ahead = timedelta()


async def run_daily(
    clock: Clock, job: Callable[[], object], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> NoReturn:
    """Run the job at each midnight UTC of the clock. Moving the clock does not shorten a wait that has begun."""
    while True:
        now = clock.now()
        await sleep((round_up_to_midnight(now + timedelta(microseconds=1)) - now).total_seconds())
        job()
