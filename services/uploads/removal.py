"""Removes a user's picture of a kind: from the row first, then the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.uploads.deadline import LAST_CALL_SECONDS, Deadline
from services.uploads.decision import decide_removal
from services.uploads.refusals import KeepsChangingError
from services.uploads.users import NotForwardError, Users

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.store.kinds import Kind

MAX_TRIES = 3
"""How often a removal is tried when the row changes between its read and its update."""


@dataclass(frozen=True, slots=True)
class Remover:
    users: Users
    clock: Callable[[], float]

    def remove(self, username: str, kind: Kind) -> tuple[str, ...]:
        """Leave the user without a picture of this kind, and return the keys to be deleted. Safe to stop after any call
        to AWS, and to repeat. No upload of this kind that was presigned before can be confirmed.

        Raises:
            UnknownUserError: the table has no row of this user.
            KeepsChangingError: the row changed between its read and its update, in every try.
            DeadlineExceededError: AWS was too slow. A repeat continues from there.
        """
        deadline = Deadline.after(LAST_CALL_SECONDS, self.clock)
        removed: list[str] = []
        for _ in range(MAX_TRIES):
            deadline.check()
            value = self.users.find_row(username).of(kind)
            if value.key is not None:
                removed.append(value.key)
            deadline.check()
            try:
                self.users.remove(username, kind, decide_removal(self.clock(), kind, value), value.key)
            except NotForwardError:
                continue
            # The row only moves forward, so it will not refer to any of them again.
            return tuple(removed)
        raise KeepsChangingError(f"The {kind.name} was changed while it was removed. Remove it again.")
