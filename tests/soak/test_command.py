"""The command `soak`, on a small scale."""

from __future__ import annotations

import random
import signal
import subprocess
import sys

import psutil
import pytest

from bench.soak.chaos import CALLS, POST, Faults, Outages
from bench.soak.command import INTERRUPTED, parse_plan

SMALL = ["--uploads", "80", "--at-once", "20", "--users", "10", "--faults", "3", "--kills", "1", "--seed", "1"]
SECONDS = 1800


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the command under test
        [sys.executable, "-m", "bench.soak.command", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("pending", ["tag"])  # it has all that prefix has, and healing besides
def test_nothing_is_violated(pending: str) -> None:
    with start(*SMALL, "--pending", pending) as soak:
        said, complaints = soak.communicate(timeout=SECONDS)
    assert (soak.returncode, complaints) == (0, ""), said
    lines = said.splitlines()
    assert lines[0].startswith(f"soak: {pending}, 80 uploads of 10 users, 20 at once, 3 % faults, 1 kill, seed 1")
    assert "kills: 1" in lines
    assert [line for line in lines if "violations:" in line] == [
        "violations: 0",
        "stopping, violations: 0",
        "before the sweep, violations: 0",
        "after the sweep, violations: 0",
        "3 days later, violations: 0",
    ]


def test_ctrl_c_stops_everything_and_says_what_was_counted() -> None:
    with start("--uploads", "100000", "--kills", "0") as soak:
        assert soak.stdout
        assert soak.stdout.readline().startswith("soak: ")
        assert soak.stdout.readline().startswith("ready ")
        children = psutil.Process(soak.pid).children(recursive=True)
        assert len(children) == 5
        soak.send_signal(signal.SIGINT)
        said, complaints = soak.communicate(timeout=SECONDS)
    assert (soak.returncode, complaints) == (INTERRUPTED, "Stopped before the end.\n")
    assert said.startswith("uploads: ")
    assert "violations: 0" in said.splitlines()
    assert not psutil.wait_procs(children, timeout=SECONDS)[1]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
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
def test_a_wrong_option_is_named(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_plan(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_so_many_calls_go_wrong_as_wanted_and_only_those_of_a_confirm() -> None:
    for percent in (0, 2, 25):
        faults = Faults(percent, random.Random(5))  # noqa: S311 - a lot, no secret
        struck = sum(faults.choose(call) is not None for _ in range(4000) for call in CALLS)
        assert struck / (4000 * len(CALLS)) == pytest.approx(percent / 100, rel=0.2)
        assert sum(faults.struck.values()) == struck
        assert faults.choose("PutObject") is None
    rare = sum(faults.choose(POST) is not None for _ in range(4000))
    assert 0 < rare < 4000 * 0.25 / 2


def test_a_call_is_excused_while_the_service_is_down() -> None:
    outages = Outages([(10, 12), (20, float("inf"))])
    assert not any(outages.overlap(*span) for span in [(1, 9), (13, 19)])
    assert all(outages.overlap(*span) for span in [(1, 10), (11, 11.5), (12, 15), (13, 99), (30, 31)])
