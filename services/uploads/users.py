from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.store.clients import error_code
from services.store.table import AVATAR, USERNAME, UnknownUserError, make_key, read_avatar
from services.uploads.objects import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient


class NotForwardError(Exception):
    """The row's avatar is this one or a later one."""

    def __init__(self, avatar: str) -> None:
        super().__init__(avatar)
        self.avatar = avatar


@dataclass(frozen=True, slots=True)
class Users:
    dynamodb: DynamoDBClient
    table: str

    def find_avatar(self, username: str) -> str | None:
        """
        Raises:
            UnknownUserError: the table has no row of this user.
        """
        found = self.dynamodb.get_item(
            TableName=self.table,
            Key=make_key(username),
            ProjectionExpression=AVATAR,
            # A repeat right after the first call must see what the first call wrote.
            ConsistentRead=True,
        )
        if "Item" not in found:
            raise UnknownUserError
        return read_avatar(found["Item"])

    def list_references(self) -> Iterator[Reference]:
        """Every row that has an avatar, in no particular order. The rows are not read at one moment."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table, ProjectionExpression=f"{USERNAME}, {AVATAR}", ConsistentRead=True
        )
        for page in pages:
            for item in page["Items"]:
                if avatar := read_avatar(item):
                    yield Reference(avatar, item[USERNAME]["S"])  # pyright: ignore[reportTypedDictNotRequiredAccess] - the partition key

    def advance(self, username: str, avatar: str) -> str | None:
        """Set a later avatar and return the one before. Only this caller may then delete that one.

        Raises:
            NotForwardError: the row is unchanged.
            UnknownUserError: the table has no row of this user.
        """
        try:
            response = self.dynamodb.update_item(
                TableName=self.table,
                Key=make_key(username),
                UpdateExpression=f"SET {AVATAR} = :new",
                ConditionExpression=(
                    f"attribute_exists({USERNAME}) AND (attribute_not_exists({AVATAR}) OR {AVATAR} < :new)"
                ),
                ExpressionAttributeValues={":new": {"S": avatar}},
                ReturnValues="UPDATED_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            item = error.response.get("Item")
            if not item:
                raise UnknownUserError from error
            raise NotForwardError(item[AVATAR]["S"]) from error
        return read_avatar(response.get("Attributes", {}))
