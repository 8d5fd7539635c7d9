"""What the confirm, the removal and the sweep need of the database with the users' rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.store.keys import Upload
    from services.store.kinds import Kind
    from services.store.table import Row, Value


class NotForwardError(Exception):
    """The row did not allow the change. `row`: what it has."""

    def __init__(self, row: Row) -> None:
        super().__init__(row)
        self.row = row


class Rows(Protocol):
    """`services.uploads.users` implements it with DynamoDB. Another database is another module with these methods.

    Each change must be atomic: the database compares and writes in one step, so that of two concurrent changes the
    second one sees what the first one wrote. Each read must see every change that was completed before it began.
    """

    def find_row(self, username: str) -> Row:
        """
        Raises:
            UnknownUserError: the user has no row, and is not to get one.
        """
        ...

    def list_rows(self) -> Iterator[Row]:
        """Every row, in no particular order. A row that exists all the time must not be left out. The rows need not be
        read at one moment, but each of them after this call began.
        """
        ...

    def advance(self, username: str, upload: Upload) -> Value:
        """Let the row refer to this upload, if its key and the last removal are both less, compared as text. Return
        what the row had of this kind. Only this caller may then delete the former object.

        Raises:
            NotForwardError: the row is unchanged. It refers to this upload or a later one of its kind, or the picture
                of this kind was removed after this upload was presigned.
            UnknownUserError: the user has no row, and is not to get one.
        """
        ...

    def remove(self, username: str, kind: Kind, removed: str, key: str | None) -> None:
        """Remove the key of this kind from the row, if it is this one, and refuse every upload of the kind up to the id
        `removed` from now on. A user who is to get a row at the first confirm gets one here, too.

        Raises:
            NotForwardError: the row is unchanged. It has another key, or a later removal.
            UnknownUserError: the user has no row, and is not to get one.
        """
        ...

    def mark_told(self, username: str, kind: Kind, told: str) -> None:
        """Note that the application was told up to this id. Nothing changes if the row has a later id, or if there is
        no row.
        """
        ...
