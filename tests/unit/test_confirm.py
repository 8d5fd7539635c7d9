"""Confirm over the fake of S3 and DynamoDB (`tests/fake`). `tests/model` tries every order of events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from services.store.keys import PENDING_TAG
from services.store.kinds import AVATAR
from services.store.table import UnknownUserError, Value
from services.uploads.confirm import MAX_TRIES, Confirmed, Confirmer
from services.uploads.deadline import LAST_CALL_SECONDS, DeadlineExceededError
from services.uploads.decision import Limits
from services.uploads.picture import limit_kinds
from services.uploads.refusals import (
    DigestMismatchError,
    ExpiredError,
    KeepsChangingError,
    NotAPictureError,
    OtherStrategyError,
    RemovedError,
    SupersededError,
    TooLargeError,
    UnknownUploadError,
)
from services.uploads.strategies import Prefix, Tag, hash_token
from tests.fake.aws import Aws, do_nothing, fail, once, refuse
from tests.fake.executors import Lazy
from tests.fake.world import DIGESTS, Call, Failure, Object, World
from tests.rows import make_upload

if TYPE_CHECKING:
    from concurrent.futures import Executor

EARLIER = make_upload("019b0000-0000-7000-8000-000000000001")
UPLOAD = make_upload("019b0000-0000-7000-8000-000000000002")
LATER = make_upload("019b0000-0000-7000-8000-000000000003")
LIMITS = Limits(limit_kinds(1000, 80, 60), form_seconds=300, confirm_seconds=3600)


def make_object(body: str, *, owner: str = "ada", declared: str | None = None) -> Object:
    """An object as a form lets it be posted, or with other bytes than the declared ones."""
    metadata = (("sha256", DIGESTS[declared or body]), ("upload-token", hash_token("secret")), ("username", owner))
    return Object(body, metadata, modified=UPLOAD.id.created + 60)


def make_copy(posted: Object) -> Object:
    """The copy that a confirm makes of this object under `prefix`."""
    metadata = tuple((name, value) for name, value in posted.metadata if name != "upload-token")
    return replace(posted, metadata=metadata, has_checksum=True)


POSTED, OTHER, BAD = make_object("good"), make_object("other"), make_object("bad")
CONFIRMED = make_copy(POSTED)
TWIN = make_object("twin", declared="good")
"""Other bytes with the ETag of `POSTED`."""


class CrashError(BaseException):
    """The process died, so none of its code may run any more."""


@pytest.fixture
def aws() -> Aws:
    """Ada has an avatar and has posted the next one."""
    world = World(UPLOAD.id.created + 60).point("ada", EARLIER.permanent_key)
    return Aws(world.put(EARLIER.permanent_key, CONFIRMED).put(UPLOAD.pending_key, POSTED))


@pytest.fixture
def confirmer(aws: Aws, executor: Executor) -> Confirmer:
    return Confirmer(aws.bucket, aws.users, Prefix(), LIMITS, lambda: aws.now, executor)


def remove_avatar(aws: Aws) -> None:
    """A removal after the upload was presigned."""
    aws.world = aws.world.set_value("ada", AVATAR, Value(None, LATER.id.text))


def check(aws: Aws) -> None:
    """I1: no row refers to a missing object."""
    assert all(avatar is None or avatar in aws.objects for avatar in aws.avatars.values())


def test_a_confirm_copies_the_object_then_updates_the_row_and_names_the_leftovers(
    confirmer: Confirmer, aws: Aws
) -> None:
    confirmed = confirmer.confirm("ada", UPLOAD.pending_key)
    assert (confirmed.upload, confirmed.leftovers) == (UPLOAD, (EARLIER.permanent_key, UPLOAD.pending_key))
    assert aws.writes == [
        ("CopyObject", UPLOAD.pending_key, UPLOAD.permanent_key),
        ("UpdateItem", "ada", UPLOAD.id.text),
    ]
    aws.bucket.discard(confirmed.leftovers)
    assert aws.objects == {UPLOAD.permanent_key: CONFIRMED}
    check(aws)


def test_a_first_avatar_leaves_only_the_pending_object(confirmer: Confirmer, aws: Aws) -> None:
    aws.point("ada", None)
    assert confirmer.confirm("ada", UPLOAD.pending_key).leftovers == (UPLOAD.pending_key,)


def test_a_repeat_changes_nothing(confirmer: Confirmer, aws: Aws) -> None:
    aws.bucket.discard(confirmer.confirm("ada", UPLOAD.pending_key).leftovers)
    aws.calls.clear()
    assert confirmer.confirm("ada", UPLOAD.pending_key) == Confirmed(UPLOAD, ())
    assert not aws.writes


def test_a_repeat_after_another_post_leaves_the_pending_object(confirmer: Confirmer, aws: Aws) -> None:
    aws.bucket.discard(confirmer.confirm("ada", UPLOAD.pending_key).leftovers)
    aws.put(UPLOAD.pending_key, OTHER)
    assert confirmer.confirm("ada", UPLOAD.pending_key).leftovers == (UPLOAD.pending_key,)


@pytest.mark.parametrize(
    ("posted", "seconds", "error"),
    [
        (None, 60, UnknownUploadError),
        (make_object("good", owner="eve"), 60, UnknownUploadError),
        (BAD, 60, NotAPictureError),
        (make_object("bad", declared="good"), 60, DigestMismatchError),
        (make_object("other", declared="good"), 60, DigestMismatchError),
        (make_object("long"), 60, TooLargeError),
        (POSTED, 3601, ExpiredError),
    ],
)
def test_a_refused_confirm_changes_nothing(
    confirmer: Confirmer, aws: Aws, posted: Object | None, seconds: int, error: type[Exception]
) -> None:
    aws.remove(UPLOAD.pending_key)
    if posted:
        aws.put(UPLOAD.pending_key, posted)
    aws.wait(seconds - 60)
    with pytest.raises(error):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert not aws.writes


def test_a_repeat_that_read_the_row_too_early_reads_it_again(confirmer: Confirmer, aws: Aws) -> None:
    def finish_another_confirm() -> None:
        """After the row was read, and before the object is read."""
        aws.bucket.discard(confirmer.confirm("ada", UPLOAD.pending_key).leftovers)

    aws.before = once("GetObject", finish_another_confirm)
    early = replace(confirmer, executor=Lazy())
    assert early.confirm("ada", UPLOAD.pending_key).upload.permanent_key == UPLOAD.permanent_key


@pytest.mark.parametrize(("slow", "writes"), [("GetObject", []), ("CopyObject", ["CopyObject"])])
def test_a_confirm_past_its_deadline_stops_and_a_repeat_finishes_it(
    confirmer: Confirmer, aws: Aws, slow: str, writes: list[str]
) -> None:
    aws.before = once(slow, lambda: aws.wait(LAST_CALL_SECONDS + 1))
    with pytest.raises(DeadlineExceededError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert [operation for operation, *_ in aws.writes] == writes
    assert aws.avatars == {"ada": EARLIER.permanent_key}
    assert confirmer.confirm("ada", UPLOAD.pending_key).upload.permanent_key == UPLOAD.permanent_key


def test_no_second_try_begins_past_the_deadline(confirmer: Confirmer, aws: Aws) -> None:
    def post_slowly() -> None:
        aws.wait(LAST_CALL_SECONDS + 1)
        aws.put(UPLOAD.pending_key, OTHER)

    aws.before = once("CopyObject", post_slowly)
    with pytest.raises(DeadlineExceededError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert aws.operations == ["GetObject", "GetItem", "CopyObject"]


def test_the_row_is_not_read_again_past_the_deadline(confirmer: Confirmer, aws: Aws) -> None:
    aws.remove(UPLOAD.pending_key)
    aws.before = once("GetItem", lambda: aws.wait(LAST_CALL_SECONDS + 1))
    with pytest.raises(DeadlineExceededError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert aws.operations == ["GetObject", "GetItem"]


def test_a_superseded_upload_is_refused_before_its_objects_are_deleted(confirmer: Confirmer, aws: Aws) -> None:
    later = replace(confirmer, executor=Lazy())
    aws.before = once("UpdateItem", lambda: aws.point("ada", LATER.permanent_key))
    for _ in range(2):
        with pytest.raises(SupersededError):
            later.confirm("ada", UPLOAD.pending_key)
    assert [operation for operation, *_ in aws.writes] == ["CopyObject", "UpdateItem"]


def test_an_upload_that_was_presigned_before_a_removal_is_refused_and_its_objects_are_deleted(
    confirmer: Confirmer, aws: Aws
) -> None:
    remove_avatar(aws)
    with pytest.raises(RemovedError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    # An earlier try may have made the copy.
    assert aws.writes == [("DeleteObjects", UPLOAD.permanent_key, UPLOAD.pending_key)]
    assert aws.avatars == {"ada": None}


def test_a_removal_before_the_update_refuses_the_upload(confirmer: Confirmer, aws: Aws) -> None:
    aws.before = once("UpdateItem", lambda: remove_avatar(aws))
    with pytest.raises(RemovedError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert aws.writes[-1] == ("DeleteObjects", UPLOAD.permanent_key, UPLOAD.pending_key)
    assert aws.avatars == {"ada": None}
    # Only the removal deletes the old avatar.
    assert aws.objects.keys() == {EARLIER.permanent_key}


def test_another_user_s_object_is_not_deleted_with_a_removed_upload(confirmer: Confirmer, aws: Aws) -> None:
    remove_avatar(aws)
    aws.put(UPLOAD.pending_key, make_object("good", owner="eve"))
    with pytest.raises(RemovedError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert not aws.writes


def test_an_upload_that_was_presigned_after_a_removal_becomes_the_avatar(confirmer: Confirmer, aws: Aws) -> None:
    aws.world = aws.world.set_value("ada", AVATAR, Value(None, EARLIER.id.text))
    assert confirmer.confirm("ada", UPLOAD.pending_key).leftovers == (UPLOAD.pending_key,)


def test_other_bytes_with_the_same_etag_do_not_become_the_avatar(confirmer: Confirmer, aws: Aws) -> None:
    assert TWIN.etag == POSTED.etag
    aws.before = once("CopyObject", lambda: aws.put(UPLOAD.pending_key, TWIN))
    with pytest.raises(DigestMismatchError, match="its SHA-256 differs"):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert aws.avatars == {"ada": EARLIER.permanent_key}
    assert aws.objects[UPLOAD.permanent_key] == make_copy(make_object("blank"))


def test_a_confirm_never_overwrites_a_copy_that_a_row_may_refer_to(confirmer: Confirmer, aws: Aws) -> None:
    """The source is posted again, with its own digest, after another confirm of it made its copy."""
    aws.put(UPLOAD.permanent_key, make_copy(OTHER))
    with pytest.raises(DigestMismatchError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert aws.objects[UPLOAD.permanent_key] == make_copy(OTHER)
    assert aws.avatars == {"ada": EARLIER.permanent_key}


@pytest.mark.parametrize("key", [UPLOAD.id.text, f"{AVATAR.pending_prefix}../avatars/x", ""])
def test_a_key_that_no_upload_has_is_refused_without_a_call(confirmer: Confirmer, aws: Aws, key: str) -> None:
    with pytest.raises(UnknownUploadError, match=r"^There is no upload of that key\.$"):
        confirmer.confirm("ada", key)
    assert not aws.calls


def test_a_user_without_a_row_confirms_nothing(confirmer: Confirmer, aws: Aws) -> None:
    with pytest.raises(UnknownUserError):
        confirmer.confirm("nobody", UPLOAD.pending_key)
    assert not aws.writes


def test_a_later_confirm_before_the_update_makes_the_upload_delete_only_its_own_objects(
    confirmer: Confirmer, aws: Aws
) -> None:
    def confirm_a_later_one() -> None:
        aws.put(LATER.permanent_key, CONFIRMED)
        aws.point("ada", LATER.permanent_key)

    aws.before = once("UpdateItem", confirm_a_later_one)
    with pytest.raises(SupersededError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert aws.writes[-1] == ("DeleteObjects", UPLOAD.permanent_key, UPLOAD.pending_key)
    assert aws.avatars == {"ada": LATER.permanent_key}
    # Only the confirm that replaced the old avatar deletes it.
    assert aws.objects.keys() == {EARLIER.permanent_key, LATER.permanent_key}


def test_two_confirms_of_one_upload_both_succeed(confirmer: Confirmer, aws: Aws) -> None:
    responses: list[Confirmed] = []
    aws.before = once("UpdateItem", lambda: responses.append(confirmer.confirm("ada", UPLOAD.pending_key)))
    responses.append(confirmer.confirm("ada", UPLOAD.pending_key))
    assert [response.upload.permanent_key for response in responses] == [UPLOAD.permanent_key] * 2
    # Only the confirm that replaced the old avatar deletes it, and neither deletes the new one.
    assert [response.leftovers for response in responses] == [
        (EARLIER.permanent_key, UPLOAD.pending_key),
        (UPLOAD.pending_key,),
    ]
    check(aws)


def test_an_object_that_was_replaced_after_the_check_is_checked_again(confirmer: Confirmer, aws: Aws) -> None:
    aws.before = once("CopyObject", lambda: aws.put(UPLOAD.pending_key, OTHER))
    assert confirmer.confirm("ada", UPLOAD.pending_key).upload.permanent_key == UPLOAD.permanent_key
    assert aws.objects[UPLOAD.permanent_key] == make_copy(OTHER)


def test_a_file_that_is_no_picture_posted_after_the_check_does_not_become_the_avatar(
    confirmer: Confirmer, aws: Aws
) -> None:
    aws.before = once("CopyObject", lambda: aws.put(UPLOAD.pending_key, BAD))
    with pytest.raises(NotAPictureError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert UPLOAD.permanent_key not in aws.objects
    assert aws.avatars == {"ada": EARLIER.permanent_key}


def test_a_confirm_gives_up_after_its_last_try_if_the_object_keeps_changing(confirmer: Confirmer, aws: Aws) -> None:
    def post_another(call: Call) -> None:
        if call.operation == "CopyObject":
            body = "good" if aws.objects[UPLOAD.pending_key].body == "other" else "other"
            aws.put(UPLOAD.pending_key, make_object(body))

    aws.before = post_another
    with pytest.raises(KeepsChangingError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert aws.operations.count("CopyObject") == MAX_TRIES
    assert aws.avatars == {"ada": EARLIER.permanent_key}
    assert UPLOAD.permanent_key not in aws.objects


@pytest.mark.parametrize("operation", ["GetObject", "CopyObject", "UpdateItem", "DeleteObjects", "none"])
def test_a_confirm_that_crashes_anywhere_is_finished_by_a_repeat(
    confirmer: Confirmer, aws: Aws, operation: str
) -> None:
    aws.before = fail(operation, CrashError())
    with pytest.raises(CrashError):  # noqa: PT012 - the process can also crash after the last call
        aws.bucket.discard(confirmer.confirm("ada", UPLOAD.pending_key).leftovers)
        raise CrashError
    check(aws)
    assert aws.avatars["ada"] in {EARLIER.permanent_key, UPLOAD.permanent_key}
    response = confirmer.confirm("ada", UPLOAD.pending_key)
    assert response.upload.permanent_key == aws.avatars["ada"] == UPLOAD.permanent_key
    aws.bucket.discard(response.leftovers)
    check(aws)
    assert UPLOAD.pending_key not in aws.objects


def test_a_superseded_upload_is_refused_even_if_its_copy_can_not_be_deleted(confirmer: Confirmer, aws: Aws) -> None:
    def confirm_a_later_one_and_refuse_deletions(call: Call) -> Failure | None:
        if call.operation == "UpdateItem":
            aws.point("ada", LATER.permanent_key)
        return Failure("AccessDenied", 403) if call.operation == "DeleteObjects" else None

    aws.before = confirm_a_later_one_and_refuse_deletions
    with pytest.raises(SupersededError):
        confirmer.confirm("ada", UPLOAD.pending_key)


@pytest.mark.parametrize("operation", ["GetObject", "GetItem", "CopyObject", "UpdateItem"])
def test_an_error_of_aws_surfaces_and_the_old_avatar_stays(confirmer: Confirmer, aws: Aws, operation: str) -> None:
    aws.before = refuse(operation)
    with pytest.raises(ClientError, match="AccessDenied"):
        confirmer.confirm("ada", UPLOAD.pending_key)
    aws.before = do_nothing
    assert aws.avatars == {"ada": EARLIER.permanent_key}
    check(aws)


def test_an_upload_of_the_other_strategy_is_refused_without_a_call(confirmer: Confirmer, aws: Aws) -> None:
    with pytest.raises(OtherStrategyError):
        confirmer.confirm("ada", UPLOAD.permanent_key)
    with pytest.raises(OtherStrategyError):
        replace(confirmer, strategy=Tag()).confirm("ada", UPLOAD.pending_key, "secret")
    assert not aws.calls


def test_a_repeat_of_a_superseded_upload_deletes_its_objects(confirmer: Confirmer, aws: Aws) -> None:
    aws.point("ada", LATER.permanent_key)
    with pytest.raises(SupersededError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    # An earlier try may have made the copy.
    assert aws.writes == [("DeleteObjects", UPLOAD.permanent_key, UPLOAD.pending_key)]


def test_another_user_s_object_is_not_deleted_with_a_superseded_upload(confirmer: Confirmer, aws: Aws) -> None:
    aws.point("ada", LATER.permanent_key)
    aws.put(UPLOAD.pending_key, make_object("good", owner="eve"))
    with pytest.raises(SupersededError):
        confirmer.confirm("ada", UPLOAD.pending_key)
    assert not aws.writes


class TestTag:
    """The differences under `tag`, where the pending object is at its final key."""

    KEY = UPLOAD.permanent_key

    @pytest.fixture
    def aws(self, aws: Aws) -> Aws:
        aws.remove(UPLOAD.pending_key)
        aws.put(self.KEY, replace(POSTED, tags=(PENDING_TAG,)))
        return aws

    @pytest.fixture
    def confirmer(self, confirmer: Confirmer) -> Confirmer:
        return replace(confirmer, strategy=Tag())

    def test_a_confirm_removes_the_tag_and_then_updates_the_row(self, confirmer: Confirmer, aws: Aws) -> None:
        confirmed = confirmer.confirm("ada", self.KEY, "secret")
        assert (confirmed.upload, confirmed.leftovers) == (UPLOAD, (EARLIER.permanent_key,))
        assert aws.writes == [("CopyObject", self.KEY, self.KEY), ("UpdateItem", "ada", UPLOAD.id.text)]
        aws.bucket.discard(confirmed.leftovers)
        assert aws.objects == {self.KEY: replace(POSTED, has_checksum=True)}

    def test_a_repeat_changes_nothing(self, confirmer: Confirmer, aws: Aws) -> None:
        confirmer.confirm("ada", self.KEY, "secret")
        aws.calls.clear()
        assert confirmer.confirm("ada", self.KEY, "secret") == Confirmed(UPLOAD, ())
        assert not aws.writes

    @pytest.mark.parametrize("token", ["guess", None])
    def test_an_upload_without_its_token_is_unknown(self, confirmer: Confirmer, aws: Aws, token: str | None) -> None:
        with pytest.raises(UnknownUploadError):
            confirmer.confirm("ada", self.KEY, token)
        assert not aws.writes

    def test_a_file_posted_between_check_and_copy_is_checked(self, confirmer: Confirmer, aws: Aws) -> None:
        aws.before = once("CopyObject", lambda: aws.put(self.KEY, replace(BAD, tags=(PENDING_TAG,))))
        with pytest.raises(NotAPictureError):
            confirmer.confirm("ada", self.KEY, "secret")
        assert aws.objects[self.KEY].tags
        assert aws.avatars == {"ada": EARLIER.permanent_key}

    def test_a_live_avatar_that_was_posted_again_loses_its_tag(self, confirmer: Confirmer, aws: Aws) -> None:
        aws.point("ada", self.KEY)
        assert confirmer.confirm("ada", self.KEY, "secret") == Confirmed(UPLOAD, ())
        assert aws.writes == [("CopyObject", self.KEY, self.KEY)]
        assert not aws.objects[self.KEY].tags

    def test_a_file_that_is_no_picture_posted_over_a_live_avatar_is_replaced_by_a_blank_picture(
        self, confirmer: Confirmer, aws: Aws
    ) -> None:
        aws.point("ada", self.KEY)
        aws.put(self.KEY, replace(BAD, tags=(PENDING_TAG,)))
        with pytest.raises(NotAPictureError):
            confirmer.confirm("ada", self.KEY, "secret")
        assert aws.writes == [("PutObject", self.KEY)]
        assert aws.objects[self.KEY] == replace(make_object("blank"), has_checksum=True)
        # The blank picture is larger than the limit of these tests.
        confirmer = replace(confirmer, limits=replace(LIMITS, pictures=limit_kinds(10_000, 80, 60)))
        assert confirmer.confirm("ada", self.KEY, "secret") == Confirmed(UPLOAD, ())
        assert aws.avatars == {"ada": self.KEY}

    @pytest.mark.parametrize("tags", [(), (PENDING_TAG,)])
    def test_other_bytes_with_the_same_etag_do_not_stay(
        self, confirmer: Confirmer, aws: Aws, tags: tuple[tuple[str, str], ...]
    ) -> None:
        aws.point("ada", self.KEY)
        aws.put(self.KEY, replace(TWIN, tags=tags))
        with pytest.raises(DigestMismatchError):
            confirmer.confirm("ada", self.KEY, "secret")
        assert aws.writes == [("PutObject", self.KEY)]
        assert aws.objects[self.KEY] == replace(make_object("blank"), has_checksum=True)

    def test_other_bytes_posted_between_check_and_copy_are_replaced_by_a_blank_picture(
        self, confirmer: Confirmer, aws: Aws
    ) -> None:
        aws.before = once("CopyObject", lambda: aws.put(self.KEY, replace(TWIN, tags=(PENDING_TAG,))))
        with pytest.raises(DigestMismatchError):
            confirmer.confirm("ada", self.KEY, "secret")
        assert aws.objects[self.KEY] == replace(make_object("blank"), has_checksum=True)
        assert aws.avatars == {"ada": EARLIER.permanent_key}

    def test_a_superseded_upload_is_deleted_at_its_final_key(self, confirmer: Confirmer, aws: Aws) -> None:
        aws.point("ada", LATER.permanent_key)
        with pytest.raises(SupersededError):
            confirmer.confirm("ada", self.KEY, "secret")
        assert aws.writes == [("DeleteObjects", self.KEY)]
