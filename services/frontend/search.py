"""Finds the last names of a listing that can only be read forwards, in batches. Pure.

S3 lists names in ascending order, starting after any name, and has no descending order. The search looks for a name
after which the remaining names fit in one batch.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from math import isqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LOWEST, HIGHEST = ord("!"), ord("~")
"""The characters of generated names: printable ASCII."""

LETTERS = 9
"""Number of generated characters after the common beginning, about as many as a 64-bit number needs."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one listing."""

    names: Sequence[str]
    """All names from the start of the listing to the last of these, in ascending order."""
    more: bool
    """Whether there are names after these."""


@dataclass(frozen=True, slots=True)
class Segment:
    """All existing names from a start to the last of these names, or to a bound."""

    start: str | None
    """The text after which the names come. None is the start of the listing."""
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps names to integer positions, so that there is a middle between two names."""

    size: int
    """Number of positions."""
    name: Callable[[int], str]
    """The name at a position, in ascending order."""

    def position(self, name: str) -> int:
        """The last position whose name is not greater than this one, or the first position."""
        return max(0, bisect_right(range(self.size), name, key=self.name) - 1)


def _name_id(position: int) -> str:
    """The beginning of a UUIDv7: its milliseconds and the twelve bits that follow (RFC 9562, section 5.7)."""
    return f"{position >> 28:08x}-{position >> 12 & 0xFFFF:04x}-7{position & 0xFFF:03x}"


ID_SCALE = Scale(1 << 60, _name_id)
"""Positions of ids, in proportion to their time."""


def _make_text_scale(low: str | None, high: str | None) -> Scale:
    """A scale for arbitrary names with the common beginning of both."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(low or "", high or "", strict=False))
    common = "".join(letter for letter, _ in alike)
    return Scale((HIGHEST - LOWEST + 1) ** LETTERS, partial(_name_text, common))


def _name_text(common: str, position: int) -> str:
    letters: list[str] = []
    for _ in range(LETTERS):
        position, letter = divmod(position, HIGHEST - LOWEST + 1)
        letters.append(chr(LOWEST + letter))
    return common + "".join(reversed(letters))


class Search:
    """A search for the last `count` names below `before`, or for the last of all. The caller lists names after each of
    `probes`, passes the batches to `add`, and repeats both until `found` is set.

    The start of the wanted names is in the gap between `floor` and `tail`. Each round lists from several names in the
    gap. Probes near the wanted start save rounds, but any probes make the gap smaller, whatever the names are. Names
    that exist during the whole search are found, even if others are added and deleted.
    """

    def __init__(self, count: int, before: str | None, hint: str | None, now: float, batch: int) -> None:
        """
        Args:
            count: number of wanted names, at most `batch`.
            before: the text that all wanted names are less than.
            hint: the first probe.
            now: seconds since the epoch. The search expects names to be ids that were made before.
            batch: maximum number of names in one listing.
        """
        self.found: Segment | None = None
        self._count = count
        self._before = before
        self._now = int(now * 1000) << 12
        self._batch = batch
        self._floor: Segment | None = None
        """The last listing after which too many names remain. The gap starts at its last name."""
        self._tail: Segment | None = None
        """The names up to `before` that were found so far, if these are too few. The gap ends at its start."""
        self._rounds = 0
        usable = hint is not None and (before is None or hint < before)
        self.probes: Sequence[str | None] = [hint if usable else None]
        """The names to list after in the next round. None is the start of the listing."""

    def add(self, batches: Iterable[Batch]) -> None:
        """Add the batch that was listed after each of `probes`."""
        for probe, batch in zip(self.probes, batches, strict=True):
            names = [name for name in batch.names if self._before is None or name < self._before]
            listed = Segment(probe, names)
            if batch.more and len(names) == len(batch.names):
                self._floor = max(self._floor or listed, listed, key=lambda floor: floor.names[-1])
            else:
                self._tail = min(
                    self._tail or listed, listed, key=lambda tail: (tail.start is not None, tail.start or "")
                )
        self._join()
        if self.found is None:
            self._rounds += 1
            self.probes = self._choose_probes()

    def _join(self) -> None:
        """Join floor and tail if there is no gap between them, and finish if the tail has enough names."""
        floor, tail = self._floor, self._tail
        if floor and tail and tail.start is not None and floor.names[-1] >= tail.start:
            start = tail.start
            tail = self._tail = Segment(floor.start, [*(name for name in floor.names if name <= start), *tail.names])
            self._floor = None
        if tail and (tail.start is None or len(tail.names) >= self._count):
            self.found = tail

    def _choose_probes(self) -> Sequence[str | None]:
        """The first round has one probe, where the names would start if they were evenly distributed. Later rounds also
        have probes all over the gap.
        """
        guesses = [*self._keep_inside_gap(ID_SCALE.name(position) for position in self._extrapolate())]
        if self._rounds == 1 and guesses:
            return guesses[:1]
        if self._floor is None:
            return [None, *guesses]
        for scale in (ID_SCALE, _make_text_scale(self._low, self._high)):
            if divisions := {*self._keep_inside_gap(scale.name(position) for position in self._divide_gap(scale))}:
                break
        # The start of the gap is always a probe: the gap may be almost empty, or have names that no scale separates.
        return [self._low, *sorted({*divisions, *guesses})]

    @property
    def _low(self) -> str | None:
        return self._floor.names[-1] if self._floor else None

    @property
    def _high(self) -> str | None:
        return self._tail.start if self._tail else self._before

    def _keep_inside_gap(self, names: Iterable[str]) -> Iterator[str]:
        low, high = self._low, self._high
        return (name for name in names if (low is None or low < name) and (high is None or name < high))

    def _find_end(self, scale: Scale) -> int:
        """The end of the gap. Of ids it is at most the current time, unless the gap starts in the future."""
        end = scale.position(self._high) if self._high is not None else scale.size - 1
        starts_in_past = scale is ID_SCALE and (self._low is None or scale.position(self._low) < self._now)
        return min(end, self._now) if starts_in_past else end

    def _extrapolate(self) -> Iterator[int]:
        """Positions where the wanted names start if names in the gap are as dense as those next to it."""
        for neighbours in (self._tail, self._floor):
            target = _choose_target(self._count, self._batch)
            position = neighbours and _extrapolate_below(self._find_end(ID_SCALE), neighbours, target)
            if position is not None:
                yield position

    def _divide_gap(self, scale: Scale) -> Iterator[int]:
        """The quarters, which suit a gap that is a few batches wide. From both ends, the geometric mean of the widths
        of the gap and of a batch, which halves the number of digits of a much wider gap. And the end, which may be
        estimated.
        """
        floor, low = self._floor, self._low
        if floor is None or low is None:
            return
        start, end = scale.position(low), self._find_end(scale)
        gap = end - start
        mean = isqrt(gap * max(1, start - scale.position(floor.names[0]))) if gap > 0 else 0
        yield from (start + mean, start + gap // 4, start + gap // 2, end - gap // 4, end - mean, end)


def suggest_start(found: Segment, count: int, batch: int) -> str | None:
    """A hint for the next search with the same end. It leaves room for names that are added or deleted until then."""
    target = _choose_target(count, batch)
    if len(found.names) > target:
        return found.names[-target - 1]
    if len(found.names) < count and found.start is not None:
        position = _extrapolate_below(ID_SCALE.position(found.start), found, target)
        return found.start if position is None else ID_SCALE.name(position)
    return found.start


def _extrapolate_below(end: int, neighbours: Segment, target: int) -> int | None:
    """The position where `target` names below the end start if they are as dense as their neighbours. None if there are
    no neighbours, or if that position is below the first.
    """
    if not neighbours.names:
        return None
    width = ID_SCALE.position(neighbours.names[-1]) - ID_SCALE.position(neighbours.names[0])
    position = end - width * target // len(neighbours.names)
    return position if position >= 0 else None


def _choose_target(count: int, batch: int) -> int:
    """The number of names that a listing should find: a quarter of a batch, or more if more are wanted."""
    return max(count, batch // 4)
