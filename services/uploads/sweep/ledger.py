from __future__ import annotations

import itertools
import sqlite3
from typing import TYPE_CHECKING

from services.uploads.objects import Reference
from services.uploads.sweep.plan import Orphan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from services.store.table import Row

BATCH = 1000
"""Number of references that one statement inserts."""
CACHE_KIBIBYTES = 8192


class Ledger:
    """The references of all rows, sorted by avatar, and the orphans that were found.

    Both are in a temporary file (SQLite: "Temporary Databases"), so that memory does not grow with their number.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        self._database.execute("CREATE TABLE reference (avatar TEXT, username TEXT)")
        self._database.execute("CREATE TABLE orphan (key TEXT, owner TEXT)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def write(self, rows: Iterable[Row]) -> int:
        """Add the references of these rows. Return the number of rows that have an avatar, or had one until the user
        removed it.
        """
        count = 0
        used = (row for row in rows if row.avatar or row.removed)
        self._database.execute("BEGIN")
        while batch := list(itertools.islice(used, BATCH)):
            references = ((row.avatar, row.username) for row in batch if row.avatar)
            self._database.executemany("INSERT INTO reference VALUES (?, ?)", references)
            count += len(batch)
        self._database.execute("COMMIT")
        return count

    def read(self) -> Iterator[Reference]:
        """All references in UTF-8 binary order of the avatars, the order in which S3 lists keys."""
        for avatar, username in self._database.execute("SELECT avatar, username FROM reference ORDER BY avatar"):
            yield Reference(avatar, username)

    def add_orphans(self, orphans: Iterable[Orphan]) -> None:
        rows = ((orphan.key, orphan.owner) for orphan in orphans)
        self._database.executemany("INSERT INTO orphan VALUES (?, ?)", rows)

    def count_orphans(self) -> int:
        [(count,)] = self._database.execute("SELECT COUNT(*) FROM orphan")
        return count

    def read_orphans(self) -> Iterator[Orphan]:
        """All orphans in the order in which they were added."""
        for key, owner in self._database.execute("SELECT key, owner FROM orphan ORDER BY rowid"):
            yield Orphan(key, owner)
