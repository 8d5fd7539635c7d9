"""Removes a user's picture of a kind: from the row first, then the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.uploads.deadline import LAST_CALL_SECONDS, Deadline
from services.uploads.decision import decide_removal
from services.uploads.message import describe_removed, find_replaced
from services.uploads.refusals import KeepsChangingError
from services.uploads.rows import NotForwardError, Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.store.kinds import Kind
    from services.uploads.message import Message

MAX_TRIES = 3
"""How often a removal is tried when the row changes between its read and its update."""


@dataclass(frozen=True, slots=True)
class Removed:
    keys: tuple[str, ...]
    """Keys that no row refers to any more, to be deleted."""
    message: Message
    """What the application is told."""


@dataclass(frozen=True, slots=True)
class Remover:
    users: Rows
    clock: Callable[[], float]

    def remove(self, username: str, kind: Kind, request_id: str | None = None) -> Removed:
        """Leave the user without a picture of this kind. Safe to stop after any call to AWS, and to repeat. No upload
        of this kind that was presigned before can be confirmed.

        Raises:
            UnknownUserError: the table has no row of this user.
            KeepsChangingError: the row changed between its read and its update, in every try.
            DeadlineExceededError: AWS was too slow. A repeat continues from there.
        """
        deadline = Deadline.after(LAST_CALL_SECONDS, self.clock)
        keys: list[str] = []
        for _ in range(MAX_TRIES):
            deadline.check()
            value = self.users.find_row(username).of(kind)
            if value.key is not None:
                keys.append(value.key)
            deadline.check()
            removed = decide_removal(self.clock(), kind, value)
            try:
                self.users.remove(username, kind, removed, value.key)
            except NotForwardError:
                continue
            # The row only moves forward, so it will not refer to any of them again.
            replaced = find_replaced(kind, value)
            return Removed(tuple(keys), describe_removed(username, kind, removed, replaced, request_id))
        raise KeepsChangingError(f"The {kind.name} was changed while it was removed. Remove it again.")
