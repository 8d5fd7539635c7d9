"""The command that removes a user's avatar, with the permissions of the uploads service."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local.ports import HOST, pick_free_ports
from infra.local.stack import inherit_environ
from services.store.keys import make_username
from services.store.table import Row, make_key, write_row
from tests.conftest import make_user, only_prefix
from tests.eventually import PATIENCE_SECONDS
from tests.pictures import make_picture

if TYPE_CHECKING:
    from infra.local.stack import Stack
from tests.conftest import Bucket, User

pytestmark = only_prefix

ROOT = Path(__file__).parents[2]
PICTURE = make_picture()


def remove(stack: Stack, username: str, **changed: str | None) -> subprocess.CompletedProcess[str]:
    """Run the command. `changed`: environment variables with other values; None removes one."""
    environ: dict[str, str | None] = {
        **inherit_environ(),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": stack.aws.endpoint,
        "AWS_DEFAULT_REGION": stack.aws.region,
        "BUCKET": stack.resources.bucket,
        "TABLE": stack.resources.table,
        **stack.resources.credentials["uploads"],
        **changed,
    }
    return subprocess.run(  # noqa: S603 - the command under test
        [sys.executable, "-m", "services.uploads.remove", username],
        cwd=ROOT,
        env={name: value for name, value in environ.items() if value is not None},
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def test_the_command_removes_the_avatar_and_deletes_its_picture(stack: Stack, user: User, bucket: Bucket) -> None:
    avatar = user.avatar
    assert bucket.keys(user.username) == [avatar]
    done = remove(stack, user.username)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"{user.username} has no avatar now. No upload that was presigned before now can become it.\n"
        f"Deleted: {avatar}\n"
    )
    assert user.avatar is None
    assert bucket.keys(user.username) == []


def test_a_user_may_be_named_by_the_e_mail_address_in_their_access_token(stack: Stack) -> None:
    username = make_username("ada@example.com")
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=write_row(Row(username, "Ada")))
    try:
        for name in ("ada@example.com", username):
            done = remove(stack, name)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(f"{username} had no avatar.")
    finally:
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=make_key(username))


@pytest.mark.parametrize("portrait", [True, False])
def test_only_uploads_that_are_presigned_after_the_command_can_be_confirmed(stack: Stack, portrait: bool) -> None:  # noqa: FBT001 - a table
    with make_user(stack, portrait=portrait) as user:
        form = user.upload_unconfirmed("image/png", PICTURE)
        assert remove(stack, user.username).returncode == 0
        refused = user.confirm(form)
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:removed")
        assert user.avatar is None
        later = user.upload_unconfirmed("image/png", PICTURE)
        assert user.confirm(later).json()["avatar"] == user.avatar


def test_the_command_reports_a_user_without_an_avatar(stack: Stack) -> None:
    with make_user(stack, portrait=False) as user:
        done = remove(stack, user.username)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{user.username} had no avatar. No upload that was presigned before now can become it.\n"


def test_the_command_refuses_an_unknown_user(stack: Stack) -> None:
    done = remove(stack, "Nobody1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "There is no user of this name.\n")


def test_a_picture_that_can_not_be_deleted_is_reported(stack: Stack, user: User, bucket: Bucket) -> None:
    avatar = user.avatar
    done = remove(stack, user.username, BUCKET="another-bucket")
    assert done.returncode == 1
    assert done.stdout == f"{user.username} has no avatar now. No upload that was presigned before now can become it.\n"
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Not deleted, left to the sweep: {avatar} (")
    assert "AccessDenied" in line
    assert user.avatar is None
    assert bucket.keys(user.username) == [avatar]


def test_a_row_that_can_not_be_changed_is_reported(stack: Stack, user: User, bucket: Bucket) -> None:
    avatar = user.avatar
    for changed, expected in [
        ({"TABLE": "another-table"}, "AccessDenied"),
        ({"AWS_ENDPOINT_URL": f"http://{HOST}:{pick_free_ports(1)[0]}"}, "Could not connect"),
    ]:
        done = remove(stack, user.username, **changed)
        assert (done.returncode, done.stdout) == (1, "")
        [line] = done.stderr.splitlines()
        assert line.startswith("The avatar may still be there. Run the command again. ")
        assert expected in line
    assert user.avatar == avatar
    assert bucket.keys(user.username) == [avatar]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BUCKET", "", "Missing from the environment: BUCKET"),
        ("TABLE", "ab", "In the environment: TABLE must be a text of at least 3 characters, not 'ab'"),
        # Settings of boto3.
        ("AWS_DEFAULT_REGION", None, "You must specify a region."),
        ("AWS_ENDPOINT_URL", "nonsense", "Invalid endpoint: nonsense"),
    ],
)
def test_a_wrong_setting_is_reported_in_one_line(stack: Stack, name: str, value: str | None, said: str) -> None:
    done = remove(stack, "Nobody1", **{name: value})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{said}\n")
