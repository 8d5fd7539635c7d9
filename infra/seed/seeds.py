"""Puts the seeded users into the table and their portraits into the bucket."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import uuid_utils

from infra.seed.people import Person, invent_people
from services.store.keys import PERMANENT_CACHE_CONTROL, USERNAME_FIELD, Upload, UploadId
from services.store.kinds import AVATAR
from services.store.table import USERNAME, Row, Value, make_key, write_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

BATCH = 100
"""Maximum number of items in a BatchGetItem and in a TransactWriteItems."""

PAUSE_SECONDS = 1


def seed(
    s3: S3Client,
    dynamodb: DynamoDBClient,
    bucket: str,
    table: str,
    count: int,
    pause: Callable[[float], object] = time.sleep,
) -> int:
    """Add the users that do not exist yet, and return their number. A picture is stored before the row that refers to
    it.
    """
    people = invent_people(count)
    added = 0
    while batch := list(itertools.islice(people, BATCH)):
        missing = _find_missing(dynamodb, table, batch, pause)
        rows = [make_row(s3, bucket, person) for person in missing]
        added += _add(dynamodb, table, rows)
    return added


def _find_missing(
    dynamodb: DynamoDBClient, table: str, people: Iterable[Person], pause: Callable[[float], object]
) -> list[Person]:
    people = list(people)
    existing: set[str | None] = set()
    requests: Any = {
        table: {"Keys": [make_key(person.username) for person in people], "ProjectionExpression": USERNAME}
    }
    while requests:
        response = dynamodb.batch_get_item(RequestItems=requests)
        existing |= {row[USERNAME].get("S") for row in response["Responses"].get(table, [])}
        # DynamoDB returns the keys that it had no capacity for. A repeat at once would be throttled as well.
        requests = response["UnprocessedKeys"]
        if requests:
            pause(PAUSE_SECONDS)
    return [person for person in people if person.username not in existing]


def _add(dynamodb: DynamoDBClient, table: str, rows: list[dict[str, Any]]) -> int:
    """Add these rows, except those of users who have been added since `_find_missing`. Return the number added.

    The picture of such a user remains in the bucket. The sweep deletes it as an orphan.
    """
    while rows:
        puts: list[Any] = [
            {"Put": {"TableName": table, "Item": row, "ConditionExpression": f"attribute_not_exists({USERNAME})"}}
            for row in rows
        ]
        try:
            dynamodb.transact_write_items(TransactItems=puts)
        except dynamodb.exceptions.TransactionCanceledException as error:
            reasons: list[Any] = error.response["CancellationReasons"]  # pyright: ignore[reportTypedDictNotRequiredAccess]
            new = [row for row, why in zip(rows, reasons, strict=True) if why["Code"] != "ConditionalCheckFailed"]
            if len(new) == len(rows):
                raise
            rows = new
        else:
            return len(rows)
    return 0


def make_row(s3: S3Client, bucket: str, person: Person) -> dict[str, Any]:
    """The person's row. Their portrait, if they have one, is stored first."""
    if person.portrait is None:
        return write_row(Row(person.username, person.name))
    avatar = Upload(AVATAR, UploadId(str(uuid_utils.uuid7(nanoseconds=time.time_ns())))).permanent_key
    s3.put_object(
        Bucket=bucket,
        Key=avatar,
        Body=person.portrait.read_bytes(),
        ContentType="image/png",
        CacheControl=PERMANENT_CACHE_CONTROL,
        Metadata={USERNAME_FIELD: person.username},
    )
    return write_row(Row(person.username, person.name).replace(AVATAR, Value(avatar)))
