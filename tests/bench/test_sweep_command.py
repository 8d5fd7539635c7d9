"""The command `measure-sweep`, and the fake AWS with many keys. No timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.fake_aws import MAX_KEYS, MAX_ROWS, Ordered
from bench.servers import RESOURCES, start_fake_aws
from bench.sweep import command
from bench.sweep.command import SweepError, measure_sweep, run
from infra.local.stack import run_processes
from services.uploads.bucket import Bucket
from services.uploads.sweep.plan import FULL_HOURS, RECENT_SECONDS, REPAIR_SECONDS
from services.uploads.users import Users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.servers import FakeAwsServer

OBJECTS = 200
APART_SECONDS = 2000
"""Long enough that no object passes a limit of age while the test runs."""
RECENT, TAGGED = RECENT_SECONDS // APART_SECONDS + 1, REPAIR_SECONDS // APART_SECONDS + 1
SHORT = ["--objects", str(OBJECTS), "--per-second", str(1 / APART_SECONDS)]
FULL = ["--full"]


@pytest.fixture
def aws() -> Iterator[FakeAwsServer]:
    with run_processes() as processes:
        yield start_fake_aws(processes)


def test_keys_are_listed_in_order_after_keys_were_added_and_removed() -> None:
    items = Ordered({"b": 1, "a/2": 2}.items())
    assert items.list_keys(9) == ["a/2", "b"]
    items["a/1"], items["b"] = 3, 4
    items.discard("missing")
    assert items.list_keys(1) == ["a/1"]
    assert items.list_keys(9, after="a/1") == ["a/2", "b"]
    assert items.list_keys(9, after="a/1", prefix="a/") == ["a/2"]
    items.discard("a/2")
    assert items.list_keys(9, prefix="a/") == ["a/1"]


def test_a_listing_and_a_scan_of_several_pages_are_complete(aws: FakeAwsServer) -> None:
    objects = max(MAX_KEYS, MAX_ROWS) + 1
    aws.fill(objects, 1000)
    bucket, users = Bucket(aws.clients.s3, RESOURCES.bucket), Users(aws.clients.dynamodb, RESOURCES.table)
    keys = [entry.key for entry in bucket.list_objects("avatars/")]
    assert len(keys) == objects
    assert keys == sorted(row.avatar or "" for row in users.list_rows())
    calls = [call.operation for call in aws.take_calls()]
    assert (calls.count("ListObjectsV2"), calls.count("Scan")) == (-(-objects // MAX_KEYS), 2)


def test_a_full_sweep_is_measured_by_its_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SHORT, "--only", "full"]) == 0
    heading, _, line = capsys.readouterr().out.splitlines()
    cells = dict(zip(heading.split(" | "), line.split(" | "), strict=True))
    assert (cells["| sweep"], cells["objects"]) == ("| full", "200")
    assert (cells["Scan"], cells["GetObjectTagging"], cells["HeadObject"]) == ("1", str(TAGGED), str(RECENT))


def test_a_sweep_that_does_not_find_all_objects_is_an_error(aws: FakeAwsServer) -> None:
    aws.fill(OBJECTS, 1 / APART_SECONDS)
    with pytest.raises(SweepError, match="did not find all 201"):
        measure_sweep(aws, OBJECTS + 1, FULL)


def test_a_sweep_that_fails_is_an_error(aws: FakeAwsServer) -> None:
    with pytest.raises(SweepError, match="exit status 2"):
        measure_sweep(aws, OBJECTS, ["--unknown"])


def test_the_hourly_sweep_is_not_measured_in_an_hour_of_full_sweeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command.time, "time", lambda: FULL_HOURS * 3600.0)
    assert run(SHORT) == 1
    assert "every sweep is a full one" in capsys.readouterr().err
