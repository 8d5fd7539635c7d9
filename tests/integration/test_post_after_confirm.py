"""A form is good for minutes, and nothing stops its owner from posting with it again after the confirm."""

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


pytestmark = pytest.mark.every_aws

PICTURE = make_picture()


def confirmed(user: User) -> dict[str, Any]:
    form = user.put_up("image/png", PICTURE)
    user.confirm(form).raise_for_status()
    return form


@pytest.mark.needs(Trait.EXPIRATION)
@only_prefix
def test_under_prefix_the_avatar_is_out_of_reach(user: User, bucket: Bucket) -> None:
    form = confirmed(user)
    avatar = user.avatar or ""
    before = bucket.head(avatar)
    post_form(form, PICTURE[:-1] + b"x").raise_for_status()
    assert user.avatar == avatar
    assert {**bucket.head(avatar), "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}
    assert "pending-prefix" in bucket.head(form["key"])["Expiration"]
    # The repeat of the confirm takes away what the second post left.
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [avatar])
    assert bucket.read(avatar) == PICTURE


@pytest.mark.needs(Trait.EXPIRATION_IN_TIME)
@only_tag
class TestUnderTag:
    def test_the_live_avatar_is_pending_again_and_a_repeat_restores_it(self, user: User, bucket: Bucket) -> None:
        form = confirmed(user)
        avatar = user.avatar or ""
        assert "Expiration" not in bucket.head(avatar)
        post_form(form, PICTURE).raise_for_status()
        assert "pending-tag" in bucket.head(avatar)["Expiration"]
        assert user.confirm(form).json() == {"username": user.username, "avatar": avatar}
        assert "Expiration" not in bucket.head(avatar)
        assert user.avatar == avatar
        assert bucket.read(avatar) == PICTURE

    def test_another_good_picture_is_restored_as_what_it_is(self, user: User, bucket: Bucket) -> None:
        form = confirmed(user)
        # As many bytes, and a picture by its header: chunks after it are not looked at.
        other = PICTURE[:-4] + bytes(4)
        post_form(form, other).raise_for_status()
        assert user.confirm(form).status_code == 200
        assert bucket.read(user.avatar or "") == other
        assert "Expiration" not in bucket.head(user.avatar or "")

    def test_bytes_that_are_no_picture_never_stay_an_avatar(self, user: User, bucket: Bucket) -> None:
        form = confirmed(user)
        avatar = user.avatar or ""
        post_form(form, b"<script>".ljust(len(PICTURE))).raise_for_status()
        answer = user.confirm(form)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:problem:not-a-picture")
        assert user.avatar == avatar
        assert bucket.read(avatar).startswith(b"\x89PNG")
        assert "Expiration" not in bucket.head(avatar)
        assert user.confirm(form).status_code == 200
        assert bucket.keys(user.username) == [avatar]

    def test_a_repeat_with_another_token_restores_nothing(self, user: User, bucket: Bucket) -> None:
        form = confirmed(user)
        post_form(form, PICTURE).raise_for_status()
        assert user.confirm(form, upload_token="a guess").status_code == 404
        assert "pending-tag" in bucket.head(user.avatar or "")["Expiration"]


def test_what_the_lifecycle_would_do_under_tag() -> None:
    """The trap, with rules that really run: without a repeat the row would dangle after some days."""
    with (
        run_stack(Options(port=0, emulator_port=0, pending="tag"), lambda _part, _where: None) as stack,
        make_user(stack) as healed,
        make_user(stack) as trapped,
    ):
        bucket = Bucket(stack.aws, stack.resources.bucket)
        for user in (healed, trapped):
            form = confirmed(user)
            post_form(form, PICTURE).raise_for_status()
            if user is healed:
                user.confirm(form).raise_for_status()
        web.post(stack.origin + LIFECYCLE_PATH, json={"days": 3}).raise_for_status()
        assert bucket.keys(healed.username) == [healed.avatar]
        assert bucket.keys(trapped.username) == []
