"""Lists the keys in the bucket, newest first, page by page, without an index of its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from services.frontend.cursor import InvalidCursorError, decode_cursor, encode_cursor
from services.frontend.search import Batch, Search, Segment, suggest_start
from services.store.kinds import PENDING_PREFIXES, PERMANENT_PREFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from concurrent.futures import Executor

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

PREFIXES = (*PERMANENT_PREFIXES, *PENDING_PREFIXES)

BATCH = 1000
"""Maximum number of keys in one listing (AWS: ListObjectsV2)."""

MAX_HINT_LENGTH = 36
"""Length of an id. A hint may be any text up to this length."""

MAX_CURSOR_BYTES = 8192
"""Maximum size of a decoded cursor: more than the longest key and its hints take with every character escaped."""


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class EntriesPage:
    entries: list[Entry]
    cursor: str | None


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The content of a cursor, which says where the next page starts."""

    last: str
    """The last key of the previous page."""
    hints: dict[str, str]
    """For each prefix, the name to start listing after. Hints save calls and never change the result, so they need not
    be trusted.
    """


class Listing:
    """Lists objects of several prefixes in one order, descending by name, which is the key without the prefix.

    An id starts with its time, so the newest uploads come first. Names that are not ids are sorted among them as text.
    Of two objects with the same name the pending one comes first. Objects under other prefixes are left out, since the
    service has no permission to read them.
    """

    def __init__(
        self, s3: S3Client, bucket: str, executor: Executor, clock: Callable[[], float], batch: int = BATCH
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._executor = executor
        self._clock = clock
        self._batch = batch
        self._hints: dict[str, str] = {}
        """For each prefix, the latest hint for the newest names. Threads share it, since any hint is correct."""

    def list_page(self, limit: int, cursor: str | None, prefixes: Collection[str] = PREFIXES) -> EntriesPage:
        """A page of objects. It takes one call for each prefix if there is a hint or there are few keys, and several
        calls otherwise (`search`).

        Raises:
            InvalidCursorError: the cursor was not issued by this list.
        """
        previous = _read_cursor(cursor) if cursor is not None else None
        hints = previous.hints if previous else self._hints
        count = limit + 1  # one more shows whether there is another page
        searches = {
            prefix: Search(count, _find_bound(prefix, previous), hints.get(prefix), self._clock(), self._batch)
            for prefix in prefixes
        }
        sizes = self._run(searches)
        found = {prefix: search.found for prefix, search in searches.items() if search.found}
        if previous is None:
            self._hints |= self._suggest_hints(found, count)
        names = sorted(((name, prefix) for prefix, segment in found.items() for name in segment.names), reverse=True)
        entries = [Entry(prefix + name, sizes[prefix + name]) for name, prefix in names[:limit]]
        if len(names) <= limit:
            return EntriesPage(entries, None)
        following = _Cursor(entries[-1].key, {})
        remaining = {prefix: _keep_below(segment, _find_bound(prefix, following)) for prefix, segment in found.items()}
        hints = {prefix: hint[:MAX_HINT_LENGTH] for prefix, hint in self._suggest_hints(remaining, count).items()}
        return EntriesPage(entries, encode_cursor(msgspec.json.encode(_Cursor(following.last, hints)).decode()))

    def _suggest_hints(self, found: Mapping[str, Segment], count: int) -> dict[str, str]:
        suggested = {prefix: suggest_start(segment, count, self._batch) for prefix, segment in found.items()}
        return {prefix: hint for prefix, hint in suggested.items() if hint is not None}

    def _run(self, searches: Mapping[str, Search]) -> dict[str, int]:
        """Run the searches to their end, the listings of a round in parallel. Returns the size of each listed key."""
        sizes: dict[str, int] = {}
        while running := [(prefix, search) for prefix, search in searches.items() if search.found is None]:
            probes = [(prefix, probe) for prefix, search in running for probe in search.probes]
            listed = self._executor.map(self._list, probes)
            for prefix, search in running:
                batches: list[Batch] = []
                for entries, more in islice(listed, len(search.probes)):
                    sizes |= {entry.key: entry.size for entry in entries}
                    batches.append(Batch([entry.key.removeprefix(prefix) for entry in entries], more))
                search.add(batches)
        return sizes

    def _list(self, probe: tuple[str, str | None]) -> tuple[list[Entry], bool]:
        prefix, after = probe
        listed = self._s3.list_objects_v2(
            Bucket=self._bucket,
            Prefix=prefix,
            MaxKeys=self._batch,
            StartAfter="" if after is None else prefix + after,
        )
        return [_read_entry(entry) for entry in listed.get("Contents", [])], listed["IsTruncated"]


def _read_cursor(text: str) -> _Cursor:
    try:
        cursor = msgspec.json.decode(decode_cursor(text, MAX_CURSOR_BYTES), type=_Cursor)
    except msgspec.DecodeError as error:
        raise InvalidCursorError from error
    if not cursor.last.startswith(PREFIXES):
        raise InvalidCursorError
    return _Cursor(cursor.last, {prefix: hint for prefix, hint in cursor.hints.items() if _is_valid_hint(hint)})


def _is_valid_hint(hint: str) -> bool:
    """Whether S3 accepts the hint, which a client can make up."""
    return len(hint) <= MAX_HINT_LENGTH and hint.isascii() and hint.isprintable()


def _find_bound(prefix: str, cursor: _Cursor | None) -> str | None:
    """The upper bound of this prefix's names on the page after the cursor, exclusive. None if there is no bound."""
    if cursor is None:
        return None
    last_prefix = next(known for known in PREFIXES if cursor.last.startswith(known))
    last = cursor.last.removeprefix(last_prefix)
    # The next greater text, so that the same name with this prefix is on the next page.
    return last + "\0" if prefix < last_prefix else last


def _keep_below(segment: Segment, bound: str | None) -> Segment:
    return Segment(segment.start, [name for name in segment.names if bound is None or name < bound])


def _read_entry(entry: ObjectTypeDef) -> Entry:
    # boto3's types make both optional; S3 always returns them.
    return Entry(entry.get("Key", ""), entry.get("Size", 0))
