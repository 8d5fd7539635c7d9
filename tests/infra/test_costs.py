"""The table of costs in docs/deploying.md: its sums, and the numbers that come from the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.settings import Settings

if TYPE_CHECKING:
    from tests.infra.stacks import Stack

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "deploying.md").read_text()
REFERENCE = (DOCS / "reference.md").read_text()
HOURS = 730
STORAGE = 1.00
"""What the table calls "under 1.00"."""


def read_row(label: str) -> list[float]:
    """The last number of each cell of the row that begins with this label."""
    # The second table, of a million uploads, has a sum too.
    row, *_ = re.findall(rf"^\| {label}[^|]*\|(.+)\|$", PAGE, re.MULTILINE)
    return [float(re.findall(r"\d+\.?\d*", cell)[-1]) for cell in row.split("|")]


def test_the_number_of_alarms_is_that_of_the_program(first_up: Stack) -> None:
    alarms = len(first_up.cloud.resources("aws:cloudwatch/metricAlarm:MetricAlarm"))
    # Application Auto Scaling creates two for each policy.
    scaling = 2 * len(first_up.cloud.resources("aws:appautoscaling/policy:Policy"))
    assert scaling == 12
    assert f"| {alarms + scaling} alarms, 0.10 each | {(alarms + scaling) / 10:.2f} |" in PAGE


def test_the_number_of_metrics_is_that_of_the_reference() -> None:
    """`tests/docs/test_reference.py` compares the reference with the code. CloudWatch has a metric for each service."""
    _, _, section = REFERENCE.partition("## Metrics")
    services, _, section = section.partition("## Sweep")
    of_services = sum(row.count("`") // 2 for row in re.findall(r"^\| `\w+` \|([^|]+)\|", services, re.MULTILINE))
    of_sweep = re.findall(r"^\| `\w+` \| `\w+` \|", section.partition("## Logs")[0], re.MULTILINE)
    metrics = of_services + len([*of_sweep, "Swept"])
    assert f"| {metrics} metrics, 0.30 each; one more for each kind of refusal that occurs |" in PAGE
    assert read_row(r"\d+ metrics") == pytest.approx([metrics * 0.30] * 2)


PRICES = {
    "S3: a POST, a COPY and a GET": [2 * 5.00 + 0.40, 2 * 5.40 + 0.43],
    "DynamoDB: a consistent read and a write": [0.125 + 0.625, 0.1525 + 0.7625],
    "HTTP API: presign and confirm": [2 * 1.00, 2 * 1.20],
    "logs: two lines of metrics": [1.4 * 0.50, 1.4 * 0.63],
}
"""Dollars a million uploads, from the prices of a million requests and of a GB of logs."""


@pytest.mark.parametrize("label", PRICES)
def test_the_costs_of_a_million_uploads_follow_from_the_calls(label: str) -> None:
    """`tests/integration/test_calls.py` counts the calls."""
    assert read_row(label) == pytest.approx(PRICES[label], abs=0.006)


def test_the_number_of_tasks_is_that_of_the_program() -> None:
    settings = Settings()
    assert (settings.cpu, settings.memory, 3 * settings.min_tasks, settings.architecture) == (256, 512, 6, "X86_64")


@pytest.mark.parametrize("region", [0, 1])
def test_the_sums_of_the_table_are_right(region: int) -> None:
    [row] = re.findall(r"^\| a vCPU hour[^|]*\|(.+)\|$", PAGE, re.MULTILINE)
    cpu, memory = map(float, row.split("|")[region].split(","))
    tasks = 6 * HOURS * (0.25 * cpu + 0.5 * memory)
    assert read_row("6 tasks")[region] == pytest.approx(tasks, abs=0.01)
    addresses = read_row("their public addresses")[region]
    assert addresses == pytest.approx(6 * HOURS * 0.005, abs=0.01)
    rows = ("load balancer", "signing key", r"\d+ alarms", "dashboard;", r"\d+ metrics", "sweep, 730")
    total = tasks + addresses + STORAGE + sum(read_row(row)[region] for row in rows)
    assert read_row(r"\*\*together")[region] == round(total)
    # ARM costs a fifth less (AWS: Fargate pricing).
    assert read_row("with `architecture: ARM64`")[region] == round(total - tasks * 0.2)
    assert read_row("with `minTasks: 1`")[region] == round(total - (tasks + addresses) / 2)
