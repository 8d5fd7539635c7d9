"""Sweeps once, at the time of the emulator's clock, and prints a report in JSON: `python -m infra.local.sweep_command`.

It reads the same environment variables as `services.uploads.sweep`.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx2
import msgspec

from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from services.settings.environment import read_settings
from services.uploads.sweep.__main__ import THREADS, make_sweeper
from services.uploads.sweep.report import MEANINGS, NAMED, Outcome
from services.uploads.sweep.settings import Settings

if TYPE_CHECKING:
    from services.uploads.sweep.report import Report


class OutcomeReport(msgspec.Struct, frozen=True):
    outcome: str
    count: int
    meaning: str
    names: list[str]
    """The first names: keys of objects, and `user -> key` of rows."""


class SweepReport(msgspec.Struct, frozen=True):
    now: datetime
    """Start of the sweep, by the emulator's clock."""
    rows: int
    outcomes: list[OutcomeReport]
    """The outcomes that occurred: first those whose names the sweep reports."""
    needs_attention: bool


def main() -> None:
    logging.basicConfig(format="%(message)s")
    now = time.time() + read_seconds_ahead(os.environ["AWS_ENDPOINT_URL"])
    with ThreadPoolExecutor(THREADS) as executor:
        report = make_sweeper(read_settings(Settings, os.environ), executor, lambda: now, full=True).sweep()
    sys.stdout.buffer.write(msgspec.json.encode(explain(report, datetime.fromtimestamp(now, UTC))))


def read_seconds_ahead(emulator: str) -> float:
    """How far the emulator's clock was moved ahead, in seconds."""
    clock = httpx2.get(emulator + LIFECYCLE_PATH).raise_for_status().json()
    return clock["days_ahead"] * 86_400


def explain(report: Report, now: datetime) -> SweepReport:
    outcomes = [
        OutcomeReport(outcome, report.counts[outcome], MEANINGS[outcome], report.names.get(outcome, []))
        for outcome in sorted(Outcome, key=lambda outcome: outcome not in NAMED)
        if report.counts[outcome]
    ]
    return SweepReport(now, report.rows, outcomes, report.needs_attention)


if __name__ == "__main__":
    main()
