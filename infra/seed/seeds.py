"""Puts the seeded users into the table and their portraits into the bucket."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import uuid_utils

from infra.seed.people import Person, invent_people
from services.store.keys import AVATAR_CACHE_CONTROL, USERNAME_FIELD, UploadId
from services.store.table import USERNAME, Row, make_key, write_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

GET_BATCH = 100
WRITE_BATCH = 25


def seed(s3: S3Client, dynamodb: DynamoDBClient, bucket: str, table: str, count: int) -> int:
    """Add the users that do not exist yet, and return their number. A picture is stored before the row that refers to
    it.
    """
    people = invent_people(count)
    added = 0
    while batch := list(itertools.islice(people, GET_BATCH)):
        missing = _find_missing(dynamodb, table, batch)
        rows = [make_row(s3, bucket, person) for person in missing]
        for start in range(0, len(rows), WRITE_BATCH):
            _write(dynamodb, table, rows[start : start + WRITE_BATCH])
        added += len(rows)
    return added


def _find_missing(dynamodb: DynamoDBClient, table: str, people: Iterable[Person]) -> list[Person]:
    people = list(people)
    keys: list[Any] = [make_key(person.username) for person in people]
    response = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ProjectionExpression": USERNAME}})
    existing = {row[USERNAME].get("S") for row in response["Responses"].get(table, [])}
    return [person for person in people if person.username not in existing]


def _write(dynamodb: DynamoDBClient, table: str, rows: list[dict[str, Any]]) -> None:
    requests: Any = {table: [{"PutRequest": {"Item": row}} for row in rows]}
    while requests:
        # DynamoDB returns the rows that it had no capacity for.
        requests = dynamodb.batch_write_item(RequestItems=requests)["UnprocessedItems"]


def make_row(s3: S3Client, bucket: str, person: Person) -> dict[str, Any]:
    """The person's row. Their portrait, if they have one, is stored first."""
    if person.portrait is None:
        return write_row(Row(person.username, person.name))
    avatar = UploadId(str(uuid_utils.uuid7(nanoseconds=time.time_ns()))).avatar_key
    s3.put_object(
        Bucket=bucket,
        Key=avatar,
        Body=person.portrait.read_bytes(),
        ContentType="image/png",
        CacheControl=AVATAR_CACHE_CONTROL,
        Metadata={USERNAME_FIELD: person.username},
    )
    return write_row(Row(person.username, person.name, avatar))
