"""An upgrade of a live stack, whose state the program of an earlier commit has made (`tests/infra/former_stack.py`)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import uuid_utils

from infra.local.stack import REGION
from services.store.kinds import AVATAR
from services.store.table import USERNAME, make_key, read_value
from tests.infra import former_stack
from tests.infra.applied.cloud import EmulatedCloud
from tests.infra.applied.resources import find_leftovers, is_key_usable, make_kinds
from tests.infra.stacks import Stack
from tests.pictures import make_picture
from tests.rows import make_upload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.local.clients import Aws

KEY, TASK_DEFINITION = "aws:kms/key:Key", "aws:ecs/taskDefinition:TaskDefinition"
ROW, PICTURE = "aws:dynamodb/tableItem:TableItem", "aws:s3/bucketObjectv2:BucketObjectv2"
KEPT = {"Bucket storage", "Table storage", "Key signing", "Api edge"}


@pytest.fixture
def former(emulator: Aws, tmp_path: Path) -> Iterator[Stack]:
    """The stack in the emulator, as the earlier program has made it."""
    others = sorted(find_leftovers(emulator))
    text = former_stack.read_state()
    [key] = [each for each in json.loads(text)["resources"] if each["type"] == KEY]
    # KMS determines the id of a key.
    made = make_kinds(emulator)[KEY].create(key["inputs"])
    cloud = EmulatedCloud(REGION, former_stack.ACCOUNT, aws=emulator)
    stack = Stack(tmp_path, cloud)
    stack.load(json.loads(text.replace(key["id"], made["keyId"])))
    yield stack
    stack.destroy()
    assert sorted(find_leftovers(emulator)) == others


@pytest.mark.parametrize("refresh", [True, False], ids=["refresh", "no refresh"])
def test_an_upgrade_keeps_bucket_table_key_and_all_data(former: Stack, emulator: Aws, *, refresh: bool) -> None:
    """`Pulumi.yaml` says that each update refreshes first. `--refresh=false` overrules it."""
    before = former.outputs
    bucket, table = before["bucket"], before["table"]
    key = former.cloud.one(KEY, "signing").outputs["keyId"]
    uploader, remover, leaver = sorted(row[USERNAME]["S"] for row in scan(emulator, table))
    new = make_upload(str(uuid_utils.uuid7())).permanent_key
    replace_avatar(emulator, bucket, table, uploader, new)
    replace_avatar(emulator, bucket, table, remover, None)
    replace_avatar(emulator, bucket, table, leaver, None)
    emulator.dynamodb.delete_item(TableName=table, Key=make_key(leaver))
    rows, objects = scan(emulator, table), read_objects(emulator, bucket)
    assert new in objects

    # The upgrade, and the next update.
    for _ in range(2):
        done = former.up({"architecture": "ARM64"}, refresh=refresh)
        others = {each.resource for each in done.all_steps if each.operation != "update"}
        assert not others & KEPT
        assert scan(emulator, table) == rows
        assert read_objects(emulator, bucket) == objects
    # Users are no resources any more (decision 28).
    assert not former.deployment().of(ROW, PICTURE)
    after = former.outputs
    assert [after[name] for name in ("url", "bucket", "table")] == [before[name] for name in ("url", "bucket", "table")]
    assert is_key_usable(emulator.kms, key)
    [auth] = json.loads(former.cloud.one(TASK_DEFINITION, "auth").inputs["containerDefinitions"])
    [signing_keys] = [entry["value"] for entry in auth["environment"] if entry["name"] == "SIGNING_KEYS"]
    assert key in signing_keys


def replace_avatar(aws: Aws, bucket: str, table: str, username: str, avatar: str | None) -> None:
    """Change a user's avatar as a confirm or a removal does."""
    name: dict[str, Any] = {"TableName": table, "Key": make_key(username)}
    old = read_value(AVATAR, aws.dynamodb.get_item(**name).get("Item", {})).key
    assert old
    if avatar:
        aws.s3.put_object(Bucket=bucket, Key=avatar, Body=make_picture(), Metadata={"username": username})
        aws.dynamodb.update_item(
            **name,
            UpdateExpression="SET #avatar = :new",
            ExpressionAttributeNames={"#avatar": AVATAR.attribute},
            ExpressionAttributeValues={":new": {"S": avatar}},
        )
    else:
        aws.dynamodb.update_item(
            **name, UpdateExpression="REMOVE #avatar", ExpressionAttributeNames={"#avatar": AVATAR.attribute}
        )
    aws.s3.delete_object(Bucket=bucket, Key=old)


def scan(aws: Aws, table: str) -> list[dict[str, Any]]:
    rows: list[Any] = aws.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted(rows, key=lambda row: row[USERNAME]["S"])


def read_objects(aws: Aws, bucket: str) -> dict[str, str]:
    """The ETag of each object."""
    listed: list[Any] = aws.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: each["ETag"] for each in listed}
