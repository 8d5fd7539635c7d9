"""The benchmark's calculations, and the fake AWS under the services' own clients. No timing."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from bench.command import parse_plan
from bench.fake_aws import ServedCall
from bench.load import LoadError, Measurement, read_report
from bench.report import write_report
from bench.results import Results
from bench.servers import RESOURCES, USERNAME, start_fake_aws
from bench.spread import Spread, count_sequential_calls, find_percentile, find_ratios
from bench.subjects import BY_NAME
from infra.local.stack import run_processes
from services.auth.tokens import SigningKey
from services.store.keys import DIGEST_FIELD, USERNAME_FIELD
from services.uploads.bucket import Bucket, compute_sha256
from services.uploads.deadline import Deadline
from services.uploads.rows import NotForwardError
from services.uploads.strategies import STRATEGIES
from services.uploads.users import Users
from tests.rows import make_upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.servers import FakeAwsServer

EARLIER, ID, LATER = (make_upload(f"01890a5d-ac96-774b-bcce-b302099a805{number}") for number in (6, 7, 8))
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x02\x00\x00\x00"


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAwsServer]:
    with run_processes() as processes:
        yield start_fake_aws(processes)


def test_a_spread_has_median_minimum_and_maximum() -> None:
    assert Spread.of([3, 1, 10]) == Spread(3, 1, 10)


def test_ratios_are_calculated_round_by_round() -> None:
    assert find_ratios([10, 40], [5, 10]) == Spread(3, 2, 4)


@pytest.mark.parametrize(("percent", "found"), [(1, 1), (50, 2), (75, 3), (99, 4), (100, 4)])
def test_a_percentile_is_one_of_the_values(percent: int, found: int) -> None:
    assert find_percentile([4, 3, 2, 1], percent) == found


def test_parallel_and_later_calls_do_not_count_as_sequential() -> None:
    calls = [
        ServedCall("GetObject", 0, 2),
        ServedCall("GetItem", 0.5, 1.5),
        ServedCall("CopyObject", 2.5, 3),
        ServedCall("Delete", 5, 6),
    ]
    assert count_sequential_calls(calls, answered=4) == 2
    assert count_sequential_calls(calls, answered=7) == 3


def test_the_report_of_wrk_is_read() -> None:
    output = 'Running\nreport {"requests":200,"microseconds":2000000,"failed":0,"p50":1500,"p99":9000}\n'
    assert read_report("ours", output, 0.1) == Measurement(100, 1.5, 9, 500)


@pytest.mark.parametrize("counts", ['"requests":200,"failed":1', '"requests":0,"failed":0'])
def test_a_load_with_failed_or_no_requests_is_an_error(counts: str) -> None:
    with pytest.raises(LoadError, match="ours: of "):
        read_report("ours", f'report {{{counts},"microseconds":1,"p50":1,"p99":1}}', 0.1)


def test_the_report_sorts_by_speed_and_names_skipped_subjects() -> None:
    slow, fast = Measurement(100, 1, 2, 900), Measurement(200, 1, 2, 400)
    results = Results({"ours": [slow], "litestar-constant": [fast]}, skipped={"Express": "npm is not installed"})
    lines = write_report(results, {"date": "today"}, 32).splitlines()
    rows = [line.split(" | ")[:3] for line in lines if line.startswith(("| Litestar", "| **ours"))]
    assert rows == [
        ["| Litestar, a constant response", "200 (200 to 200)", "0.50 (0.50 to 0.50)"],
        ["| **ours**", "100 (100 to 100)", ""],
    ]
    assert "Our presign takes 500 µs of processor time more than Litestar's constant response." in lines
    assert "- Express: npm is not installed" in lines
    assert not [line for line in lines if line.startswith("## Confirm")]


def test_a_chosen_subject_is_measured_beside_ours() -> None:
    plan = parse_plan(["--only", "express"])
    assert list(plan.subjects) == ["ours", "express"]
    assert not plan.has("confirm")
    assert list(parse_plan(["--only", "view"]).subjects) == []
    assert list(parse_plan([]).subjects) == list(BY_NAME)


@pytest.mark.parametrize("arguments", [["--seconds", "nan"], ["--rounds", "0"], ["--only", "nobody"]])
def test_an_invalid_option_ends_the_command(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse_plan(arguments)


@pytest.mark.parametrize("pending", ["prefix", "tag"])
def test_the_steps_of_a_confirm_work_on_the_fake_aws(aws: FakeAwsServer, pending: str) -> None:
    aws.clear()
    strategy = STRATEGIES[pending]
    bucket = Bucket(aws.clients.s3, RESOURCES.bucket)
    posted = strategy.posted_key(ID)
    deadline = Deadline.after(math.inf, time.time)
    assert bucket.inspect(posted, len(PNG), deadline) is None
    metadata = {USERNAME_FIELD: USERNAME, DIGEST_FIELD: compute_sha256(PNG)}
    aws.add_object(posted, PNG, "image/png", metadata, "Status=Pending" if pending == "tag" else "")
    stored = bucket.inspect(posted, len(PNG), deadline)
    assert stored is not None
    assert stored.sha256 == metadata[DIGEST_FIELD]
    assert (stored.size, stored.content_type, stored.tagged) == (len(PNG), "image/png", pending == "tag")

    bucket.copy(strategy.promotion(ID, stored))
    # A concurrent confirm finds the copy that was made, and its checksum.
    bucket.copy(strategy.promotion(ID, stored))
    bucket.delete(strategy.leftovers(ID))
    listed = [listed.key for listed in bucket.list_objects("")]
    assert listed == [ID.permanent_key]
    assert not bucket.read_tags(ID.permanent_key)
    assert bucket.describe(ID.permanent_key).metadata == metadata


def test_a_row_only_takes_a_later_avatar(aws: FakeAwsServer) -> None:
    aws.clear()
    users = Users(aws.clients.dynamodb, RESOURCES.table)
    aws.add_user(USERNAME)
    assert users.find_row(USERNAME).avatar is None
    assert users.advance(USERNAME, EARLIER).key is None
    assert users.advance(USERNAME, LATER).key == EARLIER.permanent_key
    with pytest.raises(NotForwardError):
        users.advance(USERNAME, ID)
    assert users.find_row(USERNAME).avatar == LATER.permanent_key
    assert [(row.avatar, row.username) for row in users.list_rows()] == [(LATER.permanent_key, USERNAME)]


def test_a_missing_object_is_an_error(aws: FakeAwsServer) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        aws.clients.s3.get_object(Bucket=RESOURCES.bucket, Key="avatars/none")


def test_the_fake_key_signs(aws: FakeAwsServer) -> None:
    key = SigningKey(aws.clients.kms, RESOURCES.key_arn)
    assert key.jwk["crv"] == "P-256"
    assert len(key.sign(b"message")) == 64


def test_the_fake_aws_lists_its_calls(aws: FakeAwsServer) -> None:
    aws.clear()
    aws.take_calls()
    aws.add_user(USERNAME)
    (call,) = aws.take_calls()
    assert call.operation == "PutItem"
    assert call.began <= call.ended
    assert aws.take_calls() == []
