from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from services.store.clients import error_code
from services.store.responses import require
from services.store.table import (
    NAME,
    USERNAME,
    Row,
    UnknownUserError,
    Value,
    list_attributes,
    make_key,
    read_row,
    read_value,
)
from services.uploads.rows import NotForwardError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient

    from services.store.keys import Upload
    from services.store.kinds import Kind


# `#key` and `#removed` are the attributes of a kind.
ADVANCE = "SET #key = :new"
_EXISTS = f"attribute_exists({USERNAME}) AND "
FORWARD_OR_NEW = "(attribute_not_exists(#key) OR #key < :new) AND (attribute_not_exists(#removed) OR #removed < :id)"
FORWARD = _EXISTS + FORWARD_OR_NEW

REMOVE = "SET #removed = :id REMOVE #key"
_NOT_REMOVED_LATER = "(attribute_not_exists(#removed) OR #removed <= :id)"
NO_PICTURE_OR_NEW = f"attribute_not_exists(#key) AND {_NOT_REMOVED_LATER}"
NO_PICTURE = _EXISTS + NO_PICTURE_OR_NEW
THIS_PICTURE = f"#key = :old AND {_NOT_REMOVED_LATER}"

MARK_TOLD = "SET #told = :id"
NOT_TOLD_LATER = _EXISTS + "(attribute_not_exists(#told) OR #told < :id)"


@dataclass(frozen=True, slots=True)
class Users:
    """The rows of a table in DynamoDB. `services.uploads.rows` says what each method promises."""

    dynamodb: DynamoDBClient
    table: str
    creates: bool = False
    """Whether a user without a row gets one at the first confirm or removal."""

    def find_row(self, username: str) -> Row:
        # A repeat right after the first call must see what the first call wrote.
        found = self.dynamodb.get_item(TableName=self.table, Key=make_key(username), ConsistentRead=True)
        if "Item" in found:
            return read_row(found["Item"])
        if self.creates:
            return Row(username, "")
        raise UnknownUserError

    def list_rows(self) -> Iterator[Row]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table, ConsistentRead=True)
        for page in pages:
            yield from map(read_row, page["Items"])

    def advance(self, username: str, upload: Upload) -> Value:
        values = {":new": {"S": upload.permanent_key}, ":id": {"S": upload.id.text}}
        return self._update(username, upload.kind, ADVANCE, FORWARD_OR_NEW if self.creates else FORWARD, values)

    def remove(self, username: str, kind: Kind, removed: str, key: str | None) -> None:
        values = {":id": {"S": removed}}
        if key is None:
            self._update(username, kind, REMOVE, NO_PICTURE_OR_NEW if self.creates else NO_PICTURE, values)
        else:
            self._update(username, kind, REMOVE, THIS_PICTURE, values | {":old": {"S": key}})

    def mark_told(self, username: str, kind: Kind, told: str) -> None:
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key=make_key(username),
                UpdateExpression=MARK_TOLD,
                ConditionExpression=NOT_TOLD_LATER,
                ExpressionAttributeNames={"#told": kind.told_attribute},
                ExpressionAttributeValues={":id": {"S": told}},
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def restore(self, before: Row | None, after: Row) -> None:
        """Give the row these attributes, if it is as it was read before. Without `before` the row must be missing.

        Raises:
            NotForwardError: the row is not as it was read, and is unchanged.
        """
        wanted = list_attributes(after) | ({} if before else {NAME: after.name})
        set_ = [f"#{name} = :{name}" for name, value in wanted.items() if value is not None]
        removed = [f"#{name}" for name, value in wanted.items() if value is None]
        update = " ".join(f"{verb} {', '.join(parts)}" for verb, parts in (("SET", set_), ("REMOVE", removed)) if parts)
        expected = list_attributes(before) if before else {}
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

    def _update(self, username: str, kind: Kind, update: str, condition: str, values: Mapping[str, Any]) -> Value:
        """Update the row on this condition, and return what it had of this kind before."""
        try:
            response = self.dynamodb.update_item(
                TableName=self.table,
                Key=make_key(username),
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeNames={"#key": kind.attribute, "#removed": kind.removed_attribute},
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
        if self.creates:
            # A row that this update created had no attributes.
            return read_value(kind, response.get("Attributes", {}))
        # The conditions require a row, so a complete response has its attributes.
        return read_value(kind, require(response, "Attributes")["Attributes"])
