from __future__ import annotations

import itertools
import sqlite3
from typing import TYPE_CHECKING

from services.store.keys import Upload, UploadId
from services.store.kinds import KINDS
from services.store.table import find_untold
from services.uploads.objects import Reference
from services.uploads.sweep.plan import Orphan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from services.store.kinds import Kind
    from services.store.table import Row

BATCH = 1000
"""Number of references that one statement inserts."""
CACHE_KIBIBYTES = 8192


class Ledger:
    """The references of all rows, sorted by kind and key, the states of which the application was not told, and the
    orphans that were found.

    All are in a temporary file (SQLite: "Temporary Databases"), so that memory does not grow with their number.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        self._database.execute("CREATE TABLE reference (kind TEXT, key TEXT, username TEXT)")
        self._database.execute("CREATE TABLE untold (kind TEXT, username TEXT, id TEXT)")
        self._database.execute("CREATE TABLE orphan (kind TEXT, id TEXT, owner TEXT)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def write(self, rows: Iterable[Row]) -> int:
        """Add the references of these rows. Return the number of rows that have a picture, or had one until the user
        removed it.
        """
        count = 0
        used = (row for row in rows if any(value.is_used for value in row.values))
        self._database.execute("BEGIN")
        while batch := list(itertools.islice(used, BATCH)):
            references = (
                (name, key, row.username)
                for row in batch
                for name, kind in KINDS.items()
                if (key := row.of(kind).key) is not None
            )
            self._database.executemany("INSERT INTO reference VALUES (?, ?, ?)", references)
            untold = (
                (name, row.username, state_id)
                for row in batch
                for name, kind in KINDS.items()
                if (state_id := find_untold(kind, row.of(kind))) is not None
            )
            self._database.executemany("INSERT INTO untold VALUES (?, ?, ?)", untold)
            count += len(batch)
        self._database.execute("COMMIT")
        return count

    def count(self, kind: Kind) -> int:
        """The number of references of this kind."""
        [(count,)] = self._database.execute("SELECT COUNT(*) FROM reference WHERE kind = ?", (kind.name,))
        return count

    def read(self, kind: Kind) -> Iterator[Reference]:
        """The references of this kind in UTF-8 binary order of the keys, the order in which S3 lists them."""
        found = self._database.execute("SELECT key, username FROM reference WHERE kind = ? ORDER BY key", (kind.name,))
        for key, username in found:
            yield Reference(key, username)

    def count_untold(self) -> int:
        """The number of states of which the application was not told, or was not known to be told."""
        [(count,)] = self._database.execute("SELECT COUNT(*) FROM untold")
        return count

    def read_untold(self) -> Iterator[tuple[Kind, str]]:
        """The kind and the user of each state of which the application was not told. The latest states are first: the
        application may refuse some earlier ones in every sweep, and those must not keep later ones from being told.
        """
        for kind, username in self._database.execute("SELECT kind, username FROM untold ORDER BY id DESC, rowid"):
            yield KINDS[kind], username

    def add_orphans(self, orphans: Iterable[Orphan]) -> None:
        rows = ((orphan.upload.kind.name, orphan.upload.id.text, orphan.owner) for orphan in orphans)
        self._database.executemany("INSERT INTO orphan VALUES (?, ?, ?)", rows)

    def count_orphans(self) -> dict[str, int]:
        """The number of orphans by kind."""
        return dict(self._database.execute("SELECT kind, COUNT(*) FROM orphan GROUP BY kind"))

    def read_orphans(self) -> Iterator[Orphan]:
        """All orphans in the order in which they were added."""
        for kind, upload_id, owner in self._database.execute("SELECT kind, id, owner FROM orphan ORDER BY rowid"):
            yield Orphan(Upload(KINDS[kind], UploadId(upload_id)), owner)
