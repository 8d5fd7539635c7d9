"""The removal of an avatar: `DELETE /uploads/avatar`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.store.keys import Upload, UploadId
from services.store.kinds import AVATAR
from services.store.table import make_key, read_value
from tests.conftest import Bucket, User, make_user, post_form
from tests.eventually import eventually
from tests.pictures import make_picture
from tests.targets import Trait

if TYPE_CHECKING:
    import httpx2

    from infra.local.stack import Stack

pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]

PICTURE = make_picture()


def remove(user: User) -> httpx2.Response:
    return user.http.delete("/uploads/avatar")


def read_row_removed(user: User) -> str | None:
    table = user.stack.resources.table
    found = user.stack.aws.dynamodb.get_item(TableName=table, Key=make_key(user.username), ConsistentRead=True)
    return read_value(AVATAR, found.get("Item", {})).removed


def test_a_removal_deletes_avatar_and_picture(user: User, bucket: Bucket) -> None:
    avatar = user.avatar or ""
    for _ in range(2):
        answer = remove(user)
        assert (answer.status_code, answer.content) == (204, b"")
        assert user.avatar is None
        removed = UploadId.parse(read_row_removed(user) or "")
        assert removed
        assert Upload(AVATAR, removed).permanent_key > avatar
        eventually(lambda: bucket.keys(user.username) == [])


def test_a_user_without_an_avatar_can_remove_it(stack: Stack) -> None:
    with make_user(stack, portrait=False) as user:
        assert remove(user).status_code == 204
        assert user.avatar is None


def test_another_upload_becomes_the_avatar_after_a_removal(user: User, bucket: Bucket) -> None:
    remove(user).raise_for_status()
    form = user.upload_unconfirmed("image/png", PICTURE)
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == PICTURE


def test_an_upload_that_was_presigned_before_a_removal_is_refused_and_deleted(user: User, bucket: Bucket) -> None:
    confirmed, unconfirmed, unposted = (user.upload_unconfirmed("image/png", PICTURE) for _ in range(3))
    user.confirm(confirmed).raise_for_status()
    remove(user).raise_for_status()
    eventually(lambda: bucket.keys(user.username) == sorted([unconfirmed["key"], unposted["key"]]))
    post_form(unposted, PICTURE).raise_for_status()
    for form in (confirmed, unconfirmed, unposted):
        for _ in range(2):
            answer = user.confirm(form)
            assert (answer.status_code, answer.json()["type"]) == (409, "urn:problem:removed")
    assert user.avatar is None
    eventually(lambda: bucket.keys(user.username) == [])
