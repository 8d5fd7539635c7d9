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

    from infra.local.clients import Aws
    from infra.local.resources import Resources

GET_BATCH = 100
WRITE_BATCH = 25


def seed(aws: Aws, resources: Resources, count: int) -> None:
    """Add the users that do not exist yet. A picture is stored before the row that refers to it."""
    people = invent_people(count)
    while batch := list(itertools.islice(people, GET_BATCH)):
        missing = _find_missing(aws, resources.table, batch)
        rows = [make_row(aws, resources.bucket, person) for person in missing]
        for start in range(0, len(rows), WRITE_BATCH):
            aws.dynamodb.batch_write_item(
                RequestItems={
                    resources.table: [{"PutRequest": {"Item": row}} for row in rows[start : start + WRITE_BATCH]]
                }
            )


def _find_missing(aws: Aws, table: str, people: Iterable[Person]) -> list[Person]:
    people = list(people)
    keys: list[Any] = [make_key(person.username) for person in people]
    response = aws.dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ProjectionExpression": USERNAME}})
    existing = {row[USERNAME].get("S") for row in response["Responses"].get(table, [])}
    return [person for person in people if person.username not in existing]


def make_row(aws: Aws, bucket: str, person: Person) -> dict[str, Any]:
    """The person's row. Their portrait, if they have one, is stored first."""
    if person.portrait is None:
        return write_row(Row(person.username, person.name))
    avatar = UploadId(str(uuid_utils.uuid7(nanoseconds=time.time_ns()))).avatar_key
    aws.s3.put_object(
        Bucket=bucket,
        Key=avatar,
        Body=person.portrait.read_bytes(),
        ContentType="image/png",
        CacheControl=AVATAR_CACHE_CONTROL,
        Metadata={USERNAME_FIELD: person.username},
    )
    return write_row(Row(person.username, person.name, avatar))
