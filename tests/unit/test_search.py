"""The search finds the newest names by listings that only go forwards: correctly for any names, and in few listings."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.frontend.search import ID_SCALE, Batch, Search, Segment, suggest_start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOW = 1_795_000_000.0
NOW_MS = int(NOW * 1000)
DAY_MS = 86_400_000
COUNT, BATCH = 21, 1000

dice = random.Random(1)  # noqa: S311 - names, not secrets


def make_id(milliseconds: int) -> str:
    time, more = f"{milliseconds:012x}", f"{dice.getrandbits(74):019x}"
    return f"{time[:8]}-{time[8:]}-7{more[:3]}-8{more[3:6]}-{more[6:18]}"


def make_ids(count: int, begin: int, end: int) -> list[str]:
    return [make_id(dice.randint(begin, end)) for _ in range(count)]


@dataclass
class Bucket:
    names: list[str]
    batch: int = BATCH
    change: Callable[[], None] = lambda: None
    calls: int = 0
    rounds: int = 0

    def list_after(self, after: str | None) -> Batch:
        self.calls += 1
        start = 0 if after is None else bisect_right(self.names, after)
        return Batch(self.names[start : start + self.batch], start + self.batch < len(self.names))

    def find(self, count: int, before: str | None, hint: str | None) -> Segment:
        self.calls = self.rounds = 0
        search = Search(count, before, hint, NOW, self.batch)
        while search.found is None:
            self.rounds += 1
            search.add([self.list_after(probe) for probe in search.probes])
            self.change()
        return search.found


def cut(names: Sequence[str], count: int, before: str | None) -> Sequence[str]:
    return names[: len(names) if before is None else bisect_left(names, before)][-count:]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
ids = st.builds(make_id, st.integers(NOW_MS - 3, NOW_MS + 1) | st.integers(0, 2**48 - 1))
names = st.lists(texts | ids | st.sampled_from(["0", "9", "a", "f", "ff", "0199", "foo.jpg", "~~~~"]), unique=True).map(
    sorted
)


@given(names, st.none() | texts | ids, st.none() | texts | ids, st.integers(1, 5), st.integers(0, 4))
def test_the_last_names_are_found_whatever_the_names_and_the_hint(
    names: list[str], before: str | None, hint: str | None, count: int, more: int
) -> None:
    found = Bucket(names, batch=count + more).find(count, before, hint)
    assert cut(found.names, count, None) == cut(names, count, before)


@given(names, st.lists(st.tuples(texts | ids, st.integers(0)), max_size=20), st.integers(1, 4), st.none() | texts)
def test_a_name_that_exists_throughout_is_found_while_others_change(
    names: list[str], changes: list[tuple[str, int]], count: int, hint: str | None
) -> None:
    lasting = set(names[::2])
    bucket = Bucket(names, batch=count)

    def change() -> None:
        if changes:
            added, removed = changes.pop()
            if added not in bucket.names:
                insort(bucket.names, added)
            passing = [name for name in bucket.names if name not in lasting]
            if passing:
                bucket.names.remove(passing[removed % len(passing)])

    bucket.change = change
    found = bucket.find(count, None, hint).names
    assert len(found) == len(set(found))
    assert len(found) >= min(count, len(lasting))
    assert {name for name in lasting if name >= found[-count:][0]} <= set(found) if found else not lasting


@given(st.integers(0, ID_SCALE.size - 1), st.integers(0, ID_SCALE.size - 1))
def test_places_and_names_have_one_order(one: int, other: int) -> None:
    assert ID_SCALE.position(ID_SCALE.name(one)) == one
    assert (ID_SCALE.name(one) < ID_SCALE.name(other)) == (one < other)


def test_an_id_has_the_place_of_its_time() -> None:
    assert ID_SCALE.position(make_id(NOW_MS)) >> 12 == NOW_MS


MONTH_AGO = NOW_MS - 30 * DAY_MS
SHAPES: dict[str, tuple[list[str], int]] = {
    "none": ([], 1),
    "3": (make_ids(3, MONTH_AGO, NOW_MS), 1),
    "100": (make_ids(100, MONTH_AGO, NOW_MS), 1),
    "1,000": (make_ids(1000, MONTH_AGO, NOW_MS), 1),
    "1,001": (make_ids(1001, MONTH_AGO, NOW_MS), 8),
    "5,000": (make_ids(5000, MONTH_AGO, NOW_MS), 2),
    "100,000 over a month": (make_ids(100_000, MONTH_AGO, NOW_MS), 2),
    "100,000 within this minute": (make_ids(100_000, NOW_MS - 60_000, NOW_MS), 2),
    "100,000 within a minute a month ago": (make_ids(100_000, MONTH_AGO, MONTH_AGO + 60_000), 60),
    "100,000 within a minute a month ago, and 3": (
        make_ids(100_000, MONTH_AGO, MONTH_AGO + 60_000) + make_ids(3, NOW_MS - DAY_MS, NOW_MS),
        60,
    ),
    "100,000 within a millisecond": (make_ids(100_000, MONTH_AGO, MONTH_AGO), 60),
    "100,000 in the future": (make_ids(100_000, NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS), 60),
    "100,000 that are no ids": ([f"user{number:06}.jpg" for number in range(100_000)], 100),
    "both": (make_ids(50_000, MONTH_AGO, NOW_MS) + [f"user{number:06}.jpg" for number in range(50_000)], 100),
}
"""Names, and the maximum number of listings that find the newest without a hint."""


@pytest.mark.parametrize("shape", SHAPES)
def test_few_listings_are_needed(shape: str) -> None:
    unsorted, most = SHAPES[shape]
    bucket = Bucket(sorted(unsorted))
    found = bucket.find(COUNT, None, None)
    assert cut(found.names, COUNT, None) == bucket.names[-COUNT:]
    assert bucket.calls <= most
    assert bucket.rounds <= 20

    found = bucket.find(COUNT, None, suggest_start(found, COUNT, BATCH))
    assert cut(found.names, COUNT, None) == bucket.names[-COUNT:]
    assert bucket.calls == 1

    calls: list[int] = []
    for _ in range(30):
        if len(found.names) < COUNT:
            break
        last = found.names[-COUNT + 1]
        rest = Segment(found.start, [name for name in found.names if name < last])
        found = bucket.find(COUNT, last, suggest_start(rest, COUNT, BATCH))
        assert cut(found.names, COUNT, None) == cut(bucket.names, COUNT, last)
        calls.append(bucket.calls)
    assert sum(calls) <= 2 * len(calls)


def test_an_outdated_hint_takes_few_more_listings() -> None:
    bucket = Bucket(sorted(make_ids(100_000, MONTH_AGO, NOW_MS)))
    for left in (0, 5, 5_000, 50_000):
        bucket.find(COUNT, None, bucket.names[-left - 1])
        assert bucket.calls <= 10
