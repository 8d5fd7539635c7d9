from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.aws import error_code
from services.uploads.sweep.plan import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient


class UnknownUserError(Exception):
    """The token names a user who has no row any more."""


class NotForwardError(Exception):
    """The row's avatar is this one already, or a later one."""

    def __init__(self, avatar: str) -> None:
        super().__init__(avatar)
        self.avatar = avatar


@dataclass(frozen=True, slots=True)
class Users:
    dynamodb: DynamoDBClient
    table: str

    def avatar_of(self, username: str) -> str | None:
        """
        Raises:
            UnknownUserError: there is no such row.
        """
        found = self.dynamodb.get_item(
            TableName=self.table,
            Key={"Username": {"S": username}},
            ProjectionExpression="Avatar",
            # A repeat that comes right after the first call must see what that one wrote.
            ConsistentRead=True,
        )
        if "Item" not in found:
            raise UnknownUserError("There is no user of that name any more.")
        return found["Item"].get("Avatar", {}).get("S")

    def list_references(self) -> Iterator[Reference]:
        """Every row that has an avatar, in no order. Each is read as it is at that moment, not all at one moment."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.table, ProjectionExpression="Username, Avatar", ConsistentRead=True
        )
        for page in pages:
            for row in page["Items"]:
                if avatar := row.get("Avatar", {}).get("S"):
                    yield Reference(avatar, row["Username"]["S"])  # pyright: ignore[reportTypedDictNotRequiredAccess] - the table's key

    def advance(self, username: str, avatar: str) -> str | None:
        """Point the row at a later avatar and return the one before, which is then nobody's but the caller's to delete.

        Raises:
            NotForwardError: the row stays as it is.
            UnknownUserError: there is no such row.
        """
        try:
            answer = self.dynamodb.update_item(
                TableName=self.table,
                Key={"Username": {"S": username}},
                UpdateExpression="SET Avatar = :new",
                ConditionExpression="attribute_exists(Username) AND (attribute_not_exists(Avatar) OR Avatar < :new)",
                ExpressionAttributeValues={":new": {"S": avatar}},
                ReturnValues="UPDATED_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            row = error.response.get("Item")
            if not row:
                raise UnknownUserError("There is no user of that name any more.") from error
            raise NotForwardError(row["Avatar"]["S"]) from error
        return answer.get("Attributes", {}).get("Avatar", {}).get("S")
