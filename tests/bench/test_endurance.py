"""The command `endurance`: its calculations, and a short run. No timing."""

from __future__ import annotations

import subprocess
import sys
from array import array
from collections import Counter

import pytest

from bench.endurance.command import describe_counts, find_wrong, parse_plan
from bench.endurance.load import Counts
from bench.endurance.usage import Usage, describe_growth, find_growth
from bench.soak.invariants import Seen, Snapshot

SECONDS = 1800
SHORT = ["--seconds", "4", "--presigns", "80", "--confirms", "32", "--users", "8"]

SNAPSHOT = Snapshot(
    {"Ann": "avatars/1", "Bob": "avatars/2"}, {"avatars/1": Seen("Ann", ""), "avatars/2": Seen("Bob", "")}
)


def use(seconds: float, megabytes: float, handles: int = 20) -> Usage:
    return Usage(seconds, megabytes, handles, threads=6, cpu_seconds=seconds / 4)


def test_the_second_half_is_compared_with_the_first_after_the_warm_up() -> None:
    growth = find_growth([use(0, 10), *(use(minute * 60, 100 + minute, 20 + minute) for minute in range(6, 61))])
    assert growth.megabytes == (100 + 19, 100 + 46.5)
    assert growth.megabytes_per_hour == pytest.approx(60)
    assert growth.handles == (52, 80)
    assert growth.threads == (6, 6)
    assert growth.cpu_share == (pytest.approx(0.25), pytest.approx(0.25))


def test_memory_that_stays_the_same_has_no_slope() -> None:
    assert find_growth([use(minute * 60, 90) for minute in range(61)]).megabytes_per_hour == pytest.approx(0)


def test_growth_is_a_table_with_a_line_for_each_process() -> None:
    lines = [*describe_growth({"auth": [use(minute * 60, 90) for minute in range(61)]})]
    assert lines[2:] == ["| auth | 90.0 | 90.0 | +0.0 | 20, 20 | 6, 6 | 25.0%, 25.0% |"]
    assert {line.count("|") for line in lines} == {8}


def test_counts_are_a_table_with_a_line_for_each_request_and_the_unexpected_responses() -> None:
    counts = Counts(
        Counter(login=4), Counter(presign=1), ["presign: 503"], {"login": array("f", [0.001, 0.002, 0.003, 0.004])}
    )
    lines = [*describe_counts(counts)]
    assert lines[2:] == [
        "| login | 4 | 0 | 1.0 | 3.0 | 2.0 | 4.0 |",
        "| presign | 0 | 1 |  |  |  |  |",
        "presign: 503",
    ]
    assert {line.count("|") for line in lines[:-1]} == {8}


def test_one_avatar_for_each_user_is_right() -> None:
    assert not [*find_wrong(SNAPSHOT, SNAPSHOT.rows)]


def test_every_difference_between_bucket_table_and_confirms_is_found() -> None:
    rows = {"Ann": "avatars/1", "Bob": "avatars/2", "Cid": "avatars/3", "Dee": "avatars/4"}
    objects = {"avatars/1": Seen("Ann", ""), "avatars/3": Seen("Ann", ""), "pending/5": Seen("Ann", "")}
    assert [*find_wrong(Snapshot(rows, objects), {**rows, "Ann": "avatars/0", "Eve": "avatars/6"})] == [
        "Ann: the row refers to avatars/1, not to avatars/0",
        "Bob: the avatar avatars/2 is missing",
        "Cid: the avatar avatars/3 belongs to Ann",
        "Dee: the avatar avatars/4 is missing",
        "Eve: the row refers to None, not to avatars/6",
        "pending/5: no row refers to it",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "0"], "argument --seconds: '0' is not a whole number of at least 1"),
        (["--users", "7"], "argument --users: '7' is not a whole number of at least 8"),
        (["--presigns", "many"], "argument --presigns: 'many' is not a whole number of at least 1"),
    ],
)
def test_an_invalid_option_is_an_error(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_plan(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_short_run_makes_all_requests_and_finds_bucket_and_table_as_confirmed() -> None:
    ran = subprocess.run(  # noqa: S603 - the command under test
        [sys.executable, "-m", "bench.endurance.command", *SHORT],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    lines = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert lines[0] == "endurance: prefix, 80 presigns and 32 uploads of 8 users in 4 s"
    assert lines[-1] == "bucket and table: 0 errors"
    for request, count in {"presign": 80, "presign to upload": 32, "POST to the bucket": 32, "confirm": 32}.items():
        assert any(line.startswith(f"| {request} | {count} | 0 |") for line in lines), ran.stdout
    for process in ("emulator", "auth", "uploads", "frontend"):
        assert any(line.startswith(f"| {process} |") for line in lines), ran.stdout
