from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.conftest import User


pytestmark = pytest.mark.every_aws


def find_row(stack: Stack, username: str) -> dict[str, Any]:
    cursor = None
    while True:
        given = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = httpx2.get(f"{stack.origin}/inspector/users", params=given).raise_for_status().json()
        for row in page["rows"]:
            if row["Username"] == username:
                return row
        cursor = page["cursor"]
        assert cursor, "There is no such row."


def test_a_row_without_its_object_is_shown_as_dangling(stack: Stack, user: User) -> None:
    assert user.avatar
    assert find_row(stack, user.username)["state"] == "live"
    stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=user.avatar)
    try:
        row = find_row(stack, user.username)
        assert (row["Avatar"], row["state"]) == (user.avatar, "dangling")
    finally:
        # What looks after the whole table finds nothing wrong with it later.
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key={"Username": {"S": user.username}})
