"""Restoring the table: the runbook in docs/deploying.md, after its old rows were put in place and one was lost."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jmespath
import pytest

from bench.soak.sweeping import open_sweeper, read_clock
from infra.documents.table import table_definition
from infra.local.stack import inherit_environ
from services.store.keys import Upload, UploadId
from services.store.kinds import AVATAR, BANNER, Kind
from services.store.table import Row, Value, make_key, write_row
from services.uploads.restore import REMOVALS
from services.uploads.rows import NotForwardError
from services.uploads.sweep.report import Outcome
from services.uploads.users import Users
from tests import web
from tests.conftest import make_user, only_prefix
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.pictures import make_picture
from tests.rows import make_row
from tests.targets import Trait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User

pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]

ROOT = Path(__file__).parents[2]
PICTURE = make_picture(seed=7)
DAY = 24 * 60 * 60


def read_removals(stack: Stack, folder: Path) -> Path:
    """The log lines that the runbook's filter selects, as the AWS CLI prints them."""
    [uploads] = [process for process in stack.processes.started if process.name == "uploads"]
    lines = [line for line in uploads.log.read_text().splitlines() if "path" in line]
    events = [
        line for line in lines if tuple(json.loads(line)[name] for name in ("method", "path", "status")) in REMOVALS
    ]
    file = folder / "removals.json"
    file.write_text(json.dumps(events))
    return file


def restore(stack: Stack, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run the command with an operator's permissions."""
    return subprocess.run(  # noqa: S603 - the command under test
        [sys.executable, "-m", "services.uploads.restore", *arguments],
        cwd=ROOT,
        env={
            **inherit_environ(),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": stack.aws.endpoint,
            "AWS_DEFAULT_REGION": stack.aws.region,
            "AWS_ACCESS_KEY_ID": stack.aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": stack.aws.secret_access_key,
            "BUCKET": stack.resources.bucket,
            "TABLE": stack.resources.table,
            **changed,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def find_deleted(listed: dict[str, Any], since: float, until: float) -> list[list[str]]:
    """The keys and delete markers that the runbook's query finds in this listing."""
    [query] = re.findall(r'--query "(DeleteMarkers.*)"', (ROOT / "docs/deploying.md").read_text())
    for name, moment in {"$from": since, "$to": until}.items():
        query = query.replace(name, datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M"))
    # The AWS CLI searches the response as it would print it.
    return jmespath.search(query, json.loads(json.dumps(listed, default=datetime.isoformat)))


def upload(user: User) -> str:
    form = user.upload_unconfirmed("image/png", PICTURE)
    return user.confirm(form).raise_for_status().json()["avatar"]


@dataclass(frozen=True)
class Loss:
    """The stack's table has the rows of two days ago again. `lost` has no row any more."""

    stack: Stack
    restored_table: str
    replaced: User
    """Uploaded another picture since."""
    first: User
    """Uploaded a first picture since."""
    removed: User
    """Removed the avatar since; the deletion of its picture failed."""
    lost: User

    @property
    def users(self) -> tuple[User, ...]:
        return (self.replaced, self.first, self.removed, self.lost)

    @property
    def avatars(self) -> list[str | None]:
        return [user.avatar for user in self.users]


@pytest.fixture
def loss(stack: Stack, bucket: Bucket) -> Iterator[Loss]:
    aws, table, restored_table = stack.aws, stack.resources.table, f"restored-{uuid.uuid4()}"
    aws.dynamodb.create_table(TableName=restored_table, **table_definition())
    with ExitStack() as opened:
        users = [opened.enter_context(make_user(stack, portrait=number != 1)) for number in range(4)]
        loss = Loss(stack, restored_table, *users)
        rows: list[Any] = [
            aws.dynamodb.get_item(TableName=table, Key=make_key(user.username)).get("Item") for user in users
        ]
        for row in rows:
            aws.dynamodb.put_item(TableName=restored_table, Item=row)
        # Two days pass.
        upload(loss.replaced)
        upload(loss.first)
        picture, key = bucket.read(loss.removed.avatar or ""), loss.removed.avatar or ""
        loss.removed.http.delete("/uploads/avatar").raise_for_status()
        eventually(lambda: not bucket.keys(loss.removed.username))
        metadata = {"username": loss.removed.username}
        aws.s3.put_object(Bucket=bucket.name, Key=key, Body=picture, ContentType="image/png", Metadata=metadata)
        eventually(lambda: len(bucket.keys(loss.replaced.username)) == 1)
        # The old rows come back.
        for row in rows[:3]:
            aws.dynamodb.put_item(TableName=table, Item=row)
        aws.dynamodb.delete_item(TableName=table, Key=make_key(loss.lost.username))
        yield loss
        for user in users:
            aws.dynamodb.delete_item(TableName=table, Key=make_key(user.username))
    aws.dynamodb.delete_table(TableName=restored_table)


def test_the_runbook_brings_the_newest_pictures_back_and_no_removed_one(
    loss: Loss, bucket: Bucket, tmp_path: Path
) -> None:
    stack = loss.stack
    pictures = {user.username: bucket.keys(user.username) for user in loss.users}
    assert [len(keys) for keys in pictures.values()] == [1, 1, 1, 1]
    before = loss.avatars

    # A sweep that nobody switched off keeps every picture, since a row refers to a missing object.
    with open_sweeper(stack) as sweeper:
        report = sweeper.sweep()
    assert {key for keys in pictures.values() for key in keys} <= {
        key for user in loss.users for key in bucket.keys(user.username)
    }
    assert report.needs_attention
    assert set(pictures[loss.replaced.username] + pictures[loss.first.username]) <= set(report.names[Outcome.KEPT])

    options = ("--restored-table", loss.restored_table, "--removals", str(read_removals(stack, tmp_path)))
    planned = restore(stack, *options, "--dry-run")
    assert loss.avatars == before
    done = restore(stack, *options)
    assert planned.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]
    for user, was, becomes in [
        (loss.replaced, before[0], pictures[loss.replaced.username][0]),
        (loss.first, "no avatar", pictures[loss.first.username][0]),
        (loss.removed, before[2], "no avatar"),
        (loss.lost, "no row", pictures[loss.lost.username][0]),
    ]:
        assert f"{user.username}: {was} -> {becomes}\n" in done.stdout
    assert loss.avatars == [
        pictures[loss.replaced.username][0],
        pictures[loss.first.username][0],
        None,
        pictures[loss.lost.username][0],
    ]
    again = restore(stack, *options)
    assert not any(user.username in again.stdout for user in loss.users)

    with open_sweeper(stack) as sweeper:
        planned_sweep = sweeper.sweep(dry_run=True)
        sweeper.sweep()
    assert not any(user.username in name for name in planned_sweep.names[Outcome.DANGLING] for user in loss.users)
    for user in (loss.replaced, loss.first, loss.lost):
        assert bucket.keys(user.username) == pictures[user.username] == [user.avatar]
        shown = web.get(f"{stack.origin}/users/{user.username}/avatar", follow_redirects=False)
        assert pictures[user.username][0] in shown.headers["Location"]
    # The user can upload again.
    assert upload(loss.removed) == loss.removed.avatar


@only_prefix
class TestCommand:
    @pytest.mark.one_aws
    def test_only_the_logs_know_a_removal_whose_picture_and_row_came_back(self, loss: Loss) -> None:
        done = restore(loss.stack, "--restored-table", loss.restored_table, "--dry-run")
        assert loss.removed.username not in done.stdout

    @pytest.mark.one_aws
    def test_a_user_without_a_row_in_either_table_is_reported(self, loss: Loss) -> None:
        done = restore(loss.stack, "--dry-run")
        assert done.returncode == 1
        assert (
            f"{loss.lost.username}: there is a picture and no row; add the row and run the command again" in done.stdout
        )
        assert done.stdout.splitlines()[-1].startswith("Dry run: ")

    @pytest.mark.one_aws
    @pytest.mark.parametrize("content", [None, "no JSON", '["no JSON"]', '[{"username": "ada"}]'])
    def test_a_file_that_has_no_log_lines_is_reported_in_one_line(
        self, stack: Stack, tmp_path: Path, content: str | None
    ) -> None:
        file = tmp_path / "removals.json"
        if content is not None:
            file.write_text(content)
        done = restore(stack, "--removals", str(file))
        assert (done.returncode, done.stdout) == (2, "")
        [line] = done.stderr.splitlines()
        assert str(file) in line

    @pytest.mark.one_aws
    def test_a_picture_that_was_deleted_by_mistake_is_the_avatar_again_when_it_comes_back(self, stack: Stack) -> None:
        aws, name = stack.aws, f"versions-{uuid.uuid4()}"
        row = make_row("ada", "Ada", Upload(AVATAR, UploadId.latest_at(time.time() - DAY)).permanent_key)
        aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        aws.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        aws.dynamodb.create_table(TableName=name, **table_definition())
        aws.dynamodb.put_item(TableName=name, Item=write_row(row))
        users = Users(aws.dynamodb, name)
        aws.s3.put_object(Bucket=name, Key=row.avatar or "", Body=PICTURE, Metadata={"username": "ada"})
        aws.s3.delete_object(Bucket=name, Key=row.avatar or "")

        planned = restore(stack, "--dry-run", BUCKET=name, TABLE=name)
        assert "1 lost a picture: if it was deleted by mistake, bring it back" in planned.stdout
        assert users.find_row("ada") == row
        restore(stack, BUCKET=name, TABLE=name)
        assert users.find_row("ada").avatar is None

        # The emulator's clock can be ahead.
        listed: Any = aws.s3.list_object_versions(Bucket=name)
        now = read_clock(stack)()
        assert find_deleted(listed, since=now - DAY, until=now - DAY / 2) == []
        [[key, version]] = find_deleted(listed, since=now - DAY, until=now + DAY)
        aws.s3.delete_object(Bucket=name, Key=key, VersionId=version)
        restore(stack, BUCKET=name, TABLE=name)
        assert users.find_row("ada").avatar == row.avatar

    @pytest.mark.one_aws
    def test_a_missing_setting_is_reported(self, stack: Stack) -> None:
        done = restore(stack, BUCKET="")
        assert (done.returncode, done.stderr) == (2, "Missing from the environment: BUCKET\n")


class TestConditions:
    """A row is changed only if it is as it was read."""

    @pytest.fixture
    def users(self, stack: Stack) -> Users:
        return Users(stack.aws.dynamodb, stack.resources.table)

    @pytest.fixture
    def row(self, stack: Stack) -> Iterator[Row]:
        row = make_row(f"restored-{uuid.uuid4().hex[:8]}", "Ada", "avatars/2", "1")
        stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=write_row(row))
        yield row
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=make_key(row.username))

    @pytest.mark.parametrize(
        "value", [Value("avatars/3", "1"), Value(None, "1"), Value("avatars/2", "2"), Value(None, None)]
    )
    def test_the_row_gets_the_attributes(self, users: Users, row: Row, value: Value) -> None:
        after = row.replace(AVATAR, value).replace(BANNER, Value("banners/4"))
        users.restore(row, after)
        assert users.find_row(row.username) == after

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            (AVATAR, Value("avatars/1", "1")),
            (AVATAR, Value(None, "1")),
            (AVATAR, Value("avatars/2", "0")),
            (AVATAR, Value("avatars/2", None)),
            (BANNER, Value("banners/1", None)),
            (None, None),
        ],
    )
    def test_a_row_that_differs_is_not_changed(
        self, users: Users, row: Row, kind: Kind | None, value: Value | None
    ) -> None:
        before = row.replace(kind, value) if kind and value else None
        with pytest.raises(NotForwardError):
            users.restore(before, row.replace(AVATAR, Value("avatars/3", "1")))
        assert users.find_row(row.username) == row

    def test_a_lost_row_is_created_once(self, stack: Stack, users: Users, row: Row) -> None:
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=make_key(row.username))
        with pytest.raises(NotForwardError):
            users.restore(row, row)
        users.restore(None, row)
        assert users.find_row(row.username) == row
