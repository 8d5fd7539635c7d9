"""Formats the summary that a soak prints at its end. Pure functions."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench.soak.client import Counts
    from bench.soak.proxy import Effect

MAX_VIOLATIONS = 50
"""Maximum number of violations that are printed."""


def describe_drive(counts: Counts, seconds: float, kills: int) -> Iterator[str]:
    speed = counts.uploads / seconds if seconds else 0
    yield f"uploads: {counts.uploads:,} in {seconds:.1f} s, {speed:.1f}/s"
    if len(counts.confirms) > 1:
        cuts = statistics.quantiles(counts.confirms, n=100)
        yield (
            f"confirms with status 200: half within {cuts[49]:.3f} s, 99 % within {cuts[98]:.3f} s,"
            f" all within {max(counts.confirms):.3f} s"
        )
    yield f"kills: {kills}"
    yield from _describe("scenarios", counts.scenarios)
    yield from _describe("requests", counts.requests)
    yield from _describe("responses", {f"{call}: {name}": count for (call, name), count in counts.responses.items()})


def describe_faults(struck: Counter[Effect], calls: Mapping[str, int]) -> Iterator[str]:
    """`calls` is the number of calls through the proxy, by operation."""
    yield from _describe("calls to S3 and DynamoDB", calls)
    yield from _describe("faults", {f"{kind.value} {when.value}": count for (when, kind), count in struck.items()})


def describe_violations(violations: Sequence[str]) -> Iterator[str]:
    yield f"violations: {len(violations):,}"
    yield from (f"  {violation}" for violation in violations[:MAX_VIOLATIONS])
    if len(violations) > MAX_VIOLATIONS:
        yield "  ..."


def indent(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _describe(title: str, counted: Mapping[str, int]) -> Iterator[str]:
    yield f"{title}: {sum(counted.values()):,}"
    yield from (f"{count:>10,} {name}" for name, count in sorted(counted.items()))
