"""Statistics over the rounds of a run. Pure functions."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.fake_aws import ServedCall


@dataclass(frozen=True, slots=True)
class Spread:
    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        found = list(values)
        return cls(statistics.median(found), min(found), max(found))


def find_percentile(values: Iterable[float], percent: int) -> float:
    """The smallest value that at least this percentage of the values do not exceed."""
    found = sorted(values)
    return found[max(0, -(-len(found) * percent // 100) - 1)]


def find_ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """The spread of the ratios of each round, since other load on the machine affects both sides of a round."""
    return Spread.of(our / their for our, their in zip(ours, theirs, strict=True))


def count_sequential_calls(calls: Iterable[ServedCall], answered: float) -> int:
    """The longest chain of calls that each began after the one before had ended, and ended before the response."""
    count, free = 0, float("-inf")
    for call in sorted((call for call in calls if call.ended <= answered), key=lambda call: call.ended):
        if call.began >= free:
            count, free = count + 1, call.ended
    return count
