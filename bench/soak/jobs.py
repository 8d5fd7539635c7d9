"""What the clients are going to do, drawn by lot. The same seed draws the same jobs in the same order."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Scenario(enum.Enum):
    CONFIRM = "confirm"
    """The three phases, and no more."""
    REPEAT = "repeat"
    """Confirmed several times, some of them at the same moment."""
    RACE = "race"
    """Two uploads of one user, confirmed at the same moment."""
    ABANDON = "abandon"
    """Never confirmed."""
    POST_AGAIN = "post again"
    """Posted again after the confirm."""
    POST_MEANWHILE = "post meanwhile"
    """Posted again and again while it is confirmed."""
    RUBBISH = "rubbish"
    """Bytes that are no picture, in some cases put right by another post."""
    FOREIGN = "foreign"
    """Somebody else tries to confirm it first."""
    UNKNOWN = "unknown"
    """A key that is no upload's."""


WEIGHTS = {
    Scenario.CONFIRM: 40,
    Scenario.REPEAT: 12,
    Scenario.RACE: 14,
    Scenario.ABANDON: 10,
    Scenario.POST_AGAIN: 12,
    Scenario.POST_MEANWHILE: 4,
    Scenario.RUBBISH: 6,
    Scenario.FOREIGN: 4,
    Scenario.UNKNOWN: 4,
}

UPLOADS = dict.fromkeys(Scenario, 1) | {Scenario.RACE: 2, Scenario.UNKNOWN: 0}
"""How many a job presigns and posts."""


@dataclass(frozen=True, slots=True)
class Job:
    scenario: Scenario
    username: str
    stranger: str
    """Another user."""
    dice: random.Random
    """Of this job alone, so that its course does not depend on which jobs run beside it."""


def draw_jobs(seed: int, usernames: Sequence[str], uploads: int) -> Iterator[Job]:
    """As many as it takes to upload so many times; of two or more users."""
    dice = random.Random(seed)  # noqa: S311 - a lot, no secret
    scenarios, weights = [*WEIGHTS], [*WEIGHTS.values()]
    while uploads > 0:
        (scenario,) = dice.choices(scenarios, weights)
        if UPLOADS[scenario] > uploads:
            continue
        uploads -= UPLOADS[scenario]
        username, stranger = dice.sample(usernames, 2)
        yield Job(scenario, username, stranger, random.Random(dice.getrandbits(64)))  # noqa: S311
