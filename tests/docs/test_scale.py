"""The figures of the sweep in docs/scale.md follow from the code, and from the calls counted on the emulator."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.uploads.sweep.plan import FULL_HOURS, RECENT_SECONDS, REPAIR_SECONDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "scale.md").read_text()
_, _, COSTS = (DOCS / "deploying.md").read_text().partition("| a million uploads |")
RECENT_CALLS, OLDER_CALLS = 2, 1
"""Calls for each avatar, as `tests/integration/test_sweep.py` counts them."""
DOLLARS_PER_CALL = 0.4e-6
HOURS_A_MONTH = 730


def average(hourly: float, full: float) -> float:
    return (hourly * (FULL_HOURS - 1) + full) / FULL_HOURS


@pytest.mark.parametrize("rate", [1, 10, 100])
def test_the_calls_of_a_sweep_are_those_of_the_code(rate: int) -> None:
    hourly = rate * RECENT_SECONDS * RECENT_CALLS
    full = hourly + rate * (REPAIR_SECONDS - RECENT_SECONDS) * OLDER_CALLS
    dollars = average(hourly, full) * HOURS_A_MONTH * DOLLARS_PER_CALL
    row = f"| {rate} | {hourly:,} | {full:,} | {average(hourly, full):,.0f} | {dollars:,.0f} |"
    assert row in PAGE, row


def test_the_reads_of_an_upload_are_those_of_the_code() -> None:
    hourly = RECENT_SECONDS * RECENT_CALLS
    reads = average(hourly, hourly + (REPAIR_SECONDS - RECENT_SECONDS) * OLDER_CALLS) / 3600
    assert f"| sweep: {reads:.1f} reads at 0.40 (see below) | {reads * DOLLARS_PER_CALL * 1e6:.2f} |" in PAGE


@pytest.mark.parametrize("region", [0, 1])
def test_the_costs_of_a_million_uploads_add_up(region: int) -> None:
    table = COSTS.partition("\n\n")[0]
    *costs, total = [
        float(row[region]) for row in re.findall(r"\| \**(?:about )?([\d.]+)\** \| \**(?:about )?([\d.]+)", table)
    ]
    assert len(costs) == table.count("\n") - 2
    assert total == pytest.approx(sum(costs), abs=0.001)


def test_the_pages_state_the_same_cost_of_the_sweep() -> None:
    [(reads, dollars)] = re.findall(r"^\| sweep: \[([\d.]+) reads\].+? \| ([\d.]+) \|", COSTS, flags=re.MULTILINE)
    assert f"| sweep: {reads} reads at 0.40 (see below) | {dollars} |" in PAGE
