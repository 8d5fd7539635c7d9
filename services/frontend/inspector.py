"""Inspects the objects in the bucket and the rows of the table, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import repeat
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.frontend.listing import PREFIXES
from services.store.clients import is_missing
from services.store.keys import USERNAME_FIELD
from services.store.kinds import KINDS, PENDING_PREFIXES, PERMANENT_PREFIXES
from services.store.states import State, find_state, find_value_state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from concurrent.futures import Executor
    from datetime import datetime

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, HeadObjectOutputTypeDef

    from services.frontend.listing import EntriesPage, Entry, Listing
    from services.frontend.people import People, PeoplePage
    from services.settings.limits import PendingStrategy
    from services.store.kinds import Kind
    from services.store.table import Row


@dataclass(frozen=True, slots=True)
class InspectedObject:
    key: str
    size: int
    content_type: str
    last_modified: datetime
    tags: Mapping[str, str]
    metadata: Mapping[str, str]
    expires: datetime | None
    """When a lifecycle rule will delete the object, according to S3."""
    state: State


@dataclass(frozen=True, slots=True)
class ObjectsPage:
    objects: list[InspectedObject]
    cursor: str | None
    looked_at: int
    """Number of entries that were inspected for this page, in any state."""


@dataclass(frozen=True, slots=True)
class InspectedRow:
    row: Row
    states: Mapping[str, State]
    """By kind. A kind of which the row has no picture is left out."""


@dataclass(frozen=True, slots=True)
class RowsPage:
    rows: list[InspectedRow]
    cursor: str | None
    looked_at: int
    """Number of entries that were inspected for this page, in any state."""


@dataclass(frozen=True, slots=True)
class Inspector:
    s3: S3Client
    bucket: str
    people: People
    executor: Executor
    listing: Listing
    strategy: PendingStrategy

    def list_page(self, limit: int, cursor: str | None, state: State | None = None) -> ObjectsPage:
        """A page of objects, newest first. At most `limit` objects are inspected. With a state the page has only those
        in that state, which may be none.

        Raises:
            InvalidCursorError: the cursor was not issued by this list.
        """
        return self.describe(self.list_entries(limit, cursor, state), state)

    def list_entries(self, limit: int, cursor: str | None, state: State | None = None) -> EntriesPage:
        """A page of keys under the prefixes that can have objects in this state.

        Raises:
            InvalidCursorError: the cursor was not issued by this list.
        """
        return self.listing.list_page(limit, cursor, self._choose_prefixes(state))

    def _choose_prefixes(self, state: State | None) -> Collection[str]:
        if state in {State.LIVE, State.ORPHAN}:
            return PERMANENT_PREFIXES
        # Under `prefix`, objects with the pending tag are leftovers of `tag`. A lifecycle rule deletes them within
        # days, so the permanent prefixes are not searched for them.
        return PENDING_PREFIXES if state is State.PENDING and self.strategy == "prefix" else PREFIXES

    def describe(self, page: EntriesPage, state: State | None = None) -> ObjectsPage:
        """Inspect the objects in parallel, with one or two calls each, since a listing has no metadata and no tags."""
        # Objects that were deleted since the listing are left out.
        found = [details for details in self.executor.map(self._read_details, page.entries) if details]
        owners = (details.headers["Metadata"].get(USERNAME_FIELD) for details in found)
        rows = self.people.find_all(owner for owner in owners if owner)
        objects = [_inspect(details, rows) for details in found]
        shown = [entry for entry in objects if state in {None, entry.state}]
        return ObjectsPage(shown, page.cursor, len(page.entries))

    def inspect_rows(self, page: PeoplePage, state: State | None = None) -> RowsPage:
        return filter_rows(page, self.inspect_all(page.people), state)

    def inspect_all(self, people: Iterable[Row], existing: Collection[str] = ()) -> Iterator[InspectedRow]:
        """Start to inspect the rows in parallel, with one call for each picture that is not among `existing`."""
        return self.executor.map(self._inspect_row, people, repeat(existing))

    def _inspect_row(self, person: Row, existing: Collection[str]) -> InspectedRow:
        keys = {name: key for name, kind in KINDS.items() if (key := person.of(kind).key)}
        there = {name for name, key in keys.items() if key in existing or self._is_there(KINDS[name], key)}
        latest = person if there == keys.keys() else self.people.find(person.username)
        if latest != person:
            # A picture was replaced since the row was read, and the old one was deleted.
            return self._inspect_row(latest, existing)
        states = {name: find_value_state(KINDS[name], key, is_there=name in there) for name, key in keys.items()}
        return InspectedRow(person, states)

    def _is_there(self, kind: Kind, key: str) -> bool:
        # Another prefix counts as missing: a lifecycle rule deletes the object soon, or the service may not read it.
        if not key.startswith(kind.permanent_prefix):
            return False
        try:
            self.s3.head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
        return True

    def _read_details(self, entry: Entry) -> _Details | None:
        try:
            headers = self._read_headers(entry)
            tags = self._read_tags(entry.key) if headers.get("TagCount") else dict[str, str]()
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return _Details(entry, headers, tags)

    def _read_headers(self, entry: Entry) -> HeadObjectOutputTypeDef | GetObjectOutputTypeDef:
        if entry.size == 0:
            return self.s3.head_object(Bucket=self.bucket, Key=entry.key)
        # A response to GET has the number of tags, which not every S3 returns to HEAD. A range has at least one byte.
        response = self.s3.get_object(Bucket=self.bucket, Key=entry.key, Range="bytes=0-0")
        response["Body"].read()
        return response

    def _read_tags(self, key: str) -> Mapping[str, str]:
        tag_set = self.s3.get_object_tagging(Bucket=self.bucket, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in tag_set}


@dataclass(frozen=True, slots=True)
class _Details:
    """An object as S3 describes it. Its state depends on the table as well."""

    entry: Entry
    headers: HeadObjectOutputTypeDef | GetObjectOutputTypeDef
    tags: Mapping[str, str]


def filter_rows(page: PeoplePage, inspected: Iterable[InspectedRow], state: State | None) -> RowsPage:
    """Keep the rows in this state, or all if there is no state."""
    return RowsPage(
        [row for row in inspected if state is None or state in row.states.values()], page.cursor, len(page.people)
    )


def _inspect(details: _Details, rows: Mapping[str, Row]) -> InspectedObject:
    entry, headers = details.entry, details.headers
    metadata = headers["Metadata"]
    return InspectedObject(
        key=entry.key,
        size=entry.size,
        content_type=headers["ContentType"],
        last_modified=headers["LastModified"],
        tags=details.tags,
        metadata=metadata,
        expires=read_expiry(headers.get("Expiration")),
        state=find_state(entry.key, details.tags, rows.get(metadata.get(USERNAME_FIELD, ""))),
    )


def read_expiry(expiration: str | None) -> datetime | None:
    """The date in an `x-amz-expiration` header, such as `expiry-date="Mon, 23 Nov 2026 00:00:00 GMT", rule-id="x"`."""
    found = re.search(r'expiry-date="([^"]+)"', expiration or "")
    return parsedate_to_datetime(found[1]) if found else None
