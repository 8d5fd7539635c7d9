"""The tag and the upload token of the strategy `tag`, and a change of the strategy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench.soak.sweeping import open_sweeper
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.stack import Options, Stack, run_stack
from services.uploads.sweep.report import Outcome
from tests import web
from tests.conftest import Bucket, make_user, only_tag
from tests.eventually import eventually
from tests.pictures import make_picture
from tests.targets import Trait

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from tests.conftest import User


pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]

PICTURE = make_picture()


def tags(bucket: Bucket, key: str) -> dict[str, str]:
    tag_set = bucket.aws.s3.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    return {tag["Key"]: tag["Value"] for tag in tag_set}


@only_tag
def test_an_object_has_the_pending_tag_until_its_confirm(user: User, bucket: Bucket) -> None:
    form = user.upload_unconfirmed("image/png", PICTURE)
    assert tags(bucket, form["key"]) == {"Status": "Pending"}
    user.confirm(form).raise_for_status()
    assert tags(bucket, form["key"]) == {}
    assert bucket.head(form["key"])["ContentType"] == "image/png"


@only_tag
@pytest.mark.parametrize("token", ["", "guess", "ü", None])
def test_a_wrong_upload_token_gets_the_same_response_as_an_unknown_key(
    user: User, bucket: Bucket, token: str | None
) -> None:
    form = user.upload_unconfirmed("image/png", PICTURE)
    never = user.declare("image/png", 100).json()
    wrong, unknown = user.confirm(form, upload_token=token), user.confirm(never)
    assert (wrong.status_code, wrong.json()) == (404, unknown.json())
    assert tags(bucket, form["key"]) == {"Status": "Pending"}
    assert user.confirm(form).status_code == 200


@pytest.mark.parametrize("before", ["prefix", "tag"])
def test_a_change_of_strategy_keeps_avatars_and_leaves_no_orphans(
    tmp_path: Path, before: Literal["prefix", "tag"]
) -> None:
    after: Literal["prefix", "tag"] = "tag" if before == "prefix" else "prefix"

    def started(pending: Literal["prefix", "tag"]) -> Any:
        options = Options(port=0, emulator_port=0, pending=pending, data=tmp_path)
        return run_stack(options, lambda _part, _where: None)

    def clean(stack: Stack) -> None:
        objects = web.get(f"{stack.origin}/inspector/objects?limit=100").json()["objects"]
        rows = web.get(f"{stack.origin}/inspector/users?limit=100").json()["rows"]
        assert {entry["state"] for entry in objects} == {"live"}
        assert sorted(entry["key"] for entry in objects) == sorted(row["Avatar"] for row in rows)

    with started(before) as stack, make_user(stack) as user:
        first = user.upload_unconfirmed("image/png", PICTURE)
        user.confirm(first).raise_for_status()
        pending = user.upload_unconfirmed("image/png", PICTURE)
        username, avatar = user.username, user.avatar
    with started(after) as stack, make_user(stack) as other:
        token = web.post(f"{stack.origin}/auth/login", json={"username": username}).json()["access_token"]
        other.http.headers["Authorization"] = f"Bearer {token}"
        assert web.get(f"{stack.origin}/users/{username}/avatar", follow_redirects=True).content == PICTURE
        answer = other.confirm(pending)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:problem:other-strategy")
        web.post(stack.origin + LIFECYCLE_PATH, json={"days": 3}).raise_for_status()
        clean(stack)
        rows = {row["Username"]: row["Avatar"] for row in web.get(f"{stack.origin}/inspector/users").json()["rows"]}
        assert rows[username] == avatar
        # A user from before the change can upload with the new strategy.
        form = other.upload_unconfirmed("image/png", PICTURE)
        assert other.confirm(form).status_code == 200
        eventually(lambda: avatar not in Bucket(stack.aws, stack.resources.bucket).keys(username))
        clean(stack)


@pytest.mark.parametrize("before", ["prefix", "tag"])
def test_the_sweep_repairs_what_a_form_does_after_a_change_of_strategy(
    tmp_path: Path, before: Literal["prefix", "tag"]
) -> None:
    after: Literal["prefix", "tag"] = "tag" if before == "prefix" else "prefix"

    def started(pending: Literal["prefix", "tag"]) -> Any:
        options = Options(port=0, emulator_port=0, pending=pending, data=tmp_path)
        return run_stack(options, lambda _part, _where: None)

    with started(before) as stack, make_user(stack) as user:
        form = user.upload_unconfirmed("image/png", PICTURE)
        user.confirm(form).raise_for_status()
        username, avatar = user.username, user.avatar or ""
    with started(after) as stack:
        bucket = Bucket(stack.aws, stack.resources.bucket)
        assert tags(bucket, avatar) == {}
        # The emulator has other keys after its restart, so it would refuse the signature.
        bucket.post_unchecked(form, PICTURE)
        assert tags(bucket, avatar) == ({"Status": "Pending"} if before == "tag" else {})
        # An hourly sweep. It has no setting for the strategy.
        with open_sweeper(stack, later=0) as sweeper:
            hourly = replace(sweeper, full=False)
            assert hourly.sweep().counts[Outcome.RESTORED] == (1 if before == "tag" else 0)
        assert tags(bucket, avatar) == {}
        web.post(stack.origin + LIFECYCLE_PATH, json={"days": 3}).raise_for_status()
        assert bucket.keys(username) == [avatar]
        assert bucket.read(avatar) == PICTURE
