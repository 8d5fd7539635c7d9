from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.web.problems import TRY_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable


class DeadlineExceededError(Exception):
    """AWS was so slow that the response would be late."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time after which no further call to AWS is started."""

    time: float
    """Seconds since the epoch."""
    clock: Callable[[], float]

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float]) -> Deadline:
        return cls(clock() + seconds, clock)

    def check(self) -> None:
        """
        Raises:
            DeadlineExceededError: the deadline has passed.
        """
        if self.clock() > self.time:
            raise DeadlineExceededError(TRY_AGAIN)
