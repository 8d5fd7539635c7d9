"""Gathers what an upload may have changed: some objects, and the rows and cards of some users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.frontend.listing import PREFIXES, EntriesPage, Entry
from services.store.kinds import KINDS
from services.store.table import UnknownUserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.frontend.inspector import Inspector
    from services.store.table import Row
    from services.web.callers.identity import Caller

MAX_KEYS = 12
MAX_USERNAMES = 4
"""Maximum number of each in one request: together the parameters that a query can have (`services.web.gate`)."""


@dataclass(frozen=True, slots=True)
class Changes:
    inspector: Inspector
    has_login: bool
    """Whether the page can log users in."""

    def gather(self, caller: Caller | None, usernames: Iterable[str], keys: Iterable[str]) -> dict[str, Any]:
        """The template's context: the rows of these users, and the objects with these keys or referred to by these
        rows. What does not exist is left out.
        """
        executor = self.inspector.executor
        people = [row for row in executor.map(self._find_row, sorted(set(usernames))) if row]
        referred = {value.key for row in people for value in row.values if value.key}
        wanted = {key for key in keys if key.startswith(PREFIXES)} | referred
        entries = [entry for entry in executor.map(self._find_entry, sorted(wanted, key=_name, reverse=True)) if entry]
        rows = list(self.inspector.inspect_all(people, {entry.key for entry in entries}))
        return {
            "has_login": self.has_login,
            "kinds": KINDS,
            "username": caller.username if caller else "",
            "rows": rows,
            "objects": self.inspector.describe(EntriesPage(entries, None)).objects,
        }

    def _find_row(self, username: str) -> Row | None:
        try:
            return self.inspector.people.find(username)
        except UnknownUserError:
            return None

    def _find_entry(self, key: str) -> Entry | None:
        inspector = self.inspector
        listed = inspector.s3.list_objects_v2(Bucket=inspector.bucket, Prefix=key, MaxKeys=1)
        found = [Entry(key, entry.get("Size", 0)) for entry in listed.get("Contents", []) if entry.get("Key") == key]
        return found[0] if found else None


def _name(key: str) -> str:
    """The id of an upload, by whose order the newest object is first under any prefix."""
    return key.partition("/")[2]
