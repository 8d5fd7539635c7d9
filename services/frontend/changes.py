"""Gathers what an upload may have changed: some objects, and the rows and cards of some users."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from services.frontend.cursor import MAX_KEY_BYTES
from services.frontend.listing import PREFIXES, EntriesPage, Entry, read_entry
from services.frontend.shared_reads import SharedReads
from services.store.kinds import KINDS
from services.store.table import UnknownUserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.frontend.inspector import InspectedObject, InspectedRow, Inspector
    from services.store.table import Row
    from services.web.callers.identity import Caller

MAX_KEYS = 12
MAX_USERNAMES = 4
"""Maximum number of each in one request: together the parameters that a query can have (`services.web.gate`)."""


class _Wanted(NamedTuple):
    usernames: tuple[str, ...]
    keys: tuple[str, ...]


class _Found(NamedTuple):
    rows: Sequence[InspectedRow]
    objects: Sequence[InspectedObject]


class Changes:
    def __init__(self, inspector: Inspector, *, has_login: bool) -> None:
        """`has_login`: whether the page can log users in."""
        self._inspector = inspector
        self._has_login = has_login
        self._reads = SharedReads(self._read)

    async def gather(self, caller: Caller | None, usernames: Iterable[str], keys: Iterable[str]) -> dict[str, Any]:
        """The template's context: the rows of these users, and the objects with these keys or referred to by these
        rows. What does not exist is left out. Concurrent requests for the same ones share the calls to AWS.
        """
        wanted = _Wanted(tuple(sorted(set(usernames))), tuple(sorted(set(keys))))
        found = await self._reads.get(wanted)
        return {
            "has_login": self._has_login,
            "kinds": KINDS,
            "username": caller.username if caller else "",
            "rows": found.rows,
            "objects": found.objects,
        }

    def _read(self, wanted: _Wanted) -> _Found:
        inspector = self._inspector
        people = [row for row in inspector.executor.map(self._find_row, wanted.usernames) if row]
        keys = {key for key in wanted.keys if _is_possible(key)}.union(*(row.keys for row in people))
        newest_first = sorted(keys, key=_name, reverse=True)
        entries = [entry for entry in inspector.executor.map(self._find_entry, newest_first) if entry]
        existing = {entry.key for entry in entries}
        inspecting = inspector.inspect_all(people, existing)
        objects = inspector.describe(EntriesPage(entries, None, existing)).objects
        return _Found(list(inspecting), objects)

    def _find_row(self, username: str) -> Row | None:
        try:
            return self._inspector.people.find(username)
        except UnknownUserError:
            return None

    def _find_entry(self, key: str) -> Entry | None:
        inspector = self._inspector
        listed = inspector.s3.list_objects_v2(Bucket=inspector.bucket, Prefix=key, MaxKeys=1)
        found = [read_entry(entry) for entry in listed.get("Contents", [])]
        return next((entry for entry in found if entry.key == key), None)


def _is_possible(key: str) -> bool:
    """Whether the service can read an object with this key. S3 refuses a prefix that is longer than any key."""
    return key.startswith(PREFIXES) and len(key.encode()) <= MAX_KEY_BYTES


def _name(key: str) -> str:
    """The id of an upload, by whose order the newest object is first under any prefix."""
    return key.partition("/")[2]
