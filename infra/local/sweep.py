"""One sweep, at the time that the emulator's clock shows; what it did and why, in JSON. `python -m infra.local.sweep`

Its environment is that of the real one.
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


class Found(msgspec.Struct, frozen=True):
    outcome: str
    count: int
    meaning: str
    names: list[str]
    """The first ones: keys, and `user -> key` of a row."""


class Swept(msgspec.Struct, frozen=True):
    now: datetime
    """When it began, by the clock that it went by."""
    rows: int
    outcomes: list[Found]
    """Those that there were; what was done comes first, and what was left alone after it."""
    needs_attention: bool


def main() -> None:
    logging.basicConfig(format="%(message)s")
    ahead = read_ahead(os.environ["AWS_ENDPOINT_URL"])
    now = time.time() + ahead
    with ThreadPoolExecutor(THREADS) as executor:
        report = make_sweeper(read_settings(Settings, os.environ), executor, lambda: now).sweep()
    sys.stdout.buffer.write(msgspec.json.encode(explain(report, datetime.fromtimestamp(now, UTC))))


def read_ahead(emulator: str) -> float:
    """By how many seconds S3 is ahead of us, since days were let pass."""
    shown = httpx2.get(emulator + LIFECYCLE_PATH).raise_for_status().json()
    return shown["days_ahead"] * 86_400


def explain(report: Report, now: datetime) -> Swept:
    outcomes = [
        Found(outcome, report.counts[outcome], MEANINGS[outcome], report.names.get(outcome, []))
        for outcome in sorted(Outcome, key=lambda outcome: outcome not in NAMED)
        if report.counts[outcome]
    ]
    return Swept(now, report.rows, outcomes, report.needs_attention)


if __name__ == "__main__":
    main()
