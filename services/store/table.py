"""The users' table in DynamoDB: the names of its attributes, and how a row is read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

USERNAME = "Username"
"""The partition key."""

NAME = "Name"
"""A reserved word of DynamoDB: an expression that used it would need `ExpressionAttributeNames`."""

AVATAR = "Avatar"
"""The key of the user's picture in the bucket. The attribute is missing while there is none."""

REMOVED = "Removed"
"""An upload id, made when the user last removed their avatar. An upload whose id is not above it can't become the
avatar. The attribute is missing until the first removal.
"""


class UnknownUserError(Exception):
    """The table has no row of this user."""

    def __init__(self, detail: str = "There is no user of this name.") -> None:
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Row:
    """A user."""

    username: str
    name: str
    avatar: str | None = None
    removed: str | None = None


def make_key(username: str) -> dict[str, Any]:
    return {USERNAME: {"S": username}}


def read_row(item: Mapping[str, Any]) -> Row:
    """Read a row from an item with all its attributes, in DynamoDB JSON. A missing name is empty."""
    return Row(item[USERNAME]["S"], item.get(NAME, {}).get("S", ""), read_avatar(item), read_removed(item))


def read_avatar(item: Mapping[str, Any]) -> str | None:
    """Read the avatar from an item that holds at least this attribute, if the row has one."""
    return item.get(AVATAR, {}).get("S")


def read_removed(item: Mapping[str, Any]) -> str | None:
    """Read the id of the last removal from an item that holds at least this attribute, if the row has one."""
    return item.get(REMOVED, {}).get("S")


def write_row(row: Row) -> dict[str, Any]:
    avatar = {AVATAR: {"S": row.avatar}} if row.avatar is not None else {}
    removed = {REMOVED: {"S": row.removed}} if row.removed is not None else {}
    return make_key(row.username) | {NAME: {"S": row.name}} | avatar | removed
