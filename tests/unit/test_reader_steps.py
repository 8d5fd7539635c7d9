"""No file makes a reader work for long. Steps and lines are counted here; `uv run bench --only pictures` has times."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import services.pictures
from bench.pictures import MAX_BYTES, WORST, make_worst_file
from services.pictures.formats import CONTENT_TYPES, identify, measure
from services.pictures.steps import MAX_STEPS, Steps, TooManyStepsError
from tests.pictures import make_camera_photograph, make_picture, push_dimensions_back

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from _typeshed import TraceFunction

READERS = str(Path(services.pictures.__file__).parent)

LINES_OF_A_STEP = 40
"""Maximum number of lines that a reader runs for a step. A loop that takes no steps would run more."""
LINES_AROUND = 100

FEW_STEPS = {"JPEG, fill bytes", "JPEG, stray bytes", "GIF, blocks of 254 and 255 bytes"}
"""Files that a few searches and regular expressions go through."""


def count_steps(content: bytes) -> int:
    steps = Steps()
    measure(content, steps)
    return steps.taken


def count_lines(content: bytes) -> tuple[int, int]:
    """The steps of the reader, and the lines that it runs."""
    steps, lines = Steps(), 0

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        nonlocal lines
        lines += event == "line"
        return trace if frame.f_code.co_filename.startswith(READERS) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        measure(content, steps)
    finally:
        sys.settrace(before)
    return steps.taken, lines


def test_a_reader_gives_up_after_its_maximum_number_of_steps() -> None:
    steps = Steps()
    for _ in range(MAX_STEPS):
        steps.take()
    with pytest.raises(TooManyStepsError):
        steps.take()
    assert steps.taken == MAX_STEPS


@pytest.mark.parametrize("name", WORST)
def test_a_file_of_the_smallest_parts_takes_few_steps_or_is_refused(name: str) -> None:
    content = make_worst_file(name)
    assert identify(content)
    assert MAX_BYTES - 600 < len(content) <= MAX_BYTES
    steps = Steps()
    dimensions = measure(content, steps)
    if name in FEW_STEPS:
        assert steps.taken < 5
    else:
        assert (steps.taken, dimensions) == (MAX_STEPS, None)


@pytest.mark.parametrize("name", WORST)
def test_a_reader_runs_few_lines_for_each_step(name: str) -> None:
    steps, lines = count_lines(make_worst_file(name))
    assert lines <= LINES_OF_A_STEP * steps + LINES_AROUND


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_worst_file_that_a_search_finds_takes_few_lines_for_each_step(content_type: str) -> None:
    dice = random.Random(content_type)  # noqa: S311 - bytes, not secrets
    pool = [make_picture(content_type, size=(9, 9)), *(start for name in WORST if identify(start := begin(name)))]
    pool = [content for content in pool if identify(content) == content_type]
    for _ in range(250):
        content = mutate(dice, pool)
        steps, lines = count_lines(content)
        assert steps <= MAX_STEPS
        assert lines <= LINES_OF_A_STEP * steps + LINES_AROUND
        if identify(content) == content_type:
            # Files that take more steps for their size are changed further.
            pool = sorted((*pool, content), key=lambda each: count_steps(each) / len(each), reverse=True)[:20]
    assert count_steps(grow(pool[0])) <= MAX_STEPS


def begin(name: str) -> bytes:
    head, part = WORST[name]
    return head + 3 * part


def mutate(dice: random.Random, pool: Sequence[bytes]) -> bytes:
    """A file of the pool with a part repeated, removed, replaced, or taken from another file."""
    content, other = dice.choice(pool), dice.choice(pool)
    at, start = dice.randrange(len(content)), dice.randrange(len(other))
    part = other[start : start + dice.choice((1, 2, 3, 4, 8, 12, 24, 60))]
    part = dice.choice((part * dice.choice((1, 10, 100)), b"", dice.randbytes(4), b"\xff", b"\0" * 4, b"\0\2"))
    return (content[:at] + part + content[at + dice.choice((0, len(part), 4)) :])[:20_000]


def grow(content: bytes) -> bytes:
    """The file with its second half repeated up to the maximum size."""
    half = len(content) // 2
    return content[:half] + content[half:] * (MAX_BYTES // (len(content) - half))


def test_a_usual_picture_takes_few_steps() -> None:
    assert count_steps(make_camera_photograph()) < 50
    assert count_steps(push_dimensions_back(make_camera_photograph(), 1_000_000)) < 100
    assert all(count_steps(make_picture(content_type, size=(900, 900))) < 50 for content_type in CONTENT_TYPES)
