"""A form stays valid for minutes after the confirm, and its owner can post with it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.stack import Options, run_stack
from tests import web
from tests.conftest import Bucket, make_user, only_prefix, only_tag, post_form
from tests.eventually import eventually
from tests.pictures import make_picture
from tests.targets import Trait

if TYPE_CHECKING:
    from tests.conftest import User


pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]

PICTURE = make_picture()


def upload_and_confirm(user: User) -> dict[str, Any]:
    form = user.upload_unconfirmed("image/png", PICTURE)
    user.confirm(form).raise_for_status()
    return form


@pytest.mark.needs(Trait.EXPIRATION)
@only_prefix
def test_a_post_after_the_confirm_does_not_change_the_avatar(user: User, bucket: Bucket) -> None:
    form = upload_and_confirm(user)
    avatar = user.avatar or ""
    before = bucket.head(avatar)
    bucket.post_unchecked(form, PICTURE[:-1] + b"x")
    assert user.avatar == avatar
    assert {**bucket.head(avatar), "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}
    assert "pending-prefix" in bucket.head(form["key"])["Expiration"]
    # The repeated confirm deletes the object of the second POST.
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [avatar])
    assert bucket.read(avatar) == PICTURE


@pytest.mark.needs(Trait.EXPIRATION_IN_TIME)
@only_tag
class TestUnderTag:
    def test_a_post_makes_the_avatar_pending_and_a_repeated_confirm_restores_it(
        self, user: User, bucket: Bucket
    ) -> None:
        form = upload_and_confirm(user)
        avatar = user.avatar or ""
        assert "Expiration" not in bucket.head(avatar)
        post_form(form, PICTURE).raise_for_status()
        assert "pending-tag" in bucket.head(avatar)["Expiration"]
        assert user.confirm(form).json() == user.make_confirmation(avatar)
        assert "Expiration" not in bucket.head(avatar)
        assert user.avatar == avatar
        assert bucket.read(avatar) == PICTURE

    def test_other_bytes_are_replaced_by_a_blank_picture(self, user: User, bucket: Bucket) -> None:
        form = upload_and_confirm(user)
        avatar = user.avatar or ""
        bucket.post_unchecked(form, b"<script>".ljust(len(PICTURE)))
        answer = user.confirm(form)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:problem:digest-mismatch")
        assert user.avatar == avatar
        assert bucket.read(avatar).startswith(b"\x89PNG")
        assert "Expiration" not in bucket.head(avatar)
        assert user.confirm(form).status_code == 200
        assert bucket.keys(user.username) == [avatar]

    def test_a_repeated_confirm_with_another_token_restores_nothing(self, user: User, bucket: Bucket) -> None:
        form = upload_and_confirm(user)
        post_form(form, PICTURE).raise_for_status()
        assert user.confirm(form, upload_token="a guess").status_code == 404
        assert "pending-tag" in bucket.head(user.avatar or "")["Expiration"]


def test_the_lifecycle_rule_deletes_an_avatar_that_is_pending_again() -> None:
    """Without a repeated confirm the row refers to a missing object after some days. The lifecycle rules really run."""
    with (
        run_stack(Options(port=0, emulator_port=0, pending="tag"), lambda _part, _where: None) as stack,
        make_user(stack) as restored,
        make_user(stack) as unrestored,
    ):
        bucket = Bucket(stack.aws, stack.resources.bucket)
        for user in (restored, unrestored):
            form = upload_and_confirm(user)
            post_form(form, PICTURE).raise_for_status()
            if user is restored:
                user.confirm(form).raise_for_status()
        web.post(stack.origin + LIFECYCLE_PATH, json={"days": 3}).raise_for_status()
        assert bucket.keys(restored.username) == [restored.avatar]
        assert bucket.keys(unrestored.username) == []
