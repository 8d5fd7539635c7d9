"""The command `soak` on a small scale."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.interrupts import INTERRUPTED
from bench.soak.chaos import CALLS, POST, Faults, Outages
from bench.soak.command import parse_plan

if TYPE_CHECKING:
    from collections.abc import Generator

SMALL = ["--uploads", "80", "--at-once", "20", "--users", "10", "--faults", "3", "--kills", "1", "--seed", "1"]
SECONDS = 1800


@contextmanager
def start(*arguments: str) -> Generator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603 - the command under test
        [sys.executable, "-m", "bench.soak.command", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as soak:
        try:
            yield soak
        finally:
            # A test that failed does not wait for the end of its soak, whose own processes end with it.
            soak.kill()


@pytest.mark.parametrize("pending", ["tag"])  # it does all that prefix does, and repairs besides
def test_a_small_soak_finds_no_violation(pending: str) -> None:
    with start(*SMALL, "--pending", pending) as soak:
        output, errors = soak.communicate(timeout=SECONDS)
    assert (soak.returncode, errors) == (0, ""), output
    lines = output.splitlines()
    assert lines[0].startswith(f"soak: {pending}, 80 uploads of 10 users, 20 at once, 3 % faults, 1 kill, seed 1")
    assert "kills: 1" in lines
    assert [line for line in lines if "violations:" in line] == [
        "violations: 0",
        "stopping, violations: 0",
        "before the sweep, violations: 0",
        "after the sweep, violations: 0",
        "3 days later, violations: 0",
    ]


def test_ctrl_c_stops_all_processes_and_prints_the_summary() -> None:
    with start("--uploads", "100000", "--kills", "0") as soak:
        assert soak.stdout
        assert soak.stdout.readline().startswith("soak: ")
        assert soak.stdout.readline().startswith("ready ")
        children = psutil.Process(soak.pid).children(recursive=True)
        assert len(children) == 6
        soak.send_signal(signal.SIGINT)
        output, errors = soak.communicate(timeout=SECONDS)
    assert (soak.returncode, errors) == (INTERRUPTED, "Stopped before the end.\n")
    assert output.startswith("uploads: ")
    assert "violations: 0" in output.splitlines()
    assert not psutil.wait_procs(children, timeout=SECONDS)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--uploads", "0"], "argument --uploads: '0' is not a whole number of at least 1"),
        (["--at-once", "201"], "argument --at-once: '201' is not a whole number from 1 to 200"),
        (["--users", "1"], "argument --users: '1' is not a whole number of at least 2"),
        (["--faults", "many"], "argument --faults: 'many' is not a percentage from 0 to 25"),
        (["--faults", "nan"], "argument --faults: 'nan' is not a percentage from 0 to 25"),
        (["--kills", "-1"], "argument --kills: '-1' is not a whole number of at least 0"),
        (["--seconds", "3001"], "argument --seconds: '3001' is not a whole number from 1 to 3000"),
        (["--pending", "never"], "argument --pending: invalid choice: 'never' (choose from "),
    ],
)
def test_an_invalid_option_is_an_error(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_plan(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_faults_affect_the_given_percentage_of_a_confirms_calls() -> None:
    for percent in (0, 2, 25):
        faults = Faults(percent, random.Random(5))  # noqa: S311 - no secret
        struck = sum(faults.choose(call) is not None for _ in range(4000) for call in CALLS)
        assert struck / (4000 * len(CALLS)) == pytest.approx(percent / 100, rel=0.2)
        assert sum(faults.struck.values()) == struck
        assert faults.choose("PutObject") is None
    rare = sum(faults.choose(POST) is not None for _ in range(4000))
    assert 0 < rare < 4000 * 0.25 / 2


def test_an_outage_overlaps_the_requests_during_it() -> None:
    outages = Outages([(10, 12), (20, float("inf"))])
    assert not any(outages.overlap(*span) for span in [(1, 9), (13, 19)])
    assert all(outages.overlap(*span) for span in [(1, 10), (11, 11.5), (12, 15), (13, 99), (30, 31)])
