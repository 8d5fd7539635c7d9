from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.emulator.clock import Clock, TooFarAheadError, run_daily


def test_the_clock_only_moves_ahead() -> None:
    clock = Clock()
    clock.move(timedelta(days=2))
    clock.move(timedelta(days=-5))
    assert clock.ahead == timedelta(days=2)
    assert clock.now() > datetime.now(UTC) + timedelta(days=1)


def test_the_clock_is_at_most_400_days_ahead() -> None:
    clock = Clock()
    clock.move(timedelta(days=399))
    for days in (2, 10**8):
        with pytest.raises(TooFarAheadError):
            clock.move(timedelta(days=days))
    clock.move(timedelta(days=1))
    assert clock.ahead == timedelta(days=400)


@dataclass
class SetClock(Clock):
    moment: datetime = datetime(2026, 11, 22, 21, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment + self.ahead


class EnoughError(Exception):
    pass


def test_the_job_runs_at_every_midnight() -> None:
    clock = SetClock()
    ran: list[datetime] = []

    async def sleep(seconds: float) -> None:
        if len(ran) == 3:
            raise EnoughError
        clock.move(timedelta(seconds=seconds))

    with pytest.raises(EnoughError):
        asyncio.run(run_daily(clock, lambda: ran.append(clock.now()), sleep))
    assert ran == [datetime(2026, 11, day, tzinfo=UTC) for day in (23, 24, 25)]
