from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.web.problems import TRY_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable


LAST_CALL_SECONDS = 20
"""How long after the request a confirm or a removal may still start a call to AWS. A call takes at most nine seconds
except when a DNS server or the source of the credentials is slow (`services.store.clients`), so the response is sent
before API Gateway's timeout of 30 s.
"""


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
