from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class DeadlineExceededError(Exception):
    """AWS took so long that the answer would come too late."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time after which no further call to AWS is started."""

    time: float
    """Seconds since the epoch."""
    clock: Callable[[], float]

    def check(self) -> None:
        """
        Raises:
            DeadlineExceededError: it has passed.
        """
        if self.clock() > self.time:
            raise DeadlineExceededError("The storage did not answer in time. Repeating the call is safe.")
