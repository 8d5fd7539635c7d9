"""The bucket as it stands, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import repeat
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.frontend.listing import PREFIXES
from services.store.clients import error_code
from services.store.keys import AVATAR_PREFIX, PENDING_PREFIXES, USERNAME_FIELD
from services.store.states import State, find_avatar_state, find_state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from concurrent.futures import Executor
    from datetime import datetime

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

    from services.frontend.listing import EntriesPage, Entry, Listing
    from services.frontend.people import People, PeoplePage
    from services.settings.limits import PendingStrategy
    from services.store.table import Row

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
    looked_at: int
    """How many there are on this page, whatever their state."""


@dataclass(frozen=True, slots=True)
class InspectedRow:
    row: Row
    state: State | None
    """Of what the row points at; None where it points at nothing."""


@dataclass(frozen=True, slots=True)
class RowsPage:
    rows: list[InspectedRow]
    cursor: str | None
    looked_at: int
    """How many there are on this page, whatever their state."""


@dataclass(frozen=True, slots=True)
class Inspector:
    s3: S3Client
    bucket: str
    people: People
    executor: Executor
    listing: Listing
    strategy: PendingStrategy

    def list_page(self, limit: int, cursor: str | None, state: State | None = None) -> ObjectsPage:
        """Newest first. With a state no more than `limit` objects are looked at all the same, and those that are in it
        are on the page, be it none.

        Raises:
            InvalidCursorError: the cursor is none of ours.
        """
        return self.describe(self.list_entries(limit, cursor, state), state)

    def list_entries(self, limit: int, cursor: str | None, state: State | None = None) -> EntriesPage:
        """The keys alone, of the prefixes that can have objects in this state.

        Raises:
            InvalidCursorError: the cursor is none of ours.
        """
        return self.listing.list_page(limit, cursor, self._prefixes(state))

    def _prefixes(self, state: State | None) -> Collection[str]:
        if state in {State.LIVE, State.ORPHAN}:
            return (AVATAR_PREFIX,)
        # What the other strategy has left among the avatars is not worth a look at each of them: it is gone in days.
        return PENDING_PREFIXES if state is State.PENDING and self.strategy == "prefix" else PREFIXES

    def describe(self, page: EntriesPage, state: State | None = None) -> ObjectsPage:
        """One or two calls for each object, all at once (a listing tells neither metadata nor tags), one for rows."""
        # What was deleted since it was listed is left out.
        found = [described for described in self.executor.map(self._describe, page.entries) if described]
        owners = (described.headers["Metadata"].get(USERNAME_FIELD) for described in found)
        avatars = self.people.find_avatars(owner for owner in owners if owner)
        objects = [_inspect(described, avatars) for described in found]
        shown = [entry for entry in objects if state in {None, entry.state}]
        return ObjectsPage(shown, page.cursor, len(page.entries))

    def inspect_rows(self, page: PeoplePage, state: State | None = None) -> RowsPage:
        return choose_rows(page, self.look_at_rows(page.people), state)

    def look_at_rows(self, people: Iterable[Row], seen: Collection[str] = ()) -> Iterator[InspectedRow]:
        """One call for each row that has an avatar which nobody has `seen` to be there, all at once, begun right now:
        only its object can tell whether it is there.
        """
        return self.executor.map(self._inspect_row, people, repeat(seen))

    def _inspect_row(self, person: Row, seen: Collection[str]) -> InspectedRow:
        if person.avatar is None:
            return InspectedRow(person, None)
        # No other key is one that this service may ask for, nor one that lasts.
        is_there = person.avatar.startswith(AVATAR_PREFIX) and (person.avatar in seen or self._is_there(person.avatar))
        latest = person if is_there else self.people.find(person.username)
        if latest.avatar != person.avatar:
            # Replaced since the row was read, and the old picture is deleted right after.
            return self._inspect_row(latest, seen)
        return InspectedRow(person, find_avatar_state(person.avatar, is_there=is_there))

    def _is_there(self, key: str) -> bool:
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in MISSING:
                return False
            raise
        return True

    def _describe(self, entry: Entry) -> _Described | None:
        try:
            headers = self._read_headers(entry)
            tags = self._read_tags(entry.key) if headers.get("TagCount") else dict[str, str]()
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise
        return _Described(entry, headers, tags)

    def _read_headers(self, entry: Entry) -> HeadObjectOutputTypeDef | GetObjectOutputTypeDef:
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
class _Described:
    """An object with what S3 says of it; its state is the table's to say."""

    entry: Entry
    headers: HeadObjectOutputTypeDef | GetObjectOutputTypeDef
    tags: Mapping[str, str]


def choose_rows(page: PeoplePage, looked_at: Iterable[InspectedRow], state: State | None) -> RowsPage:
    """Of the page's rows those in this state, or all."""
    return RowsPage([row for row in looked_at if state in {None, row.state}], page.cursor, len(page.people))


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


def read_expiry(expiration: str | None) -> datetime | None:
    """The date in an `x-amz-expiration` header, such as `expiry-date="Mon, 23 Nov 2026 00:00:00 GMT", rule-id="x"`."""
    found = re.search(r'expiry-date="([^"]+)"', expiration or "")
    return parsedate_to_datetime(found[1]) if found else None
