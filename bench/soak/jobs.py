"""The random jobs of the clients. The same seed gives the same jobs in the same order."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Scenario(enum.Enum):
    CONFIRM = "confirm"
    """Presign, POST and confirm."""
    REPEAT = "repeat"
    """Several confirms, some of them concurrent."""
    RACE = "race"
    """Two uploads of one user with concurrent confirms."""
    ABANDON = "abandon"
    """An upload without a confirm."""
    POST_AGAIN = "post again"
    """A second POST after the confirm."""
    POST_DURING = "post during"
    """Several POSTs during the confirm."""
    INVALID = "invalid"
    """Bytes that are not a picture; some are replaced by a second POST."""
    FOREIGN = "foreign"
    """Another user tries to confirm the upload first."""
    UNKNOWN = "unknown"
    """A confirm of a key that belongs to no upload."""


WEIGHTS = {
    Scenario.CONFIRM: 40,
    Scenario.REPEAT: 12,
    Scenario.RACE: 14,
    Scenario.ABANDON: 10,
    Scenario.POST_AGAIN: 12,
    Scenario.POST_DURING: 4,
    Scenario.INVALID: 6,
    Scenario.FOREIGN: 4,
    Scenario.UNKNOWN: 4,
}

UPLOADS = dict.fromkeys(Scenario, 1) | {Scenario.RACE: 2, Scenario.UNKNOWN: 0}
"""Number of uploads that a job presigns and posts."""


@dataclass(frozen=True, slots=True)
class Job:
    scenario: Scenario
    username: str
    other_user: str
    """Another user."""
    dice: random.Random
    """Randomness of this job alone, so that concurrent jobs do not affect it."""


def draw_jobs(seed: int, usernames: Sequence[str], uploads: int) -> Iterator[Job]:
    """Yield jobs until they make this number of uploads. There must be two or more users."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    scenarios, weights = [*WEIGHTS], [*WEIGHTS.values()]
    while uploads > 0:
        (scenario,) = dice.choices(scenarios, weights)
        if UPLOADS[scenario] > uploads:
            continue
        uploads -= UPLOADS[scenario]
        username, other_user = dice.sample(usernames, 2)
        yield Job(scenario, username, other_user, random.Random(dice.getrandbits(64)))  # noqa: S311
