"""The bucket as it stands, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.aws import error_code
from services.frontend.cursor import decode_cursor, encode_cursor
from services.keys import AVATAR_PREFIX, USERNAME_FIELD
from services.state import State, find_avatar_state, find_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor
    from datetime import datetime

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef, ObjectTypeDef

    from services.frontend.people import People, PeoplePage, Person

MISSING = frozenset({"404", "NoSuchKey"})
"""A missing object's code: HEAD answers without a body, so that the status is all there is."""


@dataclass(frozen=True, slots=True)
class InspectedObject:
    key: str
    size: int
    content_type: str
    last_modified: datetime
    tags: Mapping[str, str]
    metadata: Mapping[str, str]
    expires: datetime | None
    """When a lifecycle rule will delete it, as S3 says."""
    state: State


@dataclass(frozen=True, slots=True)
class ObjectsPage:
    objects: list[InspectedObject]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class InspectedRow:
    person: Person
    state: State | None
    """Of what the row points at; None where it points at nothing."""


@dataclass(frozen=True, slots=True)
class RowsPage:
    rows: list[InspectedRow]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Inspector:
    s3: S3Client
    bucket: str
    people: People
    executor: Executor

    def list_page(self, limit: int, cursor: str | None) -> ObjectsPage:
        """One call for the keys, one or two for each object (a listing tells neither metadata nor tags), one for rows.

        Raises:
            InvalidCursorError: the cursor is none of ours.
        """
        after = decode_cursor(cursor) if cursor is not None else ""
        listed = self.s3.list_objects_v2(Bucket=self.bucket, MaxKeys=limit, StartAfter=after)
        entries = [_read_entry(entry) for entry in listed.get("Contents", [])]
        # What was deleted since it was listed is left out.
        found = [described for described in self.executor.map(self._describe, entries) if described]
        owners = (described.headers["Metadata"].get(USERNAME_FIELD) for described in found)
        avatars = self.people.find_avatars(owner for owner in owners if owner)
        objects = [_inspect(described, avatars) for described in found]
        return ObjectsPage(objects, encode_cursor(entries[-1].key) if listed["IsTruncated"] else None)

    def inspect_rows(self, page: PeoplePage) -> RowsPage:
        """One call for each row that has an avatar, all at once: only its object can tell whether it is there."""
        return RowsPage([*self.executor.map(self._inspect_row, page.people)], page.cursor)

    def _inspect_row(self, person: Person) -> InspectedRow:
        if person.avatar is None:
            return InspectedRow(person, None)
        # No other key is one that this service may ask for, nor one that lasts.
        is_there = person.avatar.startswith(AVATAR_PREFIX) and self._is_there(person.avatar)
        latest = person if is_there else self.people.find(person.username)
        if latest.avatar != person.avatar:
            # Replaced since the row was read, and the old picture is deleted right after.
            return self._inspect_row(latest)
        return InspectedRow(person, find_avatar_state(person.avatar, is_there=is_there))

    def _is_there(self, key: str) -> bool:
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in MISSING:
                return False
            raise
        return True

    def _describe(self, entry: _Entry) -> _Described | None:
        try:
            headers = self._read_headers(entry)
            tags = self._read_tags(entry.key) if headers.get("TagCount") else dict[str, str]()
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise
        return _Described(entry, headers, tags)

    def _read_headers(self, entry: _Entry) -> HeadObjectOutputTypeDef | GetObjectOutputTypeDef:
        if entry.size == 0:
            return self.s3.head_object(Bucket=self.bucket, Key=entry.key)
        # GET counts the tags in its answer, which not every S3 does for HEAD; one byte is the least it gives.
        answer = self.s3.get_object(Bucket=self.bucket, Key=entry.key, Range="bytes=0-0")
        answer["Body"].read()
        return answer

    def _read_tags(self, key: str) -> Mapping[str, str]:
        tag_set = self.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in tag_set}


@dataclass(frozen=True, slots=True)
class _Entry:
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class _Described:
    """An object with what S3 says of it; its state is the table's to say."""

    entry: _Entry
    headers: HeadObjectOutputTypeDef | GetObjectOutputTypeDef
    tags: Mapping[str, str]


def _inspect(described: _Described, avatars: Mapping[str, str | None]) -> InspectedObject:
    entry, headers = described.entry, described.headers
    owner = headers["Metadata"].get(USERNAME_FIELD, "")
    return InspectedObject(
        key=entry.key,
        size=entry.size,
        content_type=headers["ContentType"],
        last_modified=headers["LastModified"],
        tags=described.tags,
        metadata=headers["Metadata"],
        expires=read_expiry(headers.get("Expiration")),
        state=find_state(entry.key, described.tags, avatars.get(owner)),
    )


def _read_entry(entry: ObjectTypeDef) -> _Entry:
    # boto3's types say that both may be missing; in an answer of S3 they are not.
    return _Entry(entry.get("Key", ""), entry.get("Size", 0))


def read_expiry(expiration: str | None) -> datetime | None:
    """The date in an `x-amz-expiration` header, such as `expiry-date="Mon, 23 Nov 2026 00:00:00 GMT", rule-id="x"`."""
    found = re.search(r'expiry-date="([^"]+)"', expiration or "")
    return parsedate_to_datetime(found[1]) if found else None
