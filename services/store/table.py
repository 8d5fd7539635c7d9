"""The users' table in DynamoDB: the names of its attributes, and how a row is read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.store.keys import parse_key
from services.store.kinds import AVATAR, KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.store.kinds import Kind

USERNAME = "Username"
"""The partition key."""

NAME = "Name"
"""A reserved word of DynamoDB: an expression that used it would need `ExpressionAttributeNames`."""


class UnknownUserError(Exception):
    """The table has no row of this user."""

    def __init__(self, detail: str = "There is no user of this name.") -> None:
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class Value:
    """What a row has of one kind of upload."""

    key: str | None = None
    """The permanent key of the picture."""
    removed: str | None = None
    """The id of the last removal."""
    told: str | None = None
    """The id up to which the application was told."""

    @property
    def is_used(self) -> bool:
        """Whether there is a picture, or was one until the user removed it."""
        return bool(self.key or self.removed)


def find_untold(kind: Kind, value: Value) -> str | None:
    """The id of the row's state, if the application was not told of it: that of the upload to which the row refers, or
    of the removal that left it without a picture.
    """
    upload_id = parse_key(value.key, kind.permanent_prefix) if value.key else None
    current = upload_id.text if upload_id else None if value.key else value.removed
    return current if current and current > (value.told or "") else None


_PLACES = {name: place for place, name in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Row:
    """A user."""

    username: str
    name: str
    values: tuple[Value, ...] = (Value(),) * len(KINDS)
    """One for each kind, in the order of `KINDS`."""

    def of(self, kind: Kind) -> Value:
        return self.values[_PLACES[kind.name]]

    def replace(self, kind: Kind, value: Value) -> Row:
        """The row with this value of this kind."""
        place = _PLACES[kind.name]
        return Row(self.username, self.name, (*self.values[:place], value, *self.values[place + 1 :]))

    @property
    def avatar(self) -> str | None:
        """The key of the avatar, which the page shows."""
        return self.of(AVATAR).key


def make_key(username: str) -> dict[str, Any]:
    return {USERNAME: {"S": username}}


def read_row(item: Mapping[str, Any]) -> Row:
    """Read a row from an item with all its attributes, in DynamoDB JSON. A missing name is empty."""
    values = tuple(read_value(kind, item) for kind in KINDS.values())
    return Row(item[USERNAME]["S"], item.get(NAME, {}).get("S", ""), values)


def read_value(kind: Kind, item: Mapping[str, Any]) -> Value:
    """Read what an item has of this kind. It need not have other attributes."""
    names = (kind.attribute, kind.removed_attribute, kind.told_attribute)
    return Value(*(item.get(name, {}).get("S") for name in names))


def write_row(row: Row) -> dict[str, Any]:
    attributes = list_attributes(row)
    values = {name: {"S": value} for name, value in attributes.items() if value is not None}
    return make_key(row.username) | {NAME: {"S": row.name}} | values


def list_attributes(row: Row) -> dict[str, str | None]:
    """The attributes of all kinds with their values. A value of None means that the attribute is missing."""
    attributes: dict[str, str | None] = {}
    for kind in KINDS.values():
        value = row.of(kind)
        attributes |= {
            kind.attribute: value.key,
            kind.removed_attribute: value.removed,
            kind.told_attribute: value.told,
        }
    return attributes
