"""Statistics of the rounds. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.fake_aws import Served


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = list(values)
        return cls(statistics.median(found), min(found), max(found))


def find_percentile(values: Iterable[float], percent: int) -> float:
    """Of what was measured, the least that so many percent of it do not exceed."""
    found = sorted(values)
    return found[max(0, -(-len(found) * percent // 100) - 1)]


def find_ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Each round's own, since what disturbs one disturbs both."""
    return Spread.of(our / their for our, their in zip(ours, theirs, strict=True))


def count_round_trips(calls: Iterable[Served], answered: float) -> int:
    """The most calls that were made one after the other before the answer."""
    count, free = 0, float("-inf")
    for call in sorted((call for call in calls if call.ended <= answered), key=lambda call: call.ended):
        if call.began >= free:
            count, free = count + 1, call.ended
    return count
