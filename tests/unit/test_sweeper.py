"""The sweep over a bucket and a table in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from services.store.keys import PENDING_TAG, UploadId
from services.store.table import UnknownUserError
from services.uploads.bucket import Bucket, ChangedError, MissingObjectError, NotDeletedError
from services.uploads.decision import Replace, Restore
from services.uploads.objects import Listed, Reference, Stored
from services.uploads.picture import PictureLimits
from services.uploads.sweep.plan import REPAIR_SECONDS
from services.uploads.sweep.report import NEED_ATTENTION, Outcome
from services.uploads.sweep.sweeper import BATCH, Sweeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from services.uploads.sweep.report import Report
    from services.uploads.sweep.sweeper import Item
    from services.uploads.users import Users

SETTLE = 7200
NOW = 1_800_000_000
LONG_AGO = NOW - 30 * 86_400
PICTURE = Stored('"one"', 500, "image/png", {"username": "ada", "upload-token": "secret"}, "image/png", (40, 30))
MARK: Mapping[str, str] = {PENDING_TAG[0]: PENDING_TAG[1]}


def make_id(number: int, created: int = LONG_AGO) -> UploadId:
    text = f"{created * 1000:012x}"
    return UploadId(f"{text[:8]}-{text[8:]}-7000-8000-{number:012x}")


LIVE, ORPHAN, OTHER = make_id(1), make_id(2), make_id(3)


@dataclass(frozen=True)
class Thing:
    """An object of the bucket."""

    stored: Stored = PICTURE
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    modified: int = LONG_AGO

    @property
    def owner(self) -> str | None:
        return self.stored.metadata.get("username")


RECENT = Thing(modified=NOW - REPAIR_SECONDS + 1)


@dataclass
class World:
    """What S3 and DynamoDB hold, each change to it in order, and what happens before a call."""

    objects: dict[str, Thing]
    rows: dict[str, str | None]
    changes: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    before: Callable[[str, str], None] = lambda _call, _about: None


@dataclass
class FakeBucket:
    world: World

    def find(self, call: str, key: str) -> Thing:
        self.world.before(call, key)
        if key not in self.world.objects:
            raise MissingObjectError(key)
        return self.world.objects[key]

    def list_objects(self, prefix: str) -> Iterator[Listed]:
        self.world.before("list", "")
        for key in sorted(self.world.objects):
            if key.startswith(prefix):
                self.world.before("list", key)
                yield Listed(key, self.world.objects[key].modified)

    def find_owner(self, key: str) -> str | None:
        return self.find("owner", key).owner

    def read_tags(self, key: str) -> Mapping[str, str]:
        return self.find("tags", key).tags

    def inspect(self, key: str) -> Stored | None:
        self.world.before("inspect", key)
        found = self.world.objects.get(key)
        return replace(found.stored, tagged=bool(found.tags)) if found else None

    def repair(self, step: Restore | Replace) -> None:
        match step:
            case Restore(copy):
                change, key, etag = ("copy", copy.source, copy.target), copy.target, copy.etag
            case Replace(key, stored):
                change, etag = ("blank", key), stored.etag
        self.world.before("repair", key)
        found = self.world.objects.get(key)
        if found is None or found.stored.etag != etag:
            raise ChangedError(key)
        self.world.changes.append(change)
        self.world.objects[key] = replace(found, tags={}, modified=NOW)

    def delete(self, keys: Sequence[str]) -> None:
        self.world.before("delete", keys[0])
        assert len(keys) <= 1000
        self.world.changes.append(("delete", *keys))
        for key in keys:
            self.world.objects.pop(key, None)


@dataclass
class FakeUsers:
    world: World

    def list_references(self) -> Iterator[Reference]:
        for username, avatar in list(self.world.rows.items()):
            self.world.before("scan", username)
            if avatar:
                yield Reference(avatar, username)

    def find_avatar(self, username: str) -> str | None:
        self.world.before("row", username)
        if username not in self.world.rows:
            raise UnknownUserError(username)
        return self.world.rows[username]


@pytest.fixture
def world() -> World:
    """Ada has an avatar, and one that a confirm should have deleted is still there."""
    return World({LIVE.avatar_key: Thing(), ORPHAN.avatar_key: Thing()}, {"ada": LIVE.avatar_key, "new": None})


@pytest.fixture
def sweeper(world: World, executor: Executor) -> Sweeper:
    return Sweeper(
        bucket=cast("Bucket", FakeBucket(world)),
        users=cast("Users", FakeUsers(world)),
        limits=PictureLimits(max_bytes=1000, max_width=80, max_height=60),
        settle_seconds=SETTLE,
        max_deletions=10_000,
        clock=lambda: NOW,
        executor=executor,
    )


def found(report: Report) -> dict[Outcome, int]:
    """What there was of each, without what there was not."""
    return {outcome: count for outcome, count in report.counts.items() if count}


def once(call: str, action: Callable[[], None]) -> Callable[[str, str], None]:
    """Something that another one does, the first time that the sweep gets to a call."""
    left = [action]

    def act(what: str, _about: str) -> None:
        if what == call and left:
            left.pop()()

    return act


def refuse(call: str, about: str) -> Callable[[str, str], None]:
    def act(what: str, key: str) -> None:
        if (what, key) == (call, about):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, call)

    return act


def test_an_orphan_is_deleted_and_nothing_else_is(sweeper: Sweeper, world: World) -> None:
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.DELETED: 1}
    assert report.rows == 1
    assert not report.dry_run
    assert not report.needs_attention
    assert world.changes == [("delete", ORPHAN.avatar_key)]
    assert set(world.objects) == {LIVE.avatar_key}


def test_a_second_sweep_finds_nothing_left_to_do(sweeper: Sweeper, world: World) -> None:
    sweeper.sweep()
    world.changes.clear()
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1}
    assert not world.changes


@pytest.mark.parametrize("metadata", [{}, {"username": "nobody"}, {"username": "new"}, {"username": "ada"}])
def test_whoever_an_orphan_belongs_to_it_goes(sweeper: Sweeper, world: World, metadata: dict[str, str]) -> None:
    world.objects[ORPHAN.avatar_key] = Thing(replace(PICTURE, metadata=metadata))
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1}
    assert ORPHAN.avatar_key not in world.objects


@pytest.mark.parametrize(
    ("key", "thing", "outcome"),
    [
        pytest.param(ORPHAN.avatar_key, Thing(tags=MARK), Outcome.PENDING, id="never confirmed"),
        pytest.param(ORPHAN.avatar_key, Thing(modified=NOW - SETTLE + 1), Outcome.YOUNG, id="just written"),
        pytest.param(make_id(2, NOW - SETTLE + 1).avatar_key, Thing(), Outcome.YOUNG, id="just presigned"),
        pytest.param("avatars/logo.png", Thing(), Outcome.FOREIGN, id="none of ours"),
    ],
)
def test_what_is_not_surely_an_orphan_stays(
    sweeper: Sweeper, world: World, key: str, thing: Thing, outcome: Outcome
) -> None:
    del world.objects[ORPHAN.avatar_key]
    world.objects[key] = thing
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, outcome: 1}
    assert not world.changes


def test_an_object_with_another_tag_is_an_orphan_all_the_same(sweeper: Sweeper, world: World) -> None:
    world.objects[ORPHAN.avatar_key] = Thing(tags={"Status": "Other"})
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1}


def test_what_waits_under_pending_is_not_even_looked_at(sweeper: Sweeper, world: World) -> None:
    world.objects[ORPHAN.pending_key] = world.objects.pop(ORPHAN.avatar_key)
    world.before = refuse("owner", ORPHAN.pending_key)
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.PENDING: 1}
    assert not world.changes


def test_what_needs_no_closer_look_costs_no_call(sweeper: Sweeper, world: World) -> None:
    world.objects = {
        LIVE.avatar_key: Thing(),
        make_id(2, NOW).avatar_key: Thing(modified=NOW),
        "avatars/logo.png": Thing(),
    }
    calls: list[str] = []
    world.before = lambda call, _: calls.append(call)
    sweeper.sweep()
    assert set(calls) == {"scan", "list"}


class TestRepair:
    @pytest.fixture
    def world(self) -> World:
        """Ada posted her avatar again."""
        return World({LIVE.avatar_key: replace(RECENT, tags=MARK)}, {"ada": LIVE.avatar_key})

    def test_a_live_object_that_is_marked_is_restored(self, sweeper: Sweeper, world: World) -> None:
        report = sweeper.sweep()
        assert found(report) == {Outcome.RESTORED: 1}
        assert not report.needs_attention
        # Whichever strategy is on: it was posted under the one whose objects wait at their final key.
        assert world.changes == [("copy", LIVE.avatar_key, LIVE.avatar_key)]
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1}

    @pytest.mark.parametrize(
        "rubbish",
        [
            replace(PICTURE, format=None),
            replace(PICTURE, format="image/gif"),
            replace(PICTURE, dimensions=None),
            replace(PICTURE, dimensions=(81, 60)),
            replace(PICTURE, size=1001),
        ],
    )
    def test_a_live_object_that_is_no_picture_any_more_goes_blank(
        self, sweeper: Sweeper, world: World, rubbish: Stored
    ) -> None:
        world.objects[LIVE.avatar_key] = replace(RECENT, stored=rubbish, tags=MARK)
        report = sweeper.sweep()
        assert found(report) == {Outcome.REPLACED: 1}
        assert not report.needs_attention
        assert world.changes == [("blank", LIVE.avatar_key)]

    @pytest.mark.parametrize("tags", [{}, {"Status": "Other"}, {"Other": "Pending"}])
    def test_a_live_object_that_is_not_marked_stays_as_it_is(
        self, sweeper: Sweeper, world: World, tags: dict[str, str]
    ) -> None:
        world.objects[LIVE.avatar_key] = replace(RECENT, stored=replace(PICTURE, format=None), tags=tags)
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1}
        assert not world.changes

    @pytest.mark.parametrize("moment", ["tags", "inspect", "repair"])
    def test_a_live_object_that_goes_meanwhile_is_gone(self, sweeper: Sweeper, world: World, moment: str) -> None:
        world.before = once(moment, world.objects.clear)
        report = sweeper.sweep()
        assert found(report) == {Outcome.GONE: 1}
        assert not report.needs_attention
        assert not world.changes

    def test_a_live_object_that_is_posted_again_meanwhile_is_left_to_the_next_sweep(
        self, sweeper: Sweeper, world: World
    ) -> None:
        def post_rubbish() -> None:
            stored = replace(PICTURE, etag='"two"', format=None)
            world.objects[LIVE.avatar_key] = replace(RECENT, stored=stored, tags=MARK)

        world.before = once("repair", post_rubbish)
        assert found(sweeper.sweep()) == {Outcome.GONE: 1}
        assert not world.changes
        assert found(sweeper.sweep()) == {Outcome.REPLACED: 1}

    def test_a_dry_run_changes_nothing_and_counts_the_same(self, sweeper: Sweeper, world: World) -> None:
        world.objects[OTHER.avatar_key] = replace(RECENT, stored=replace(PICTURE, format=None), tags=MARK)
        world.rows["bob"] = OTHER.avatar_key
        planned = sweeper.sweep(dry_run=True)
        assert planned.dry_run
        assert not world.changes
        assert found(planned) == found(sweeper.sweep()) == {Outcome.RESTORED: 1, Outcome.REPLACED: 1}


class TestDangling:
    @pytest.fixture
    def world(self) -> World:
        """Ada's avatar is not there."""
        return World({OTHER.avatar_key: Thing()}, {"ada": LIVE.avatar_key, "bob": OTHER.avatar_key})

    def test_a_row_whose_object_is_missing_is_told_by_name(self, sweeper: Sweeper, world: World) -> None:
        report = sweeper.sweep()
        assert found(report) == {Outcome.LIVE: 1, Outcome.DANGLING: 1}
        assert report.names[Outcome.DANGLING] == [f"ada -> {LIVE.avatar_key}"]
        assert report.needs_attention
        assert not world.changes

    @pytest.mark.parametrize("moved_to", [ORPHAN.avatar_key, None])
    @pytest.mark.parametrize("moment", ["list", "owner", "row"])
    def test_a_row_that_moved_meanwhile_is_fine(
        self, sweeper: Sweeper, world: World, moment: str, moved_to: str | None
    ) -> None:
        world.before = once(moment, lambda: world.rows.update(ada=moved_to))
        report = sweeper.sweep()
        assert found(report) == {Outcome.LIVE: 1, Outcome.GONE: 1}
        assert not report.needs_attention

    def test_a_row_that_was_deleted_meanwhile_is_fine(self, sweeper: Sweeper, world: World) -> None:
        world.before = once("row", world.rows.clear)
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.GONE: 1}

    def test_an_object_that_is_there_after_all_is_live(self, sweeper: Sweeper, world: World) -> None:
        world.before = once("owner", lambda: world.objects.update({LIVE.avatar_key: Thing()}))
        assert found(sweeper.sweep()) == {Outcome.LIVE: 2}

    @pytest.mark.parametrize("is_there", [True, False])
    @pytest.mark.parametrize("avatar", [LIVE.pending_key, "elsewhere", "z"])
    def test_a_row_that_points_elsewhere_than_to_an_avatar_dangles_and_nothing_is_looked_for_there(
        self,
        sweeper: Sweeper,
        world: World,
        avatar: str,
        is_there: bool,  # noqa: FBT001 - a table
    ) -> None:
        # The sweep may read avatars and nothing else: S3 would answer 403, whatever is there.
        world.rows["ada"] = avatar
        if is_there:
            world.objects[avatar] = Thing()
        world.before = refuse("owner", avatar)
        report = sweeper.sweep()
        pending = {Outcome.PENDING: 1} if is_there and avatar.startswith("pending/") else {}
        assert found(report) == {Outcome.LIVE: 1, Outcome.DANGLING: 1} | pending
        assert report.names[Outcome.DANGLING] == [f"ada -> {avatar}"]

    def test_a_row_that_points_to_an_object_which_no_upload_could_have_made_is_not_dangling(
        self, sweeper: Sweeper, world: World
    ) -> None:
        world.objects["avatars/logo.png"] = Thing()
        world.rows["ada"] = "avatars/logo.png"
        assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.FOREIGN: 1}


@pytest.mark.parametrize("moment", ["owner", "tags"])
def test_an_orphan_that_goes_by_itself_is_gone(sweeper: Sweeper, world: World, moment: str) -> None:
    world.before = once(moment, lambda: world.objects.pop(ORPHAN.avatar_key, None) and None)
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.GONE: 1}
    assert not report.needs_attention
    assert not world.changes


@pytest.mark.parametrize("moment", ["list", "owner", "tags", "row"])
def test_what_a_confirm_makes_live_between_the_scan_and_the_look_is_kept(
    sweeper: Sweeper, world: World, moment: str
) -> None:
    world.before = once(moment, lambda: world.rows.update(ada=ORPHAN.avatar_key))
    assert found(sweeper.sweep()) == {Outcome.LIVE: 2}
    assert not world.changes


def test_the_age_is_that_of_before_anything_was_read(sweeper: Sweeper, world: World) -> None:
    now = make_id(2).created + SETTLE - 1

    def take_a_day(call: str, _about: str) -> None:
        nonlocal now
        now += 86_400 * (call == "scan")

    world.before = take_a_day
    assert found(replace(sweeper, clock=lambda: now).sweep())[Outcome.YOUNG] == 1
    assert not world.changes


@pytest.mark.parametrize("call", ["owner", "tags"])
def test_an_object_that_can_not_be_looked_at_is_told_and_the_others_are_dealt_with(
    sweeper: Sweeper, world: World, call: str, caplog: pytest.LogCaptureFixture
) -> None:
    world.objects[OTHER.avatar_key] = Thing()
    world.before = refuse(call, ORPHAN.avatar_key)
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.FAILED: 1, Outcome.DELETED: 1}
    assert report.names[Outcome.FAILED] == [ORPHAN.avatar_key]
    assert report.needs_attention
    assert world.changes == [("delete", OTHER.avatar_key)]
    [record] = caplog.records
    assert ORPHAN.avatar_key in record.getMessage()
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
def test_whatever_aws_does_to_one_object_the_others_are_dealt_with(
    sweeper: Sweeper, world: World, error: Exception
) -> None:
    def fail() -> None:
        raise error

    world.objects[OTHER.avatar_key] = Thing()
    world.before = once("owner", fail)
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.FAILED: 1, Outcome.DELETED: 1}


@pytest.mark.parametrize("call", ["tags", "inspect", "repair"])
def test_a_live_object_that_can_not_be_restored_is_told(sweeper: Sweeper, world: World, call: str) -> None:
    world.objects[LIVE.avatar_key] = replace(RECENT, tags=MARK)
    world.before = refuse(call, LIVE.avatar_key)
    report = sweeper.sweep()
    assert found(report) == {Outcome.FAILED: 1, Outcome.DELETED: 1}
    assert report.names[Outcome.FAILED] == [LIVE.avatar_key]


@pytest.mark.parametrize(("call", "about"), [("owner", LIVE.avatar_key), ("row", "ada")])
def test_a_row_that_can_not_be_looked_at_is_not_called_dangling(
    sweeper: Sweeper, world: World, call: str, about: str
) -> None:
    world.objects = {}
    world.before = refuse(call, about)
    report = sweeper.sweep()
    assert found(report) == {Outcome.FAILED: 1}
    assert report.names[Outcome.FAILED] == [f"ada -> {LIVE.avatar_key}"]


def test_a_mistake_of_ours_is_not_taken_for_one_of_aws(sweeper: Sweeper, world: World) -> None:
    def fail() -> None:
        raise KeyError

    world.before = once("owner", fail)
    with pytest.raises(KeyError):
        sweeper.sweep()
    assert not world.changes


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObjects"),
        ReadTimeoutError(endpoint_url="https://s3"),
        ResponseParserError("no XML"),
        NotDeletedError([ORPHAN.avatar_key], "AccessDenied"),
    ],
)
def test_a_delete_that_fails_is_told_and_the_next_sweep_tries_again(
    sweeper: Sweeper, world: World, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise error

    world.before = once("delete", fail)
    report = sweeper.sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.FAILED: 1}
    assert report.names[Outcome.FAILED] == [ORPHAN.avatar_key]
    assert str(error) in caplog.text
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1}


def test_of_a_delete_that_is_refused_in_part_the_rest_is_done(sweeper: Sweeper, world: World) -> None:
    def refuse() -> None:
        raise NotDeletedError([ORPHAN.avatar_key], "AccessDenied")

    add_orphans(world, 2)
    world.before = once("delete", refuse)
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.FAILED: 1, Outcome.DELETED: 2}


def test_what_lies_under_a_retired_pending_prefix_is_counted_too(sweeper: Sweeper, world: World) -> None:
    world.objects |= {"waiting/old": Thing(), "pending/old": Thing()}
    report = replace(sweeper, pending_prefixes=("waiting/", "pending/")).sweep()
    assert report.counts[Outcome.PENDING] == 2
    assert {"waiting/old", "pending/old"} <= world.objects.keys()


def test_what_waits_under_pending_is_counted_and_left_alone(sweeper: Sweeper, world: World) -> None:
    world.objects |= {"pending/old": Thing(), "pending/new": Thing(modified=NOW)}
    assert found(sweeper.sweep()) == {Outcome.LIVE: 1, Outcome.DELETED: 1, Outcome.PENDING: 1, Outcome.YOUNG: 1}
    assert {"pending/old", "pending/new"} <= world.objects.keys()


def add_orphans(world: World, count: int) -> None:
    world.objects |= {make_id(10 + number).avatar_key: Thing() for number in range(count)}


def test_a_delete_that_fails_does_not_hold_up_the_next_batch(sweeper: Sweeper, world: World) -> None:
    def fail() -> None:
        raise ReadTimeoutError(endpoint_url="https://s3")

    add_orphans(world, 2 * BATCH)
    world.before = once("delete", fail)
    report = sweeper.sweep()
    assert report.counts[Outcome.FAILED] > 0
    assert report.counts[Outcome.DELETED] > 0
    assert report.counts[Outcome.FAILED] + report.counts[Outcome.DELETED] == 2 * BATCH + 1


def test_a_dry_run_changes_nothing_and_counts_the_same(sweeper: Sweeper, world: World) -> None:
    world.rows["bob"] = OTHER.avatar_key
    world.objects[make_id(4).avatar_key] = Thing(tags=MARK)
    world.objects["avatars/logo.png"] = Thing()
    add_orphans(world, 5)
    limited = replace(sweeper, max_deletions=3)
    planned = limited.sweep(dry_run=True)
    assert planned.dry_run
    assert not world.changes
    done = limited.sweep()
    assert (found(planned), planned.names) == (found(done), done.names)
    assert set(found(done)) == {*NEED_ATTENTION, Outcome.LIVE, Outcome.DELETED, Outcome.PENDING, Outcome.FOREIGN} - {
        Outcome.FAILED
    }


@pytest.mark.parametrize(("most", "deleted"), [(1, 1), (5, 5), (6, 6), (7, 6)])
def test_more_than_the_most_is_left_to_a_person(sweeper: Sweeper, world: World, most: int, deleted: int) -> None:
    add_orphans(world, 5)
    report = replace(sweeper, max_deletions=most).sweep()
    assert (report.counts[Outcome.DELETED], report.counts[Outcome.SKIPPED]) == (deleted, 6 - deleted)
    assert report.needs_attention is (deleted < 6)
    assert len(world.objects) == 1 + 6 - deleted
    assert len(report.names[Outcome.SKIPPED]) == 6 - deleted


def test_the_most_is_that_of_all_batches_together(sweeper: Sweeper, world: World) -> None:
    add_orphans(world, 3 * BATCH)
    report = replace(sweeper, max_deletions=BATCH + 5).sweep()
    assert report.counts[Outcome.DELETED] == BATCH + 5
    assert report.counts[Outcome.SKIPPED] == 2 * BATCH - 4


def test_what_may_have_been_deleted_though_the_call_failed_counts_to_the_most(sweeper: Sweeper, world: World) -> None:
    delete = FakeBucket(world).delete

    class LosesAnswers(FakeBucket):
        def delete(self, keys: Sequence[str]) -> None:
            delete(keys)
            raise ReadTimeoutError(endpoint_url="https://s3")

    add_orphans(world, 5 * BATCH)
    report = replace(sweeper, bucket=cast("Bucket", LosesAnswers(world)), max_deletions=BATCH).sweep()
    assert sum(len(change) - 1 for change in world.changes) == BATCH
    assert report.counts[Outcome.FAILED] == BATCH
    assert report.counts[Outcome.SKIPPED] == 4 * BATCH + 1


@pytest.mark.parametrize("rows", [{}, {"ada": None}])
def test_a_table_without_avatars_is_taken_for_the_wrong_one(
    sweeper: Sweeper, world: World, rows: dict[str, str | None]
) -> None:
    world.rows = rows
    report = sweeper.sweep()
    assert report.rows == 0
    assert found(report) == {Outcome.SKIPPED: 2}
    assert report.names[Outcome.SKIPPED] == [LIVE.avatar_key, ORPHAN.avatar_key]
    assert not world.changes


def test_where_there_is_nothing_at_all_there_is_nothing_to_do(sweeper: Sweeper, world: World) -> None:
    world.rows, world.objects = {}, {}
    report = sweeper.sweep()
    assert found(report) == {}
    assert not report.needs_attention


def test_a_scan_that_fails_midway_means_that_nothing_is_touched(sweeper: Sweeper, world: World) -> None:
    calls: list[str] = []

    def fail_at_the_second(call: str, username: str) -> None:
        calls.append(call)
        refuse("scan", "new")(call, username)

    world.before = fail_at_the_second
    with pytest.raises(ClientError, match="AccessDenied"):
        sweeper.sweep()
    assert calls == ["scan", "scan"]
    assert not world.changes


def test_a_listing_that_fails_midway_calls_nothing_dangling_that_it_did_not_reach(
    sweeper: Sweeper, world: World
) -> None:
    add_orphans(world, BATCH + 1)
    last = make_id(10 + BATCH + 1)
    world.objects[last.avatar_key] = Thing()
    world.rows["bob"] = last.avatar_key
    world.before = refuse("list", last.avatar_key)
    asked: list[str] = []
    refusal = world.before

    def note(call: str, about: str) -> None:
        asked.extend([about] * (call == "row"))
        refusal(call, about)

    world.before = note
    with pytest.raises(ClientError, match="AccessDenied"):
        sweeper.sweep()
    assert "bob" not in asked
    # The first batch was read in full, and is done with.
    [change] = world.changes
    assert len(change) - 1 == BATCH - 1
    assert {LIVE.avatar_key, last.avatar_key} <= set(world.objects)


def test_a_batch_is_no_larger_than_s3_deletes_in_one_call(sweeper: Sweeper, world: World) -> None:
    add_orphans(world, 2 * BATCH + 300)
    report = sweeper.sweep()
    assert report.counts[Outcome.DELETED] == 2 * BATCH + 301
    # The first of all is the live one.
    assert [len(change) - 1 for change in world.changes] == [BATCH - 1, BATCH, 302]
    assert set(world.objects) == {LIVE.avatar_key}


def test_a_batch_without_orphans_is_no_call(sweeper: Sweeper, world: World) -> None:
    world.rows |= {f"user{number}": make_id(10 + number).avatar_key for number in range(BATCH + 10)}
    world.objects |= {avatar: Thing() for avatar in world.rows.values() if avatar}
    sweeper.sweep()
    assert world.changes == [("delete", ORPHAN.avatar_key)]


def test_looks_may_be_many_at_once(sweeper: Sweeper, world: World) -> None:
    add_orphans(world, 200)
    world.objects[OTHER.avatar_key] = Thing(tags=MARK)
    with ThreadPoolExecutor(8) as executor:
        report = replace(sweeper, executor=executor).sweep()
    assert found(report) == {Outcome.LIVE: 1, Outcome.PENDING: 1, Outcome.DELETED: 201}
    assert list(world.changes[0][1:]) == sorted(world.changes[0][1:])


def test_somebody_may_watch_how_far_it_has_come(sweeper: Sweeper, world: World) -> None:
    seen: list[tuple[str, int | None, int]] = []

    def show_progress(items: Iterable[Item], label: str, total: int | None) -> Iterable[Item]:
        """As a bar does: hands each one on at once."""
        count = 0
        for item in items:
            count += 1
            yield item
        seen.append((label, total, count))

    world.rows["bob"] = OTHER.avatar_key
    sweeper.sweep(show_progress=show_progress)
    assert seen == [("rows", None, 2), ("objects", 2, 2), ("pending", None, 0)]
