"""The sweep over the fake of S3 and DynamoDB (`tests/fake`)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from services.store.keys import PENDING_TAG, Upload
from services.store.kinds import AVATAR, KINDS
from services.store.table import Value
from services.uploads.picture import limit_kinds
from services.uploads.sweep.plan import FULL_HOURS, RECENT_SECONDS, REPAIR_SECONDS, is_full_hour
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.sweeper import BATCH, Sweeper
from tests.fake.aws import Aws, fail, once, refuse
from tests.fake.world import DIGESTS, Call, Object, World
from tests.rows import make_upload

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Executor

    from services.uploads.sweep.report import Report
    from services.uploads.sweep.sweeper import Item

SETTLE = 7200
NOW = 1_800_000_000
LONG_AGO = NOW - 30 * 86_400
RECENTLY = NOW - RECENT_SECONDS + 1
"""Every sweep reads the tags of a live object that was written then."""
DAYS_AGO = NOW - REPAIR_SECONDS + 1
"""Only a full sweep does."""


def make_object(body: str, *, declared: str | None = None) -> Object:
    """An object as a form lets it be posted, or with other bytes than the declared ones."""
    metadata = (("sha256", DIGESTS[declared or body]), ("upload-token", "secret"), ("username", "ada"))
    return Object(body, metadata, has_checksum=True)


PICTURE = make_object("good")
MARKED = replace(PICTURE, tags=(PENDING_TAG,))
BLANK = make_object("blank")


def make_id(number: int, created: int = LONG_AGO) -> Upload:
    text = f"{created * 1000:012x}"
    return make_upload(f"{text[:8]}-{text[8:]}-7000-8000-{number:012x}")


OLD, LIVE, ORPHAN, OTHER, THIRD = make_id(0), make_id(1), make_id(2), make_id(3), make_id(9)


def put(aws: Aws, key: str, stored: Object = PICTURE, modified: int = LONG_AGO) -> None:
    aws.put(key, stored, modified)


def add_orphans(aws: Aws, count: int) -> None:
    for number in range(count):
        put(aws, make_id(10 + number).permanent_key)


@pytest.fixture
def aws() -> Aws:
    """Ada has an avatar. An object that a confirm should have deleted is still there."""
    aws = Aws(World(NOW).point("ada", LIVE.permanent_key).point("new", None))
    put(aws, LIVE.permanent_key)
    put(aws, ORPHAN.permanent_key)
    return aws


@pytest.fixture
def sweeper(aws: Aws, executor: Executor) -> Sweeper:
    limits = limit_kinds(1000, 80, 60)
    return Sweeper(aws.bucket, aws.users, limits, SETTLE, 10_000, 1.0, lambda: aws.now, executor)


def found(report: Report) -> dict[Outcome, int]:
    """The outcomes that occurred, with their counts."""
    return {outcome: count for outcome, count in report.counts.items() if count}


def test_the_sweep_deletes_an_orphan_and_nothing_else(sweeper: Sweeper, aws: Aws) -> None:
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.DELETED: 1}
    assert report.rows == 1
    assert not report.dry_run
    assert not report.needs_attention
    assert aws.writes == [("DeleteObjects", ORPHAN.permanent_key)]
    assert aws.objects.keys() == {LIVE.permanent_key}


def test_a_second_sweep_changes_nothing(sweeper: Sweeper, aws: Aws) -> None:
    sweeper.sweep()
    aws.calls.clear()
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1}
    assert not aws.writes


@pytest.mark.parametrize("metadata", [{}, {"username": "nobody"}, {"username": "new"}, {"username": "ada"}])
def test_an_orphan_is_deleted_whatever_user_its_metadata_names(
    sweeper: Sweeper, aws: Aws, metadata: dict[str, str]
) -> None:
    put(aws, ORPHAN.permanent_key, replace(PICTURE, metadata=tuple(metadata.items())))
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1}
    assert ORPHAN.permanent_key not in aws.objects


@pytest.mark.parametrize(
    ("key", "stored", "modified", "outcome"),
    [
        pytest.param(ORPHAN.permanent_key, MARKED, LONG_AGO, Outcome.PENDING, id="not confirmed"),
        pytest.param(ORPHAN.permanent_key, PICTURE, NOW - SETTLE + 1, Outcome.YOUNG, id="just written"),
        pytest.param(make_id(2, NOW - SETTLE + 1).permanent_key, PICTURE, LONG_AGO, Outcome.YOUNG, id="just presigned"),
        pytest.param("avatars/logo.png", PICTURE, LONG_AGO, Outcome.FOREIGN, id="not the name of an upload"),
    ],
)
def test_an_object_that_may_be_no_orphan_is_kept(
    sweeper: Sweeper, aws: Aws, key: str, stored: Object, modified: int, outcome: Outcome
) -> None:
    aws.remove(ORPHAN.permanent_key)
    put(aws, key, stored, modified)
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, outcome: 1}
    assert not aws.writes


def test_only_a_finding_that_takes_calls_uses_a_thread(sweeper: Sweeper, aws: Aws) -> None:
    used: list[object] = []

    class Recorder(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **options: Any) -> Any:
            used.append(arguments)
            return super().submit(*arguments, **options)

    aws.remove(ORPHAN.permanent_key)
    put(aws, "avatars/logo.png")
    put(aws, make_id(2, NOW).permanent_key)
    with Recorder(1) as executor:
        report = replace(sweeper, executor=executor).sweep()
        assert found(report) == {Outcome.LIVE: 1, Outcome.FOREIGN: 1, Outcome.YOUNG: 1}
        assert not used
        put(aws, LIVE.permanent_key, modified=RECENTLY)
        replace(sweeper, executor=executor).sweep()
    assert len(used) == 1


def test_an_orphan_with_another_tag_is_deleted(sweeper: Sweeper, aws: Aws) -> None:
    put(aws, ORPHAN.permanent_key, replace(PICTURE, tags=(("Status", "Other"),)))
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1}


def test_pending_live_young_and_foreign_objects_are_listed_and_not_read(sweeper: Sweeper, aws: Aws) -> None:
    aws.remove(ORPHAN.permanent_key)
    put(aws, ORPHAN.pending_key)
    put(aws, make_id(2, NOW).permanent_key, modified=NOW)
    put(aws, "avatars/logo.png")
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.PENDING: 1, Outcome.YOUNG: 1, Outcome.FOREIGN: 1}
    assert set(aws.operations) == {"Scan", "ListObjectsV2"}


class TestRepair:
    @pytest.fixture
    def aws(self) -> Aws:
        """Ada posted her avatar again."""
        aws = Aws(World(NOW).point("ada", LIVE.permanent_key))
        put(aws, LIVE.permanent_key, MARKED, RECENTLY)
        return aws

    def test_a_live_object_loses_its_pending_tag(self, sweeper: Sweeper, aws: Aws) -> None:
        report = sweeper.sweep()
        assert found(report) == {Outcome.RESTORED: 1}
        assert not report.needs_attention
        assert aws.writes == [("CopyObject", LIVE.permanent_key, LIVE.permanent_key)]
        assert aws.objects == {LIVE.permanent_key: replace(PICTURE, modified=NOW)}
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1}

    @pytest.mark.parametrize("body", ["bad", "gif", "cut off", "wide", "long"])
    def test_a_live_object_that_is_refused_is_replaced_by_a_blank_picture(
        self, sweeper: Sweeper, aws: Aws, body: str
    ) -> None:
        put(aws, LIVE.permanent_key, replace(make_object(body), tags=(PENDING_TAG,)), RECENTLY)
        report = sweeper.sweep()
        assert found(report) == {Outcome.REPLACED: 1}
        assert not report.needs_attention
        assert aws.writes == [("PutObject", LIVE.permanent_key)]
        assert aws.objects == {LIVE.permanent_key: replace(BLANK, modified=NOW)}
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1}

    @pytest.mark.parametrize("tags", [{}, {"Status": "Other"}, {"Other": "Pending"}])
    def test_a_live_object_without_the_pending_tag_is_unchanged(
        self, sweeper: Sweeper, aws: Aws, tags: dict[str, str]
    ) -> None:
        put(aws, LIVE.permanent_key, replace(make_object("bad"), tags=tuple(tags.items())), RECENTLY)
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1}
        assert not aws.writes

    @pytest.mark.parametrize("body", ["twin", "other"])
    @pytest.mark.parametrize("tags", [(), (PENDING_TAG,)])
    def test_a_live_object_with_other_bytes_than_declared_is_replaced_by_a_blank_picture(
        self, sweeper: Sweeper, aws: Aws, body: str, tags: tuple[tuple[str, str], ...]
    ) -> None:
        put(aws, LIVE.permanent_key, replace(make_object(body, declared="good"), tags=tags), RECENTLY)
        assert found(sweeper.sweep()) == {Outcome.REPLACED: 1}
        assert aws.objects == {LIVE.permanent_key: replace(BLANK, modified=NOW)}

    @pytest.mark.parametrize(
        "stored",
        [
            pytest.param(replace(make_object("other", declared="good"), has_checksum=False), id="no checksum"),
            pytest.param(replace(PICTURE, metadata=(("username", "ada"),)), id="no declared digest"),
        ],
    )
    def test_a_live_object_without_one_of_the_digests_is_unchanged(
        self, sweeper: Sweeper, aws: Aws, stored: Object
    ) -> None:
        put(aws, LIVE.permanent_key, stored, RECENTLY)
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1}
        assert not aws.writes
        assert "GetObject" not in aws.operations

    def test_other_bytes_with_the_same_etag_that_are_posted_during_the_sweep_are_replaced(
        self, sweeper: Sweeper, aws: Aws
    ) -> None:
        twin = replace(make_object("twin", declared="good"), tags=(PENDING_TAG,))
        assert twin.etag == PICTURE.etag
        aws.before = once("CopyObject", lambda: put(aws, LIVE.permanent_key, twin, RECENTLY))
        assert found(sweeper.sweep()) == {Outcome.REPLACED: 1}
        assert aws.objects == {LIVE.permanent_key: replace(BLANK, modified=NOW)}

    def test_a_live_object_without_the_pending_tag_that_is_deleted_during_the_sweep_is_gone(
        self, sweeper: Sweeper, aws: Aws
    ) -> None:
        put(aws, LIVE.permanent_key, PICTURE, RECENTLY)
        aws.before = once("HeadObject", lambda: aws.remove(LIVE.permanent_key))
        assert found(sweeper.sweep()) == {Outcome.GONE: 1}

    @pytest.mark.parametrize("operation", ["GetObjectTagging", "GetObject", "CopyObject"])
    def test_a_live_object_that_is_deleted_during_the_sweep_is_gone(
        self, sweeper: Sweeper, aws: Aws, operation: str
    ) -> None:
        aws.before = once(operation, lambda: aws.remove(LIVE.permanent_key))
        report = sweeper.sweep()
        assert found(report) == {Outcome.GONE: 1}
        assert not report.needs_attention
        assert not aws.objects

    def test_a_live_object_that_is_posted_again_during_the_sweep_is_repaired_by_the_next(
        self, sweeper: Sweeper, aws: Aws
    ) -> None:
        posted = replace(make_object("bad"), tags=(PENDING_TAG,), modified=RECENTLY)
        aws.before = once("CopyObject", lambda: put(aws, LIVE.permanent_key, posted, RECENTLY))
        assert found(sweeper.sweep()) == {Outcome.GONE: 1}
        assert aws.objects == {LIVE.permanent_key: posted}
        assert found(sweeper.sweep()) == {Outcome.REPLACED: 1}

    def test_a_dry_run_changes_nothing_and_counts_the_same(self, sweeper: Sweeper, aws: Aws) -> None:
        put(aws, OTHER.permanent_key, replace(make_object("bad"), tags=(PENDING_TAG,)), RECENTLY)
        aws.point("bob", OTHER.permanent_key)
        planned = sweeper.sweep(dry_run=True)
        assert planned.dry_run
        assert not aws.writes
        assert found(planned) == found(sweeper.sweep()) == {Outcome.RESTORED: 1, Outcome.REPLACED: 1}


def sweep_for(hours: int, sweeper: Sweeper, aws: Aws) -> list[Report]:
    """One sweep in each of the next hours."""
    reports: list[Report] = []
    for _ in range(hours):
        reports.append(sweeper.sweep())
        aws.wait(3600)
    return reports


class TestTagReading:
    """The fixture's clock is not in the hour of a full sweep."""

    @pytest.fixture
    def aws(self) -> Aws:
        """Ada posted her avatar again, and no sweep has seen it for days. Bob's upload was never confirmed."""
        assert not is_full_hour(NOW)
        aws = Aws(World(NOW).point("ada", LIVE.permanent_key))
        put(aws, LIVE.permanent_key, MARKED, DAYS_AGO)
        put(aws, OTHER.permanent_key, MARKED, DAYS_AGO)
        return aws

    def test_no_tags_are_read_some_hours_after_the_objects_were_written(self, sweeper: Sweeper, aws: Aws) -> None:
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DEFERRED: 1}
        assert set(aws.operations) == {"Scan", "ListObjectsV2"}

    def test_one_of_six_hourly_sweeps_reads_all_tags(self, sweeper: Sweeper, aws: Aws) -> None:
        put(aws, LIVE.permanent_key, MARKED, NOW - RECENT_SECONDS)
        put(aws, OTHER.permanent_key, MARKED, NOW - RECENT_SECONDS)
        reports = sweep_for(FULL_HOURS, sweeper, aws)
        assert [report.counts[Outcome.RESTORED] for report in reports] == [0, 0, 0, 0, 1, 0]
        assert [report.counts[Outcome.PENDING] for report in reports] == [0, 0, 0, 0, 1, 0]
        # The last sweep reads the tags of the copy by which the avatar was restored.
        assert aws.operations.count("GetObjectTagging") == 3

    def test_a_full_sweep_can_be_asked_for(self, sweeper: Sweeper) -> None:
        assert found(replace(sweeper, full=True).sweep()) == {Outcome.RESTORED: 1, Outcome.PENDING: 1}

    def test_the_checksum_is_compared_for_some_hours_only(self, sweeper: Sweeper, aws: Aws) -> None:
        put(aws, LIVE.permanent_key, PICTURE, DAYS_AGO)
        replace(sweeper, full=True).sweep()
        assert Call("HeadObject", (LIVE.permanent_key,)) not in aws.calls
        put(aws, LIVE.permanent_key, PICTURE, RECENTLY)
        sweeper.sweep()
        assert Call("HeadObject", (LIVE.permanent_key,)) in aws.calls

    def test_an_orphan_is_deleted_by_a_full_sweep_or_when_it_can_not_have_the_tag(
        self, sweeper: Sweeper, aws: Aws
    ) -> None:
        put(aws, OTHER.permanent_key, PICTURE, DAYS_AGO)
        put(aws, ORPHAN.permanent_key, PICTURE, NOW - REPAIR_SECONDS)
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DEFERRED: 1, Outcome.DELETED: 1}
        assert found(replace(sweeper, full=True).sweep()) == {Outcome.RESTORED: 1, Outcome.DELETED: 1}
        assert aws.objects.keys() == {LIVE.permanent_key}

    @pytest.mark.parametrize("first", range(FULL_HOURS))
    def test_a_post_is_repaired_within_a_day_although_sweeps_fail_for_three_quarters_of_it(
        self, sweeper: Sweeper, aws: Aws, first: int
    ) -> None:
        """The lifecycle rule deletes an object a day after its post at the earliest."""
        aws.wait(3600 * first)
        put(aws, LIVE.permanent_key, MARKED, int(aws.now))
        aws.wait(3600 * (24 - FULL_HOURS))
        sweep_for(FULL_HOURS, sweeper, aws)
        assert not aws.objects[LIVE.permanent_key].tags


class TestDangling:
    @pytest.fixture
    def aws(self) -> Aws:
        """Ada's avatar is missing."""
        aws = Aws(World(NOW).point("ada", LIVE.permanent_key).point("bob", OTHER.permanent_key))
        put(aws, OTHER.permanent_key)
        return aws

    def test_a_row_whose_object_is_missing_is_reported_by_name(self, sweeper: Sweeper, aws: Aws) -> None:
        report = sweeper.sweep()
        assert found(report) == {Outcome.LIVE: 1, Outcome.DANGLING: 1}
        assert report.names[Outcome.DANGLING] == [f"ada -> {LIVE.permanent_key}"]
        assert report.needs_attention
        assert not aws.writes

    @pytest.mark.parametrize("avatar", [ORPHAN.permanent_key, None])
    @pytest.mark.parametrize("operation", ["ListObjectsV2", "HeadObject", "GetItem"])
    def test_a_row_that_is_updated_during_the_sweep_does_not_dangle(
        self, sweeper: Sweeper, aws: Aws, operation: str, avatar: str | None
    ) -> None:
        aws.before = once(operation, lambda: aws.point("ada", avatar))
        report = sweeper.sweep()
        assert found(report) == {Outcome.LIVE: 1, Outcome.GONE: 1}
        assert not report.needs_attention

    def test_a_row_that_is_deleted_during_the_sweep_does_not_dangle(self, sweeper: Sweeper, aws: Aws) -> None:
        aws.before = once("GetItem", aws.remove_rows)
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.GONE: 1}

    def test_an_object_that_was_written_after_the_listing_is_live(self, sweeper: Sweeper, aws: Aws) -> None:
        aws.before = once("HeadObject", lambda: put(aws, LIVE.permanent_key))
        assert found(sweeper.sweep()) == {Outcome.LIVE: 2}

    @pytest.mark.parametrize("is_there", [True, False])
    @pytest.mark.parametrize("avatar", [LIVE.pending_key, "elsewhere", "z"])
    def test_a_row_that_refers_to_a_key_outside_avatars_dangles_and_the_object_is_not_read(
        self,
        sweeper: Sweeper,
        aws: Aws,
        avatar: str,
        is_there: bool,  # noqa: FBT001 - a table
    ) -> None:
        # The sweep may read avatars only: S3 would respond 403, whether the object is there or not.
        aws.point("ada", avatar)
        if is_there:
            put(aws, avatar)
        report = sweeper.sweep()
        assert Call("HeadObject", (avatar,)) not in aws.calls
        pending = {Outcome.PENDING: 1} if is_there and avatar.startswith(AVATAR.pending_prefix) else {}
        assert found(report) == {Outcome.LIVE: 1, Outcome.DANGLING: 1} | pending
        assert report.names[Outcome.DANGLING] == [f"ada -> {avatar}"]

    def test_a_row_that_refers_to_a_foreign_object_does_not_dangle(self, sweeper: Sweeper, aws: Aws) -> None:
        put(aws, "avatars/logo.png")
        aws.point("ada", "avatars/logo.png")
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.FOREIGN: 1}


@pytest.mark.parametrize("operation", ["HeadObject", "GetObjectTagging"])
def test_an_orphan_that_is_deleted_during_the_sweep_is_gone(sweeper: Sweeper, aws: Aws, operation: str) -> None:
    aws.before = once(operation, lambda: aws.remove(ORPHAN.permanent_key))
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.GONE: 1}
    assert not report.needs_attention
    assert not aws.writes


@pytest.mark.parametrize("operation", ["ListObjectsV2", "HeadObject", "GetObjectTagging", "GetItem"])
def test_an_object_that_a_confirm_makes_live_during_the_sweep_is_kept(
    sweeper: Sweeper, aws: Aws, operation: str
) -> None:
    aws.before = once(operation, lambda: aws.point("ada", ORPHAN.permanent_key))
    assert found(sweeper.sweep()) == {Outcome.LIVE: 2}
    assert not aws.writes


def test_the_age_of_an_object_is_computed_from_the_start_of_the_sweep(sweeper: Sweeper, aws: Aws) -> None:
    aws.wait(ORPHAN.id.created + SETTLE - 1 - NOW)
    aws.before = once("Scan", lambda: aws.wait(86_400))
    assert found(sweeper.sweep())[Outcome.YOUNG] == 1
    assert not aws.writes


@pytest.mark.parametrize("operation", ["HeadObject", "GetObjectTagging"])
def test_an_object_that_can_not_be_read_is_reported_and_the_others_are_treated(
    sweeper: Sweeper, aws: Aws, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    put(aws, OTHER.permanent_key)
    aws.before = refuse(operation, ORPHAN.permanent_key)
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.FAILED: 1, Outcome.DELETED: 1}
    assert report.names[Outcome.FAILED] == [ORPHAN.permanent_key]
    assert report.needs_attention
    assert aws.writes == [("DeleteObjects", OTHER.permanent_key)]
    [record] = caplog.records
    assert ORPHAN.permanent_key in record.getMessage()
    assert "AccessDenied" in record.getMessage()


@pytest.mark.parametrize(
    "error",
    [
        ConnectTimeoutError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        ResponseParserError("no XML"),
        ClientError({"Error": {"Code": "SlowDown"}}, "HeadObject"),
    ],
)
def test_any_error_of_aws_for_one_object_leaves_the_others_treated(
    sweeper: Sweeper, aws: Aws, error: Exception
) -> None:
    put(aws, OTHER.permanent_key)
    aws.before = fail("HeadObject", error)
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.FAILED: 1, Outcome.DELETED: 1}


@pytest.mark.parametrize("operation", ["GetObjectTagging", "GetObject", "CopyObject"])
def test_a_live_object_that_can_not_be_repaired_is_reported(sweeper: Sweeper, aws: Aws, operation: str) -> None:
    put(aws, LIVE.permanent_key, MARKED, RECENTLY)
    aws.before = refuse(operation, LIVE.permanent_key)
    report = sweeper.sweep()
    assert found(report) == {Outcome.FAILED: 1, Outcome.DELETED: 1}
    assert report.names[Outcome.FAILED] == [LIVE.permanent_key]


@pytest.mark.parametrize(("operation", "about"), [("HeadObject", LIVE.permanent_key), ("GetItem", "ada")])
def test_a_row_that_can_not_be_judged_failed_and_does_not_dangle(
    sweeper: Sweeper, aws: Aws, operation: str, about: str
) -> None:
    aws.remove(LIVE.permanent_key, ORPHAN.permanent_key)
    aws.before = refuse(operation, about)
    report = sweeper.sweep()
    assert found(report) == {Outcome.FAILED: 1}
    assert report.names[Outcome.FAILED] == [f"ada -> {LIVE.permanent_key}"]


def test_an_unexpected_error_for_one_object_is_logged_and_the_others_are_treated(
    sweeper: Sweeper, aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    put(aws, OTHER.permanent_key)
    aws.before = fail("HeadObject", KeyError("Metadata"))
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.FAILED: 1, Outcome.DELETED: 1}
    assert report.names[Outcome.FAILED] == [ORPHAN.permanent_key]
    [record] = caplog.records
    assert ORPHAN.permanent_key in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObjects"),
        ReadTimeoutError(endpoint_url="https://s3"),
        ResponseParserError("no XML"),
    ],
)
def test_a_failed_deletion_is_reported_and_the_next_sweep_tries_again(
    sweeper: Sweeper, aws: Aws, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    aws.before = fail("DeleteObjects", error)
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.FAILED: 1}
    assert report.names[Outcome.FAILED] == [ORPHAN.permanent_key]
    assert str(error) in caplog.text
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1}


def test_a_key_that_s3_refuses_to_delete_is_reported_and_the_others_are_deleted(
    sweeper: Sweeper, aws: Aws, caplog: pytest.LogCaptureFixture
) -> None:
    add_orphans(aws, 2)

    def refuse_one() -> list[dict[str, str]]:
        aws.remove(*(key for key in aws.objects if key not in {LIVE.permanent_key, ORPHAN.permanent_key}))
        return [{"Key": ORPHAN.permanent_key, "Code": "AccessDenied"}]

    aws.before = once("DeleteObjects", refuse_one)
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.FAILED: 1, Outcome.DELETED: 2}
    assert report.names[Outcome.FAILED] == [ORPHAN.permanent_key]
    assert f"AccessDenied: {ORPHAN.permanent_key}" in caplog.text
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1}


def test_objects_under_each_pending_prefix_are_counted_and_kept(sweeper: Sweeper, aws: Aws) -> None:
    put(aws, "waiting/old")
    put(aws, f"{AVATAR.pending_prefix}old")
    put(aws, f"{AVATAR.pending_prefix}new", modified=NOW)
    report = replace(sweeper, pending_prefixes=("waiting/", AVATAR.pending_prefix)).sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.DELETED: 1, Outcome.PENDING: 2, Outcome.YOUNG: 1}
    assert {"waiting/old", f"{AVATAR.pending_prefix}old", f"{AVATAR.pending_prefix}new"} <= aws.objects.keys()


def test_a_failed_deletion_does_not_stop_the_next_batch(sweeper: Sweeper, aws: Aws) -> None:
    add_orphans(aws, 2 * BATCH)
    aws.before = fail("DeleteObjects", ReadTimeoutError(endpoint_url="https://s3"))
    report = sweeper.sweep()
    assert report.counts[Outcome.FAILED] > 0
    assert report.counts[Outcome.DELETED] > 0
    assert report.counts[Outcome.FAILED] + report.counts[Outcome.DELETED] == 2 * BATCH + 1


def test_a_dry_run_changes_nothing_and_reports_the_same(sweeper: Sweeper, aws: Aws) -> None:
    aws.point("bob", OTHER.permanent_key)
    put(aws, make_id(4).permanent_key, MARKED)
    put(aws, "avatars/logo.png")
    add_orphans(aws, 5)
    aws.point("cleo", ORPHAN.permanent_key)
    aws.world = aws.world.set_value("cleo", AVATAR, Value(None, THIRD.id.text))
    put(aws, THIRD.permanent_key, replace(PICTURE, metadata=(("username", "cleo"),)))
    planned = sweeper.sweep(dry_run=True)
    assert planned.dry_run
    assert not aws.writes
    done = sweeper.sweep()
    assert (found(planned), planned.names) == (found(done), done.names)
    assert set(found(done)) == {
        Outcome.LIVE,
        Outcome.DELETED,
        Outcome.PENDING,
        Outcome.FOREIGN,
        Outcome.DANGLING,
        Outcome.KEPT,
    }


class TestTooManyOrphans:
    @pytest.mark.parametrize("dry_run", [True, False])
    @pytest.mark.parametrize(("limit", "deleted"), [(1, 0), (5, 0), (6, 6), (7, 6)])
    def test_none_is_deleted_beyond_the_maximum(
        self,
        sweeper: Sweeper,
        aws: Aws,
        limit: int,
        deleted: int,
        dry_run: bool,  # noqa: FBT001 - a table
    ) -> None:
        add_orphans(aws, 5)
        report = replace(sweeper, max_deletions=limit).sweep(dry_run=dry_run)
        assert (report.counts[Outcome.DELETED], report.counts[Outcome.SKIPPED]) == (deleted, 6 - deleted)
        assert report.needs_attention is bool(report.excess) is (deleted < 6)
        assert len(aws.objects) == (7 if dry_run else 7 - deleted)
        assert len(report.names[Outcome.SKIPPED]) == 6 - deleted

    @pytest.mark.parametrize(("avatars", "deleted"), [(287, 0), (288, 32)])
    def test_none_is_deleted_beyond_the_maximum_share(
        self, sweeper: Sweeper, aws: Aws, avatars: int, deleted: int
    ) -> None:
        add_orphans(aws, 31)
        for number in range(1, avatars):
            put(aws, make_id(100 + number).permanent_key)
            aws.point(f"user{number}", make_id(100 + number).permanent_key)
        report = replace(sweeper, max_deleted_share=0.1).sweep()
        assert report.listed["avatar"] == avatars + 32 == (319 if not deleted else 320)
        assert report.counts[Outcome.DELETED] == deleted
        assert report.counts[Outcome.SKIPPED] == 32 - deleted

    def test_all_are_counted_before_the_first_deletion(self, sweeper: Sweeper, aws: Aws) -> None:
        add_orphans(aws, 3 * BATCH)
        report = replace(sweeper, max_deletions=3 * BATCH).sweep()
        assert found(report) == {Outcome.LIVE: 1, Outcome.SKIPPED: 3 * BATCH + 1}
        assert not aws.writes

    def test_avatars_are_repaired_nevertheless(self, sweeper: Sweeper, aws: Aws) -> None:
        add_orphans(aws, 5)
        put(aws, LIVE.permanent_key, MARKED, RECENTLY)
        report = replace(sweeper, max_deletions=1).sweep()
        assert found(report) == {Outcome.RESTORED: 1, Outcome.SKIPPED: 6}


class TestRestoredTable:
    """A table that was restored to a state before its users uploaded their newest pictures."""

    @pytest.fixture
    def aws(self) -> Aws:
        """Ada's row refers to the picture that she has replaced since; Bob had none then. Cleo's row is current, and
        an old picture of hers remained.
        """
        aws = Aws(World(NOW).point("ada", LIVE.permanent_key).point("bob", None).point("cleo", THIRD.permanent_key))
        for username, upload_id in {"ada": ORPHAN, "bob": OTHER, "cleo": THIRD}.items():
            put(aws, upload_id.permanent_key, replace(PICTURE, metadata=(("username", username),)))
        put(aws, OLD.permanent_key, replace(PICTURE, metadata=(("username", "cleo"),)))
        return aws

    def test_the_newest_pictures_are_kept_and_replaced_ones_are_deleted(self, sweeper: Sweeper, aws: Aws) -> None:
        report = sweeper.sweep()
        assert found(report) == {Outcome.LIVE: 1, Outcome.KEPT: 2, Outcome.DANGLING: 1, Outcome.DELETED: 1}
        assert report.names[Outcome.KEPT] == [ORPHAN.permanent_key, OTHER.permanent_key]
        assert report.needs_attention
        assert aws.writes == [("DeleteObjects", OLD.permanent_key)]

    def test_pictures_are_kept_if_a_row_could_not_be_judged(self, sweeper: Sweeper, aws: Aws) -> None:
        aws.before = refuse("HeadObject", LIVE.permanent_key)
        report = sweeper.sweep()
        assert report.counts[Outcome.DANGLING] == 0
        assert report.names[Outcome.KEPT] == [OTHER.permanent_key]
        assert {ORPHAN.permanent_key, OTHER.permanent_key} <= aws.objects.keys()

    def test_a_picture_whose_row_is_restored_during_the_sweep_is_live(self, sweeper: Sweeper, aws: Aws) -> None:
        aws.before = once("GetItem", lambda: aws.point("ada", ORPHAN.permanent_key))
        assert found(sweeper.sweep())[Outcome.LIVE] == 2

    def test_an_orphan_whose_owner_replaces_the_avatar_during_the_sweep_is_left_to_the_next(
        self, sweeper: Sweeper, aws: Aws
    ) -> None:
        aws.point("ada", OTHER.permanent_key)
        aws.point("bob", OTHER.permanent_key)

        def replace_avatar(call: Call) -> None:
            """Between the reads of Ada's row and of her avatar, when the orphans are treated."""
            if call == Call("HeadObject", (OTHER.permanent_key,)):
                aws.point("ada", THIRD.permanent_key)
                aws.point("bob", THIRD.permanent_key)
                aws.remove(OTHER.permanent_key)

        aws.before = replace_avatar
        assert found(sweeper.sweep()) == {Outcome.LIVE: 2, Outcome.GONE: 1, Outcome.DELETED: 1}
        assert ORPHAN.permanent_key in aws.objects


@pytest.mark.parametrize("avatars", [{}, {"ada": None}])
def test_nothing_is_deleted_if_no_row_has_or_had_an_avatar(
    sweeper: Sweeper, aws: Aws, avatars: dict[str, str | None]
) -> None:
    aws.remove_rows()
    for username, avatar in avatars.items():
        aws.point(username, avatar)
    report = sweeper.sweep()
    assert report.rows == 0
    assert found(report) == {Outcome.SKIPPED: 2}
    assert report.names[Outcome.SKIPPED] == [LIVE.permanent_key, ORPHAN.permanent_key]
    assert not aws.writes


def test_the_object_of_the_last_removed_avatar_is_deleted(sweeper: Sweeper, aws: Aws) -> None:
    # The table is the right one: its row had an avatar.
    aws.world = aws.world.set_value("ada", AVATAR, Value(None, OTHER.id.text))
    report = sweeper.sweep()
    assert report.rows == 1
    assert found(report) == {Outcome.DELETED: 2}
    assert not aws.objects


def test_an_empty_bucket_and_an_empty_table_need_no_attention(executor: Executor) -> None:
    aws = Aws(World(NOW))
    report = Sweeper(aws.bucket, aws.users, limit_kinds(1, 1, 1), SETTLE, 1, 1.0, lambda: NOW, executor).sweep()
    assert found(report) == {}
    assert not report.needs_attention


def test_nothing_is_changed_if_the_scan_fails_midway(sweeper: Sweeper, aws: Aws) -> None:
    aws.point("zoe", OTHER.permanent_key)
    aws.before = refuse("Scan", "new")
    with pytest.raises(ClientError, match="AccessDenied"):
        sweeper.sweep()
    assert aws.operations == ["Scan", "Scan"]


def test_a_row_does_not_dangle_if_the_listing_fails_before_its_object(sweeper: Sweeper, aws: Aws) -> None:
    last = make_id(10 + BATCH + 1)
    add_orphans(aws, BATCH + 2)
    aws.point("bob", last.permanent_key)
    aws.before = refuse("ListObjectsV2", sorted(aws.objects)[BATCH - 1])
    with pytest.raises(ClientError, match="AccessDenied"):
        sweeper.sweep()
    assert Call("GetItem", ("bob",)) not in aws.calls
    # The orphans are counted before any is deleted.
    assert not aws.writes


def test_a_batch_is_no_larger_than_one_call_can_delete(sweeper: Sweeper, aws: Aws) -> None:
    add_orphans(aws, 2 * BATCH + 300)
    report = sweeper.sweep()
    assert report.counts[Outcome.DELETED] == 2 * BATCH + 301
    assert [len(deletion) - 1 for deletion in aws.writes] == [BATCH, BATCH, 301]
    assert aws.objects.keys() == {LIVE.permanent_key}


def test_a_batch_without_orphans_makes_no_deletion(sweeper: Sweeper, aws: Aws) -> None:
    for number in range(BATCH + 10):
        avatar = make_id(10 + number).permanent_key
        put(aws, avatar)
        aws.point(f"user{number}", avatar)
    sweeper.sweep()
    assert aws.writes == [("DeleteObjects", ORPHAN.permanent_key)]


def test_objects_are_read_in_parallel_and_deleted_in_order(sweeper: Sweeper, aws: Aws) -> None:
    add_orphans(aws, 200)
    put(aws, OTHER.permanent_key, MARKED)
    with ThreadPoolExecutor(8) as executor:
        report = replace(sweeper, executor=executor).sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.PENDING: 1, Outcome.DELETED: 201}
    [(_, *keys)] = aws.writes
    assert keys == sorted(keys)


def test_the_progress_of_each_phase_can_be_tracked(sweeper: Sweeper, aws: Aws) -> None:
    seen: list[tuple[str, int | None, int]] = []

    def show_progress(items: Iterable[Item], label: str, total: int | None) -> Iterable[Any]:
        """As a progress bar does: yields each item at once."""
        count = 0
        for item in items:
            count += 1
            yield item
        seen.append((label, total, count))

    aws.point("bob", OTHER.permanent_key)
    sweeper.sweep(show_progress=show_progress)
    others = [(kind.permanent_prefix, 0, 0) for kind in KINDS.values() if kind != AVATAR]
    assert seen == [("rows", None, 3), ("avatars/", 2, 2), *others, ("orphans", 1, 1), ("pending", None, 0)]
