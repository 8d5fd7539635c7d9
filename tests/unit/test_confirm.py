"""Confirm over a bucket and a table in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from services.store.keys import UploadId
from services.store.table import UnknownUserError
from services.uploads.bucket import Bucket, ChangedError
from services.uploads.confirm import LAST_CALL_SECONDS, MAX_TRIES, Confirmed, Confirmer, KeepsChangingError
from services.uploads.deadline import DeadlineExceededError
from services.uploads.decision import Limits, Replace, Restore
from services.uploads.objects import Copy, Stored
from services.uploads.refusals import (
    ExpiredError,
    NotAPictureError,
    OtherStrategyError,
    SupersededError,
    UnknownUploadError,
)
from services.uploads.strategies import Prefix, Strategy, Tag
from services.uploads.users import NotForwardError, Users

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from services.uploads.deadline import Deadline

EARLIER = UploadId("019b0000-0000-7000-8000-000000000001")
UPLOAD = UploadId("019b0000-0000-7000-8000-000000000002")
LATER = UploadId("019b0000-0000-7000-8000-000000000003")
LIMITS = Limits(max_bytes=1000, max_width=80, max_height=60, form_seconds=300, confirm_seconds=3600)
PICTURE = Stored('"one"', 500, "image/png", {"username": "ada", "upload-token": "secret"}, "image/png", (40, 30))


class CrashError(BaseException):
    """The process is gone: nothing in it may go on."""


@dataclass
class World:
    """What S3 and DynamoDB hold, each change to it in order, and what happens before a change."""

    objects: dict[str, Stored]
    rows: dict[str, str | None]
    changes: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    before: Callable[[str], None] = lambda _: None

    def change(self, *what: str) -> None:
        self.before(what[0])
        self.changes.append(what)

    def check(self) -> None:
        """I1: no row points at a missing object."""
        assert all(avatar is None or avatar in self.objects for avatar in self.rows.values())


@dataclass
class FakeBucket:
    world: World

    def inspect(self, key: str, deadline: Deadline) -> Stored | None:
        self.world.before("inspect")
        deadline.check()
        return self.world.objects.get(key)

    def copy(self, step: Copy) -> None:
        self.world.change("copy", step.source, step.target)
        self.world.objects[step.target] = replace(self.find(step.source, step.etag), tagged=False)

    def repair(self, step: Restore | Replace) -> None:
        match step:
            case Restore(copy):
                self.copy(copy)
            case Replace(key, stored):
                self.blank(key, stored)

    def blank(self, key: str, stored: Stored) -> None:
        self.world.change("blank", key)
        self.world.objects[key] = replace(self.find(key, stored.etag), etag='"blank"', format="image/png", tagged=False)

    def find(self, key: str, etag: str) -> Stored:
        found = self.world.objects.get(key)
        if found is None or found.etag != etag:
            raise ChangedError(key)
        return found

    def delete(self, keys: Sequence[str]) -> None:
        self.world.change("delete", *keys)
        for key in keys:
            self.world.objects.pop(key, None)


@dataclass
class FakeUsers:
    world: World

    def find_avatar(self, username: str) -> str | None:
        if username not in self.world.rows:
            raise UnknownUserError(username)
        return self.world.rows[username]

    def advance(self, username: str, avatar: str) -> str | None:
        self.world.change("advance", username, avatar)
        before = self.find_avatar(username)
        if before is not None and before >= avatar:
            raise NotForwardError(before)
        self.world.rows[username] = avatar
        return before


@dataclass
class LazyFuture:
    compute: Callable[[], Any]

    def result(self) -> Any:
        return self.compute()


class LazyExecutor:
    """Does a thing as late as possible: when somebody wants its result."""

    def submit(self, function: Callable[..., Any], *given: Any) -> LazyFuture:
        return LazyFuture(lambda: function(*given))


@pytest.fixture
def world() -> World:
    """Ada has an avatar, and has posted the next one."""
    return World({EARLIER.avatar_key: PICTURE, UPLOAD.pending_key: PICTURE}, {"ada": EARLIER.avatar_key})


@pytest.fixture
def bucket(world: World) -> FakeBucket:
    return FakeBucket(world)


@pytest.fixture
def uploads(world: World, bucket: FakeBucket, executor: Executor) -> Confirmer:
    return Confirmer(
        bucket=cast("Bucket", bucket),
        users=cast("Users", FakeUsers(world)),
        strategy=Prefix(),
        limits=LIMITS,
        clock=lambda: UPLOAD.created + 60,
        executor=executor,
    )


def once(moment: str, action: Callable[[], None]) -> Callable[[str], None]:
    """Something that another request does, the first time that this one gets to a moment."""
    left = [action]

    def act(what: str) -> None:
        if what == moment and left:
            left.pop()()

    return act


def test_a_confirm_copies_then_points_then_leaves_the_old_and_the_pending_one_over(
    uploads: Confirmer, world: World
) -> None:
    confirmed = uploads.confirm("ada", UPLOAD.pending_key)
    assert confirmed == Confirmed(UPLOAD.avatar_key, (EARLIER.avatar_key, UPLOAD.pending_key))
    assert world.changes == [
        ("copy", UPLOAD.pending_key, UPLOAD.avatar_key),
        ("advance", "ada", UPLOAD.avatar_key),
    ]
    uploads.discard(confirmed.leftovers)
    assert world.objects == {UPLOAD.avatar_key: PICTURE}
    world.check()


def test_the_first_avatar_leaves_only_the_pending_object_over(uploads: Confirmer, world: World) -> None:
    world.rows["ada"] = None
    assert uploads.confirm("ada", UPLOAD.pending_key).leftovers == (UPLOAD.pending_key,)


def test_a_repeat_changes_nothing(uploads: Confirmer, world: World) -> None:
    uploads.discard(uploads.confirm("ada", UPLOAD.pending_key).leftovers)
    world.changes.clear()
    assert uploads.confirm("ada", UPLOAD.pending_key) == Confirmed(UPLOAD.avatar_key, ())
    assert not world.changes


def test_a_repeat_leaves_over_what_was_posted_again(uploads: Confirmer, world: World) -> None:
    uploads.discard(uploads.confirm("ada", UPLOAD.pending_key).leftovers)
    world.objects[UPLOAD.pending_key] = replace(PICTURE, etag='"two"')
    assert uploads.confirm("ada", UPLOAD.pending_key) == Confirmed(UPLOAD.avatar_key, (UPLOAD.pending_key,))


@pytest.mark.parametrize(
    ("stored", "seconds", "error"),
    [
        (None, 60, UnknownUploadError),
        (replace(PICTURE, metadata={"username": "eve"}), 60, UnknownUploadError),
        (replace(PICTURE, format=None), 60, NotAPictureError),
        (PICTURE, 3601, ExpiredError),
    ],
)
def test_a_refused_confirm_changes_nothing(
    uploads: Confirmer, world: World, stored: Stored | None, seconds: int, error: type[Exception]
) -> None:
    del world.objects[UPLOAD.pending_key]
    if stored:
        world.objects[UPLOAD.pending_key] = stored
    late = replace(uploads, clock=lambda: UPLOAD.created + seconds)
    with pytest.raises(error):
        late.confirm("ada", UPLOAD.pending_key)
    assert not world.changes


def test_a_repeat_that_looked_at_the_row_too_early_looks_again(uploads: Confirmer, world: World) -> None:
    def finish_another_confirm(what: str) -> None:
        """Between the row, which has been read, and the object, which is about to be looked for."""
        if what == "inspect":
            world.before = lambda _: None
            uploads.discard(uploads.confirm("ada", UPLOAD.pending_key).leftovers)

    world.before = finish_another_confirm
    early = replace(uploads, executor=cast("Executor", LazyExecutor()))
    assert early.confirm("ada", UPLOAD.pending_key).avatar == UPLOAD.avatar_key


@pytest.mark.parametrize(("slow", "carried_out"), [("inspect", 0), ("copy", 1)])
def test_a_confirm_that_takes_too_long_is_broken_off(
    uploads: Confirmer, world: World, slow: str, carried_out: int
) -> None:
    now = UPLOAD.created + 60

    def take_long(what: str) -> None:
        nonlocal now
        if what == slow:
            now += LAST_CALL_SECONDS + 1

    world.before = take_long
    slowed = replace(uploads, clock=lambda: now)
    with pytest.raises(DeadlineExceededError):
        slowed.confirm("ada", UPLOAD.pending_key)
    assert len(world.changes) == carried_out
    assert world.rows == {"ada": EARLIER.avatar_key}
    world.before = lambda _: None
    assert slowed.confirm("ada", UPLOAD.pending_key).avatar == UPLOAD.avatar_key


def test_no_second_try_is_begun_too_late(uploads: Confirmer, world: World) -> None:
    now = UPLOAD.created + 60
    looks: list[str] = []

    def change_slowly(what: str) -> None:
        nonlocal now
        looks.append(what)
        if what == "copy":
            now += LAST_CALL_SECONDS + 1
            world.objects[UPLOAD.pending_key] = replace(PICTURE, etag='"two"')

    world.before = change_slowly
    with pytest.raises(DeadlineExceededError):
        replace(uploads, clock=lambda: now).confirm("ada", UPLOAD.pending_key)
    assert looks == ["inspect", "copy"]


def test_the_row_is_not_read_again_too_late(uploads: Confirmer, world: World) -> None:
    del world.objects[UPLOAD.pending_key]
    times = iter([60, 60, 60, 60, 60 + LAST_CALL_SECONDS + 1])
    with pytest.raises(DeadlineExceededError):
        replace(uploads, clock=lambda: UPLOAD.created + next(times)).confirm("ada", UPLOAD.pending_key)


def test_a_loser_is_told_before_its_objects_are_deleted(uploads: Confirmer, world: World) -> None:
    later = replace(uploads, executor=cast("Executor", LazyExecutor()))
    world.before = once("advance", lambda: world.rows.update(ada=LATER.avatar_key))
    for _ in range(2):
        with pytest.raises(SupersededError):
            later.confirm("ada", UPLOAD.pending_key)
    assert [change[0] for change in world.changes] == ["copy", "advance"]


@pytest.mark.parametrize("key", [UPLOAD.text, "pending/../avatars/x", ""])
def test_a_key_that_is_none_of_ours_is_not_even_looked_at(uploads: Confirmer, world: World, key: str) -> None:
    looks: list[str] = []
    world.before = looks.append
    with pytest.raises(UnknownUploadError, match=r"^There is no upload of that key\.$"):
        uploads.confirm("ada", key)
    assert not looks


def test_an_unknown_user_confirms_nothing(uploads: Confirmer, world: World) -> None:
    with pytest.raises(UnknownUserError):
        uploads.confirm("nobody", UPLOAD.pending_key)
    assert not world.changes


def test_a_failure_to_read_the_object_is_not_taken_for_a_missing_object(uploads: Confirmer, world: World) -> None:
    def fail(_: str) -> None:
        raise PermissionError

    world.before = fail
    with pytest.raises(PermissionError):
        uploads.confirm("ada", UPLOAD.pending_key)


def test_who_comes_too_late_at_the_row_deletes_the_own_copy_and_nothing_else(uploads: Confirmer, world: World) -> None:
    def confirm_a_later_one() -> None:
        world.objects[LATER.avatar_key] = PICTURE
        world.rows["ada"] = LATER.avatar_key

    world.before = once("advance", confirm_a_later_one)
    with pytest.raises(SupersededError):
        uploads.confirm("ada", UPLOAD.pending_key)
    assert world.changes[-1] == ("delete", UPLOAD.avatar_key, UPLOAD.pending_key)
    assert world.rows == {"ada": LATER.avatar_key}
    # The old avatar is for the one to delete who replaced it.
    assert set(world.objects) == {EARLIER.avatar_key, LATER.avatar_key}


def test_two_confirms_of_one_upload_both_succeed(uploads: Confirmer, world: World) -> None:
    answers: list[Confirmed] = []
    world.before = once("advance", lambda: answers.append(uploads.confirm("ada", UPLOAD.pending_key)))
    answers.append(uploads.confirm("ada", UPLOAD.pending_key))
    assert [answer.avatar for answer in answers] == [UPLOAD.avatar_key] * 2
    # The one who replaced the old avatar is the only one to delete it, and neither deletes the new one.
    assert [answer.leftovers for answer in answers] == [
        (EARLIER.avatar_key, UPLOAD.pending_key),
        (UPLOAD.pending_key,),
    ]
    world.check()


def test_an_object_that_was_replaced_is_checked_anew(uploads: Confirmer, world: World) -> None:
    other = replace(PICTURE, etag='"two"')

    def post_another() -> None:
        world.objects[UPLOAD.pending_key] = other

    world.before = once("copy", post_another)
    assert uploads.confirm("ada", UPLOAD.pending_key).avatar == UPLOAD.avatar_key
    assert world.objects[UPLOAD.avatar_key] == other


def test_rubbish_posted_after_the_check_does_not_become_the_avatar(uploads: Confirmer, world: World) -> None:
    def post_rubbish() -> None:
        world.objects[UPLOAD.pending_key] = replace(PICTURE, etag='"two"', format=None)

    world.before = once("copy", post_rubbish)
    with pytest.raises(NotAPictureError):
        uploads.confirm("ada", UPLOAD.pending_key)
    assert UPLOAD.avatar_key not in world.objects
    assert world.rows == {"ada": EARLIER.avatar_key}


def test_an_object_that_is_replaced_again_and_again_is_given_up(uploads: Confirmer, world: World) -> None:
    copies: list[str] = []

    def post_another(moment: str) -> None:
        if moment == "copy":
            copies.append(moment)
            world.objects[UPLOAD.pending_key] = replace(PICTURE, etag=f'"{len(copies)}"')

    world.before = post_another
    with pytest.raises(KeepsChangingError):
        uploads.confirm("ada", UPLOAD.pending_key)
    assert len(copies) == MAX_TRIES
    assert world.rows == {"ada": EARLIER.avatar_key}
    assert UPLOAD.avatar_key not in world.objects


@pytest.mark.parametrize("moment", ["inspect", "copy", "advance", "delete", "the end"])
def test_a_confirm_that_stops_anywhere_is_finished_by_its_repeat(uploads: Confirmer, world: World, moment: str) -> None:
    def crash() -> None:
        raise CrashError

    world.before = once(moment, crash)
    with pytest.raises(CrashError):  # noqa: PT012 - the end is a place to stop, too
        uploads.discard(uploads.confirm("ada", UPLOAD.pending_key).leftovers)
        raise CrashError
    world.check()
    assert world.rows["ada"] in {EARLIER.avatar_key, UPLOAD.avatar_key}
    answer = uploads.confirm("ada", UPLOAD.pending_key)
    assert answer.avatar == world.rows["ada"] == UPLOAD.avatar_key
    uploads.discard(answer.leftovers)
    world.check()
    assert UPLOAD.pending_key not in world.objects


def test_a_delete_that_fails_is_logged_and_left_to_the_sweep(
    uploads: Confirmer, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ConnectionError("S3 is away")

    world.before = once("delete", fail)
    uploads.discard((EARLIER.avatar_key,))
    assert EARLIER.avatar_key in world.objects
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert EARLIER.avatar_key in record.getMessage()
    assert record.exc_info


def test_a_confirm_that_lost_says_so_even_if_its_copy_can_not_be_deleted(uploads: Confirmer, world: World) -> None:
    def get_in_the_way(moment: str) -> None:
        if moment == "advance":
            world.rows["ada"] = LATER.avatar_key
        if moment == "delete":
            raise ConnectionError

    world.before = get_in_the_way
    with pytest.raises(SupersededError):
        uploads.confirm("ada", UPLOAD.pending_key)


def test_nothing_to_discard_is_no_call(uploads: Confirmer, world: World) -> None:
    uploads.discard(())
    assert not world.changes


@pytest.mark.parametrize("moment", ["copy", "advance"])
def test_other_failures_surface(uploads: Confirmer, world: World, moment: str) -> None:
    def fail() -> None:
        raise PermissionError

    world.before = once(moment, fail)
    with pytest.raises(PermissionError):
        uploads.confirm("ada", UPLOAD.pending_key)
    assert world.rows == {"ada": EARLIER.avatar_key}
    world.check()


def test_an_upload_of_the_other_strategy_is_told_so_and_not_looked_at(uploads: Confirmer, world: World) -> None:
    looks: list[str] = []
    world.before = looks.append
    with pytest.raises(OtherStrategyError):
        uploads.confirm("ada", UPLOAD.avatar_key)
    with pytest.raises(OtherStrategyError):
        replace(uploads, strategy=Tag()).confirm("ada", UPLOAD.pending_key, "secret")
    assert not looks


def test_a_loser_that_comes_back_is_deleted(uploads: Confirmer, world: World) -> None:
    world.rows["ada"] = LATER.avatar_key
    with pytest.raises(SupersededError):
        uploads.confirm("ada", UPLOAD.pending_key)
    # What an earlier try may have copied goes along.
    assert world.changes == [("delete", UPLOAD.avatar_key, UPLOAD.pending_key)]


def test_somebody_elses_object_is_not_deleted_for_a_loser(uploads: Confirmer, world: World) -> None:
    world.rows["ada"] = LATER.avatar_key
    world.objects[UPLOAD.pending_key] = replace(PICTURE, metadata={"username": "eve"})
    with pytest.raises(SupersededError):
        uploads.confirm("ada", UPLOAD.pending_key)
    assert not world.changes


class TestTag:
    """What is different where the object waits at its final key."""

    KEY = UPLOAD.avatar_key

    @pytest.fixture
    def world(self) -> World:
        waiting = replace(PICTURE, tagged=True)
        return World({EARLIER.avatar_key: PICTURE, self.KEY: waiting}, {"ada": EARLIER.avatar_key})

    @pytest.fixture
    def uploads(self, uploads: Confirmer) -> Confirmer:
        strategy: Strategy = Tag()
        return replace(uploads, strategy=strategy)

    def test_a_confirm_takes_the_tag_away_and_then_points(self, uploads: Confirmer, world: World) -> None:
        confirmed = uploads.confirm("ada", self.KEY, "secret")
        assert confirmed == Confirmed(self.KEY, (EARLIER.avatar_key,))
        assert world.changes == [("copy", self.KEY, self.KEY), ("advance", "ada", self.KEY)]
        uploads.discard(confirmed.leftovers)
        assert world.objects == {self.KEY: PICTURE}

    def test_a_repeat_changes_nothing(self, uploads: Confirmer, world: World) -> None:
        uploads.confirm("ada", self.KEY, "secret")
        world.changes.clear()
        assert uploads.confirm("ada", self.KEY, "secret") == Confirmed(self.KEY, ())
        assert not world.changes

    @pytest.mark.parametrize("token", ["guess", None])
    def test_without_its_token_it_is_unknown(self, uploads: Confirmer, world: World, token: str | None) -> None:
        with pytest.raises(UnknownUploadError):
            uploads.confirm("ada", self.KEY, token)
        assert not world.changes

    def test_what_is_posted_between_check_and_copy_is_checked_itself(self, uploads: Confirmer, world: World) -> None:
        def post_rubbish() -> None:
            world.objects[self.KEY] = replace(PICTURE, etag='"two"', format=None, tagged=True)

        world.before = once("copy", post_rubbish)
        with pytest.raises(NotAPictureError):
            uploads.confirm("ada", self.KEY, "secret")
        assert world.objects[self.KEY].tagged
        assert world.rows == {"ada": EARLIER.avatar_key}

    def test_a_live_avatar_that_was_posted_again_is_restored(self, uploads: Confirmer, world: World) -> None:
        world.rows["ada"] = self.KEY
        assert uploads.confirm("ada", self.KEY, "secret") == Confirmed(self.KEY, ())
        assert world.changes == [("copy", self.KEY, self.KEY)]
        assert not world.objects[self.KEY].tagged

    def test_rubbish_that_was_posted_over_a_live_avatar_goes_blank(self, uploads: Confirmer, world: World) -> None:
        world.rows["ada"] = self.KEY
        world.objects[self.KEY] = replace(PICTURE, format=None, tagged=True)
        with pytest.raises(NotAPictureError):
            uploads.confirm("ada", self.KEY, "secret")
        assert world.changes == [("blank", self.KEY)]
        assert uploads.confirm("ada", self.KEY, "secret") == Confirmed(self.KEY, ())
        assert world.rows == {"ada": self.KEY}

    def test_a_loser_is_deleted_where_it_waits(self, uploads: Confirmer, world: World) -> None:
        world.rows["ada"] = LATER.avatar_key
        with pytest.raises(SupersededError):
            uploads.confirm("ada", self.KEY, "secret")
        assert world.changes == [("delete", self.KEY)]
