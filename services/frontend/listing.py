"""The bucket's keys, newest first, page by page, with no index but S3's own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from services.frontend.cursor import InvalidCursorError, decode_cursor, encode_cursor
from services.frontend.search import Batch, Search, Stretch, suggest_start
from services.store.keys import AVATAR_PREFIX, PENDING_PREFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from concurrent.futures import Executor

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

PREFIXES = (AVATAR_PREFIX, *PENDING_PREFIXES)

BATCH = 1000
"""Keys in one listing, at most (AWS: ListObjectsV2)."""

HINT_LETTERS = 36
"""An id's; a hint may be any text."""

LONGEST_MARK_BYTES = 8192
"""More than the longest key and its hints need, even with each character escaped."""


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class EntriesPage:
    entries: list[Entry]
    cursor: str | None


class _Mark(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page begins: what a cursor holds."""

    last: str
    """The key that this page ended with."""
    hints: dict[str, str]
    """By prefix, where to list from. They make the next page quick and change nothing in it, whoever made them up."""


class Listing:
    """The names after both prefixes, in one descending order: as ids begin with their time, the newest come first, and
    names that are no ids are where their letters put them. Of two objects with one name the pending one comes first.
    What is under neither prefix is not the service's, which may not read it, and is left out.
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
        """By prefix, where the newest were found from the last time. Threads share it: any of its values is good."""

    def list_page(self, limit: int, cursor: str | None, prefixes: Collection[str] = PREFIXES) -> EntriesPage:
        """One call for each prefix, if a hint is at hand or there are few keys; a handful otherwise (`search`).

        Raises:
            InvalidCursorError: the cursor is none of ours.
        """
        mark = _read_mark(cursor) if cursor is not None else None
        hints = mark.hints if mark else self._hints
        count = limit + 1  # one more, to know whether there is another page
        searches = {
            prefix: Search(count, _find_bound(prefix, mark), hints.get(prefix), self._clock(), self._batch)
            for prefix in prefixes
        }
        sizes = self._run(searches)
        found = {prefix: search.found for prefix, search in searches.items() if search.found}
        if mark is None:
            self._hints |= self._suggest(found, count)
        names = sorted(((name, prefix) for prefix, stretch in found.items() for name in stretch.names), reverse=True)
        entries = [Entry(prefix + name, sizes[prefix + name]) for name, prefix in names[:limit]]
        if len(names) <= limit:
            return EntriesPage(entries, None)
        left = _Mark(entries[-1].key, {})
        below = {prefix: _cut(stretch, _find_bound(prefix, left)) for prefix, stretch in found.items()}
        hints = {prefix: hint[:HINT_LETTERS] for prefix, hint in self._suggest(below, count).items()}
        return EntriesPage(entries, encode_cursor(msgspec.json.encode(_Mark(left.last, hints)).decode()))

    def _suggest(self, found: Mapping[str, Stretch], count: int) -> dict[str, str]:
        suggested = {prefix: suggest_start(stretch, count, self._batch) for prefix, stretch in found.items()}
        return {prefix: hint for prefix, hint in suggested.items() if hint is not None}

    def _run(self, searches: Mapping[str, Search]) -> dict[str, int]:
        """All listings of a round at once; the sizes of what they listed, by key."""
        sizes: dict[str, int] = {}
        while running := [(prefix, search) for prefix, search in searches.items() if search.found is None]:
            places = [(prefix, place) for prefix, search in running for place in search.probes]
            listed = self._executor.map(self._list, places)
            for prefix, search in running:
                batches: list[Batch] = []
                for entries, more in islice(listed, len(search.probes)):
                    sizes |= {entry.key: entry.size for entry in entries}
                    batches.append(Batch([entry.key.removeprefix(prefix) for entry in entries], more))
                search.learn(batches)
        return sizes

    def _list(self, place: tuple[str, str | None]) -> tuple[list[Entry], bool]:
        prefix, after = place
        listed = self._s3.list_objects_v2(
            Bucket=self._bucket,
            Prefix=prefix,
            MaxKeys=self._batch,
            StartAfter="" if after is None else prefix + after,
        )
        return [_read_entry(entry) for entry in listed.get("Contents", [])], listed["IsTruncated"]


def _read_mark(cursor: str) -> _Mark:
    try:
        mark = msgspec.json.decode(decode_cursor(cursor, LONGEST_MARK_BYTES), type=_Mark)
    except msgspec.DecodeError as error:
        raise InvalidCursorError("That is not a cursor of this list.") from error
    if not mark.last.startswith(PREFIXES):
        raise InvalidCursorError("That is not a cursor of this list.")
    return _Mark(mark.last, {prefix: hint for prefix, hint in mark.hints.items() if _is_sound(hint)})


def _is_sound(hint: str) -> bool:
    """Whether S3 takes it, from whomever it came."""
    return len(hint) <= HINT_LETTERS and hint.isascii() and hint.isprintable()


def _find_bound(prefix: str, mark: _Mark | None) -> str | None:
    """What this prefix's names of the next page are below; None if any may be."""
    if mark is None:
        return None
    last_prefix = next(known for known in PREFIXES if mark.last.startswith(known))
    last = mark.last.removeprefix(last_prefix)
    return last + "\0" if prefix < last_prefix else last  # the least text above, so that the same name is still to come


def _cut(stretch: Stretch, before: str | None) -> Stretch:
    return Stretch(stretch.start, [name for name in stretch.names if before is None or name < before])


def _read_entry(entry: ObjectTypeDef) -> Entry:
    # boto3's types say that both may be missing; in an answer of S3 they are not.
    return Entry(entry.get("Key", ""), entry.get("Size", 0))
