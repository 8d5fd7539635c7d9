"""The bucket as it stands, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.aws import error_code
from services.frontend.cursor import decode_cursor, encode_cursor
from services.keys import USERNAME_FIELD
from services.state import State, find_state

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Executor
    from datetime import datetime

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import HeadObjectOutputTypeDef

    from services.frontend.people import People


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
        keys = [entry["Key"] for entry in listed.get("Contents", []) if "Key" in entry]
        described = [(head, tags) for head, tags in self.executor.map(self._describe, keys)]
        owners = (head["Metadata"].get(USERNAME_FIELD) for head, _ in described if head)
        avatars = self.people.find_avatars(owner for owner in owners if owner)
        objects = [
            _inspect(key, head, tags, avatars)
            for key, (head, tags) in zip(keys, described, strict=True)
            # Gone since it was listed.
            if head is not None
        ]
        return ObjectsPage(objects, encode_cursor(keys[-1]) if listed["IsTruncated"] else None)

    def _describe(self, key: str) -> tuple[HeadObjectOutputTypeDef | None, Mapping[str, str]]:
        try:
            head = self.s3.head_object(Bucket=self.bucket, Key=key)
            if not head.get("TagCount"):
                return head, {}
            tagging = self.s3.get_object_tagging(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in {"404", "NoSuchKey"}:
                return None, {}
            raise
        return head, {tag["Key"]: tag["Value"] for tag in tagging["TagSet"]}


def _inspect(
    key: str, head: HeadObjectOutputTypeDef, tags: Mapping[str, str], avatars: Mapping[str, str | None]
) -> InspectedObject:
    owner = head["Metadata"].get(USERNAME_FIELD, "")
    return InspectedObject(
        key=key,
        size=head["ContentLength"],
        content_type=head["ContentType"],
        last_modified=head["LastModified"],
        tags=tags,
        metadata=head["Metadata"],
        expires=read_expiry(head.get("Expiration")),
        state=find_state(key, tags, avatars.get(owner)),
    )


def read_expiry(expiration: str | None) -> datetime | None:
    """The date in an `x-amz-expiration` header, such as `expiry-date="Mon, 23 Nov 2026 00:00:00 GMT", rule-id="x"`."""
    found = re.search(r'expiry-date="([^"]+)"', expiration or "")
    return parsedate_to_datetime(found[1]) if found else None
