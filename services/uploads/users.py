from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from services.store.clients import error_code
from services.store.responses import require
from services.store.table import AVATAR, NAME, REMOVED, USERNAME, Row, UnknownUserError, make_key, read_avatar, read_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from services.store.keys import UploadId


ADVANCE = f"SET {AVATAR} = :new"
FORWARD = (
    f"attribute_exists({USERNAME}) AND (attribute_not_exists({AVATAR}) OR {AVATAR} < :new)"
    f" AND (attribute_not_exists({REMOVED}) OR {REMOVED} < :id)"
)

REMOVE = f"SET {REMOVED} = :id REMOVE {AVATAR}"
_NOT_REMOVED_LATER = f"(attribute_not_exists({REMOVED}) OR {REMOVED} <= :id)"
NO_AVATAR = f"attribute_exists({USERNAME}) AND attribute_not_exists({AVATAR}) AND {_NOT_REMOVED_LATER}"
THIS_AVATAR = f"{AVATAR} = :old AND {_NOT_REMOVED_LATER}"


class NotForwardError(Exception):
    """The row did not allow the change. `row`: what it has."""

    def __init__(self, row: Row) -> None:
        super().__init__(row)
        self.row = row


@dataclass(frozen=True, slots=True)
class Users:
    dynamodb: DynamoDBClient
    table: str

    def find_row(self, username: str) -> Row:
        """
        Raises:
            UnknownUserError: the table has no row of this user.
        """
        # A repeat right after the first call must see what the first call wrote.
        found = self.dynamodb.get_item(TableName=self.table, Key=make_key(username), ConsistentRead=True)
        if "Item" not in found:
            raise UnknownUserError
        return read_row(found["Item"])

    def list_rows(self) -> Iterator[Row]:
        """Every row, in no particular order. The rows are not read at one moment."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        for page in pages:
            yield from map(read_row, page["Items"])

    def advance(self, username: str, upload_id: UploadId) -> str | None:
        """Let the row refer to this upload, and return the avatar before. Only this caller may then delete that one.

        Raises:
            NotForwardError: the row is unchanged. It refers to this upload or a later one, or the avatar was removed
                after this upload was presigned.
            UnknownUserError: the table has no row of this user.
        """
        return self._update(
            username, ADVANCE, FORWARD, {":new": {"S": upload_id.avatar_key}, ":id": {"S": upload_id.text}}
        )

    def remove(self, username: str, removed: str, avatar: str | None) -> None:
        """Remove this avatar from the row, and refuse every upload up to this id from now on.

        Raises:
            NotForwardError: the row is unchanged. It has another avatar, or a later removal.
            UnknownUserError: the table has no row of this user.
        """
        values = {":id": {"S": removed}}
        if avatar is None:
            self._update(username, REMOVE, NO_AVATAR, values)
        else:
            self._update(username, REMOVE, THIS_AVATAR, values | {":old": {"S": avatar}})

    def restore(self, before: Row | None, after: Row) -> None:
        """Give the row these attributes, if it is as it was read before. Without `before` the row must be missing.

        Raises:
            NotForwardError: the row is not as it was read, and is unchanged.
        """
        wanted = {AVATAR: after.avatar, REMOVED: after.removed} | ({} if before else {NAME: after.name})
        set_ = [f"#{name} = :{name}" for name, value in wanted.items() if value is not None]
        removed = [f"#{name}" for name, value in wanted.items() if value is None]
        update = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in (("SET", set_), ("REMOVE", removed)) if parts)
        expected = {AVATAR: before.avatar, REMOVED: before.removed} if before else {}
        conditions = [f"attribute_exists({USERNAME})" if before else f"attribute_not_exists({USERNAME})"]
        conditions += [
            f"#{name} = :old{name}" if value is not None else f"attribute_not_exists(#{name})"
            for name, value in expected.items()
        ]
        values = {f":{name}": {"S": value} for name, value in wanted.items() if value is not None}
        values |= {f":old{name}": {"S": value} for name, value in expected.items() if value is not None}
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key=make_key(after.username),
                UpdateExpression=update,
                ConditionExpression=" AND ".join(conditions),
                # `Name` is a reserved word.
                ExpressionAttributeNames={f"#{name}": name for name in wanted},
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            raise NotForwardError(after) from error

    def _update(self, username: str, update: str, condition: str, values: Mapping[str, Any]) -> str | None:
        """Update the row on this condition, and return the avatar before."""
        try:
            response = self.dynamodb.update_item(
                TableName=self.table,
                Key=make_key(username),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            item = error.response.get("Item")
            if not item:
                raise UnknownUserError from error
            raise NotForwardError(read_row(item)) from error
        # The conditions require a row, so a complete response has its attributes.
        return read_avatar(require(response, "Attributes")["Attributes"])
