"""The command that adds the seeded users to a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.local.resources import Resources, create_resources
from infra.seed.command import run
from infra.seed.people import SEEDED_USERS, invent_people
from services.store.kinds import AVATAR
from services.store.table import make_key, read_value
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from infra.local.clients import Aws
    from infra.local.stack import Stack


@pytest.fixture
def resources(stack: Stack) -> Resources:
    """An empty bucket and an empty table."""
    return create_resources(stack.aws, stack.origin, "empty-stack")


@pytest.fixture
def command(stack: Stack, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for name, value in {
        "AWS_ENDPOINT_URL": stack.aws.endpoint,
        "AWS_ACCESS_KEY_ID": stack.aws.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.aws.secret_access_key,
    }.items():
        monkeypatch.setenv(name, value)
    return ["--region", stack.aws.region, "--bucket", resources.bucket, "--table", resources.table]


def find_avatar(aws: Aws, resources: Resources, username: str) -> str | None:
    item = aws.dynamodb.get_item(TableName=resources.table, Key=make_key(username)).get("Item")
    assert item
    return read_value(AVATAR, item).key


@only_prefix
def test_seed_adds_missing_users_and_changes_no_existing_one(
    stack: Stack, resources: Resources, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept, deleted, *_ = [person.username for person in invent_people(SEEDED_USERS)]
    assert run(command) == 0
    for username in (kept, deleted):
        avatar = find_avatar(stack.aws, resources, username)
        assert avatar
        picture = stack.aws.s3.get_object(Bucket=resources.bucket, Key=avatar)
        assert (picture["ContentType"], picture["Metadata"]) == ("image/png", {"username": username})
        assert "TagCount" not in picture
    before = find_avatar(stack.aws, resources, kept)
    stack.aws.dynamodb.delete_item(TableName=resources.table, Key=make_key(deleted))
    assert run(command) == 0
    assert find_avatar(stack.aws, resources, kept) == before
    assert find_avatar(stack.aws, resources, deleted)
    assert capsys.readouterr().out.splitlines() == [
        "Users added: 3. Users that existed already: 0.",
        "Users added: 1. Users that existed already: 2.",
    ]


@only_prefix
def test_seed_that_fails_says_so(resources: Resources, command: list[str]) -> None:
    message = run([*command, "--table", resources.table + "-missing"])
    assert isinstance(message, str)
    assert message.startswith("Run the command again")
