"""Compares processor times as ratios to a peer of the same run, which depend less on the machine. Pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bench.spread import Spread, find_ratios
from bench.subjects import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.results import Results

CONSTANT = "asgi-constant"
VIEWED = (100, 0)
"""The number of objects, and the delay of a call to AWS, of the page view that is compared."""


def find_run_ratios(results: Results) -> dict[str, Spread]:
    """The ratios of a run, by what is compared. Parts that were not measured are left out."""
    return {
        name: find_ratios(ours, peers)
        for name, ours, peers in _pair_times(results)
        if len(ours) == len(peers) > 0 and min(peers) > 0
    }


def _pair_times(results: Results) -> Iterator[tuple[str, Sequence[float], Sequence[float]]]:
    """What is compared, and the processor times of each round: ours and the peer's."""
    yield (
        "presign ÷ constant ASGI response",
        [each.cpu for each in results.presigns.get(OURS, [])],
        [each.cpu for each in results.presigns.get(CONSTANT, [])],
    )
    original = [each.cpu for each in results.confirms.get(("original", "prefix", 0), [])]
    for pending in ("prefix", "tag"):
        times = [each.cpu for each in results.confirms.get(("ours", pending, 0), [])]
        yield f"confirm, `{pending}` ÷ four calls of boto3", times, original
    yield "page view, 100 objects ÷ four calls of boto3", [each.cpu for each in results.views.get(VIEWED, [])], original


def find_verdict(before: Spread, now: Spread) -> str:
    """Whether the ranges of the two runs differ."""
    if now.minimum > before.maximum:
        return "slower"
    return "faster" if now.maximum < before.minimum else "the same"


def compare(before: Mapping[str, Spread], now: Mapping[str, Spread]) -> dict[str, str]:
    """The verdicts by what is compared in both runs."""
    return {name: find_verdict(before[name], ratio) for name, ratio in now.items() if name in before}


def encode(ratios: Mapping[str, Spread]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(ratios), indent=2) + b"\n"


def decode(content: bytes) -> dict[str, Spread]:
    return msgspec.json.decode(content, type=dict[str, Spread])
