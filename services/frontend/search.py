"""The last names of a listing that can only be read forwards, a batch at a time. Pure.

S3 lists in ascending order, from any place on, and knows no descending one. So the place is looked for from which on
what is left fits in one batch.
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
"""The characters that places in a text are spelled with: printable, and the same in every encoding."""

LETTERS = 9
"""As many as a 64-bit number spells."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was listed from some place on."""

    names: Sequence[str]
    """Ascending, without a gap."""
    more: bool
    """Whether there are names after these."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """All names there are between a place and the last of these, or some bound."""

    start: str | None
    """The names come after it; None is the very beginning."""
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Line:
    """Names as places on a line, so that there is a middle between two of them."""

    size: int
    name: Callable[[int], str]
    """Ascending with the places."""

    def place(self, name: str) -> int:
        """The last place whose own name is not above this one; the first, if there is none."""
        return max(0, bisect_right(range(self.size), name, key=self.name) - 1)


def _name_moment(place: int) -> str:
    """A UUIDv7's milliseconds and the twelve bits that follow them (RFC 9562, section 5.7), as it begins with them."""
    return f"{place >> 28:08x}-{place >> 12 & 0xFFFF:04x}-7{place & 0xFFF:03x}"


MOMENTS = Line(1 << 60, _name_moment)
"""Where ids are spread as evenly as they were made."""


def _texts(low: str | None, high: str | None) -> Line:
    """Of what has the beginning that both have, whatever the names are."""
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(low or "", high or "", strict=False))
    common = "".join(letter for letter, _ in alike)
    return Line((HIGHEST - LOWEST + 1) ** LETTERS, partial(_name_text, common))


def _name_text(common: str, place: int) -> str:
    letters: list[str] = []
    for _ in range(LETTERS):
        place, letter = divmod(place, HIGHEST - LOWEST + 1)
        letters.append(chr(LOWEST + letter))
    return common + "".join(reversed(letters))


class Search:
    """For the last `count` names before `before`, or of all. It says where to list from, is told what came of it, and
    so on, until it has `found` them.

    The gap, where the place may still be, is what lies between `floor` and `tail`. Each round lists from several places
    in it at once. Any place will do: the nearer to the right one, the fewer the rounds, and whatever the names are
    like, each round makes the gap smaller. What is there throughout is found, though others come and go meanwhile.
    """

    def __init__(self, count: int, before: str | None, hint: str | None, now: float, batch: int) -> None:
        """
        Args:
            count: how many are wanted, at most `batch`.
            before: all names are below it.
            hint: where to list from first.
            now: seconds since the epoch; names are expected to be ids that were made by then.
            batch: how many names one listing has at most.
        """
        self.found: Stretch | None = None
        self._count = count
        self._before = before
        self._now = int(now * 1000) << 12
        self._batch = batch
        self._floor: Stretch | None = None
        """Names from which on too many are left, if any; its last name is where the gap begins."""
        self._tail: Stretch | None = None
        """Too few names, if any, up to `before`; its start is where the gap ends."""
        self._rounds = 0
        usable = hint is not None and (before is None or hint < before)
        self.probes: Sequence[str | None] = [hint if usable else None]
        """Where to list from now."""

    def learn(self, batches: Iterable[Batch]) -> None:
        """Take what was listed from each of `probes`."""
        for probe, batch in zip(self.probes, batches, strict=True):
            names = [name for name in batch.names if self._before is None or name < self._before]
            listed = Stretch(probe, names)
            if batch.more and len(names) == len(batch.names):
                self._floor = max(self._floor or listed, listed, key=lambda floor: floor.names[-1])
            else:
                self._tail = min(
                    self._tail or listed, listed, key=lambda tail: (tail.start is not None, tail.start or "")
                )
        self._close()
        if self.found is None:
            self._rounds += 1
            self.probes = self._choose()

    def _close(self) -> None:
        floor, tail = self._floor, self._tail
        if floor and tail and tail.start is not None and floor.names[-1] >= tail.start:
            start = tail.start
            tail = self._tail = Stretch(floor.start, [*(name for name in floor.names if name <= start), *tail.names])
            self._floor = None
        if tail and (tail.start is None or len(tail.names) >= self._count):
            self.found = tail

    def _choose(self) -> Sequence[str | None]:
        """First the place that evenly spread names would have, and then, if they are not, places all over the gap."""
        guesses = [*self._inside(MOMENTS.name(place) for place in self._guess())]
        if self._rounds == 1 and guesses:
            return guesses[:1]
        if self._floor is None:
            return [None, *guesses]
        for line in (MOMENTS, _texts(self._low, self._high)):
            if spread := {*self._inside(line.name(place) for place in self._spread(line))}:
                break
        # From where the gap begins, too: it may be next to empty, or hold names that no line tells apart.
        return [self._low, *sorted({*spread, *guesses})]

    @property
    def _low(self) -> str | None:
        return self._floor.names[-1] if self._floor else None

    @property
    def _high(self) -> str | None:
        return self._tail.start if self._tail else self._before

    def _inside(self, names: Iterable[str]) -> Iterator[str]:
        low, high = self._low, self._high
        return (name for name in names if (low is None or low < name) and (high is None or name < high))

    def _end(self, line: Line) -> int:
        """Where the gap ends, or where it had better: ids end now."""
        end = line.place(self._high) if self._high is not None else line.size - 1
        is_ahead = line is MOMENTS and (self._low is None or line.place(self._low) < self._now)
        return min(end, self._now) if is_ahead else end

    def _guess(self) -> Iterator[int]:
        """Places as far below the end of the gap as names as dense as those beside it would need."""
        for beside in (self._tail, self._floor):
            place = beside and _step_below(self._end(MOMENTS), beside, _target(self._count, self._batch))
            if place is not None:
                yield place

    def _spread(self, line: Line) -> Iterator[int]:
        """Quarters, for a gap that is a few batches wide; and the geometric mean of the gap's width and a batch's from
        either end, which halves the digits of a gap that is wide beyond measure. And the end, which may be a guess.
        """
        floor, low = self._floor, self._low
        if floor is None or low is None:
            return
        begin, end = line.place(low), self._end(line)
        gap = end - begin
        reach = isqrt(gap * max(1, begin - line.place(floor.names[0]))) if gap > 0 else 0
        yield from (begin + reach, begin + gap // 4, begin + gap // 2, end - gap // 4, end - reach, end)


def suggest_start(found: Stretch, count: int, batch: int) -> str | None:
    """A hint for the next search that ends where these names end: with room for more names, and for fewer."""
    target = _target(count, batch)
    if len(found.names) > target:
        return found.names[-target - 1]
    if len(found.names) < count and found.start is not None:
        place = _step_below(MOMENTS.place(found.start), found, target)
        return found.start if place is None else MOMENTS.name(place)
    return found.start


def _step_below(end: int, beside: Stretch, target: int) -> int | None:
    """Where `target` names below the end begin if they are as dense as those beside it; None if nobody can tell."""
    if not beside.names:
        return None
    width = MOMENTS.place(beside.names[-1]) - MOMENTS.place(beside.names[0])
    place = end - width * target // len(beside.names)
    return place if place >= 0 else None


def _target(count: int, batch: int) -> int:
    """How many names had best be left: a quarter of what fits."""
    return max(count, batch // 4)
