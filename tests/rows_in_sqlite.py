"""Rows in SQLite, as an example of another database (`services.uploads.rows`)."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from services.store.kinds import KINDS
from services.store.table import Row, UnknownUserError, Value
from services.uploads.rows import NotForwardError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Generator, Iterator

    from services.store.keys import Upload
    from services.store.kinds import Kind

TABLE = """
CREATE TABLE picture (
    username TEXT NOT NULL, kind TEXT NOT NULL, key TEXT, removed TEXT, told TEXT, PRIMARY KEY (username, kind)
)
"""


class SqliteRows:
    """Each user's row is the rows of this table with their name: one for each kind of which there is something."""

    def __init__(self, database: sqlite3.Connection, *, creates: bool) -> None:
        """`database`: a connection with `isolation_level=None`, so that this class begins the transactions."""
        self._database = database
        self._creates = creates

    def find_row(self, username: str) -> Row:
        found = self._database.execute("SELECT kind, key, removed, told FROM picture WHERE username = ?", (username,))
        values = {kind: Value(key, removed, told) for kind, key, removed, told in found}
        if not values and not self._creates:
            raise UnknownUserError
        return Row(username, "", tuple(values.get(kind, Value()) for kind in KINDS))

    def list_rows(self) -> Iterator[Row]:
        for (username,) in self._database.execute("SELECT DISTINCT username FROM picture").fetchall():
            yield self.find_row(username)

    def advance(self, username: str, upload: Upload) -> Value:
        with self._change(username) as row:
            before = row.of(upload.kind)
            if (before.key or "") >= upload.permanent_key or (before.removed or "") >= upload.id.text:
                raise NotForwardError(row)
            self._write(username, upload.kind, Value(upload.permanent_key, before.removed, before.told))
            return before

    def remove(self, username: str, kind: Kind, removed: str, key: str | None) -> None:
        with self._change(username) as row:
            before = row.of(kind)
            if before.key != key or (before.removed or "") > removed:
                raise NotForwardError(row)
            self._write(username, kind, Value(None, removed, before.told))

    def mark_told(self, username: str, kind: Kind, told: str) -> None:
        self._database.execute(
            "UPDATE picture SET told = :told WHERE username = :username AND kind = :kind"
            " AND (told IS NULL OR told < :told)",
            {"told": told, "username": username, "kind": kind.name},
        )

    @contextlib.contextmanager
    def _change(self, username: str) -> Generator[Row, None, None]:
        """The row, which no other connection changes until the end of the transaction."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self.find_row(username)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _write(self, username: str, kind: Kind, value: Value) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO picture VALUES (?, ?, ?, ?, ?)",
            (username, kind.name, value.key, value.removed, value.told),
        )
