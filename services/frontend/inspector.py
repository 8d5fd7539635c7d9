"""Inspects the objects in the bucket and the rows of the table, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.frontend.listing import PREFIXES
from services.frontend.object_cache import ObjectCache, ObjectDetails, Version
from services.store.clients import is_missing
from services.store.keys import USERNAME_FIELD
from services.store.kinds import KINDS, PENDING_PREFIXES, PERMANENT_PREFIXES
from services.store.states import State, find_state, find_value_state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    cache: ObjectCache = field(default_factory=ObjectCache)

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
        """Inspect the objects in parallel, with one or two calls for each that is not cached, since a listing has no
        metadata and no tags.
        """
        cached = {entry.key: self.cache.find(entry.key, entry.version) for entry in page.entries}
        missing = [entry for entry in page.entries if cached[entry.key] is None]
        cached |= zip((entry.key for entry in missing), self.executor.map(self._read_details, missing), strict=True)
        # Objects that were deleted since the listing are left out.
        found = [(entry, details) for entry in page.entries if (details := cached[entry.key])]
        owners = (details.metadata.get(USERNAME_FIELD) for _, details in found)
        rows = self.people.find_all(owner for owner in owners if owner)
        objects = [_inspect(entry, details, rows) for entry, details in found]
        shown = [entry for entry in objects if state in {None, entry.state}]
        return ObjectsPage(shown, page.cursor, len(page.entries))

    def inspect_rows(self, page: PeoplePage, state: State | None = None) -> RowsPage:
        """Inspect the rows in parallel, with one call for each picture."""
        return filter_rows(list(self.inspect_all(page.people)), page.cursor, state)

    def inspect_all(self, people: Iterable[Row], existing: Collection[str] = ()) -> Iterator[InspectedRow]:
        """Start to inspect the rows in parallel, with one call for each picture that is not among `existing`."""
        inspecting = [
            self._inspect_row(person, existing)
            if all(key in existing for key in person.keys)
            else self.executor.submit(self._inspect_row, person, existing)
            for person in people
        ]
        return (row if isinstance(row, InspectedRow) else row.result() for row in inspecting)

    def inspect_cached(self, people: Iterable[Row], listed: Collection[str]) -> Iterator[InspectedRow]:
        """Start to inspect the rows, with one call for each picture that is not among `listed` and that HeadObject did
        not find shortly before.
        """
        rows = list(people)
        keys = (key for person in rows for key in person.keys)
        return self.inspect_all(rows, {key for key in keys if key in listed or self.cache.is_known(key)})

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
        self.cache.add_existing(key)
        return True

    def _read_details(self, entry: Entry) -> ObjectDetails | None:
        try:
            headers = self._read_headers(entry)
            tags = self._read_tags(entry.key) if headers.get("TagCount") else dict[str, str]()
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        details = ObjectDetails(
            headers["ContentType"],
            headers["LastModified"],
            headers["Metadata"],
            tags,
            read_expiry(headers.get("Expiration")),
        )
        # The object may have been replaced since the listing.
        version = Version(headers["ETag"], headers["LastModified"].replace(microsecond=0))
        if date := _read_date(headers):
            self.cache.add(entry.key, version, details, date)
        return details

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


def filter_rows(rows: Sequence[InspectedRow], cursor: str | None, state: State | None) -> RowsPage:
    """Keep the rows in this state, or all if there is no state."""
    return RowsPage([row for row in rows if state is None or state in row.states.values()], cursor, len(rows))


def _inspect(entry: Entry, details: ObjectDetails, rows: Mapping[str, Row]) -> InspectedObject:
    return InspectedObject(
        key=entry.key,
        size=entry.size,
        content_type=details.content_type,
        last_modified=details.last_modified,
        tags=details.tags,
        metadata=details.metadata,
        expires=details.expires,
        state=find_state(entry.key, details.tags, rows.get(details.metadata.get(USERNAME_FIELD, ""))),
    )


def _read_date(response: HeadObjectOutputTypeDef | GetObjectOutputTypeDef) -> datetime | None:
    """The time of S3's clock at the response, to the second. None if the response does not say it."""
    date = response["ResponseMetadata"]["HTTPHeaders"].get("date")
    # HTTP times are UTC (RFC 9110, section 5.6.7), but the emulator writes "-0000", which Python reads as no time zone.
    return parsedate_to_datetime(date).replace(tzinfo=UTC) if date else None


def read_expiry(expiration: str | None) -> datetime | None:
    """The date in an `x-amz-expiration` header, such as `expiry-date="Mon, 23 Nov 2026 00:00:00 GMT", rule-id="x"`."""
    found = re.search(r'expiry-date="([^"]+)"', expiration or "")
    return parsedate_to_datetime(found[1]) if found else None
