"""Memory, handles and processor time of the processes, and whether they grow. `describe_growth` is a pure function."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.local.processes import Process

WARM_UP = 0.1
"""Share of the time at the beginning that is not compared: caches, pools and the allocator fill."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A process and its children at one moment."""

    seconds: float
    """Time since the start of the load."""
    megabytes: float
    """Resident memory."""
    handles: int
    """Open file descriptors."""
    threads: int
    cpu_seconds: float
    """Processor time since the start of the process."""

    def __str__(self) -> str:
        return f"{self.megabytes:.1f} MB, {self.handles} handles, {self.threads} threads, {self.cpu_seconds:.1f} s CPU"


@dataclass(frozen=True, slots=True)
class Growth:
    """The second half of the time after the warm-up, compared with the first."""

    megabytes: tuple[float, float]
    """Mean resident memory of each half."""
    megabytes_per_hour: float
    """Slope of a line through the resident memory."""
    handles: tuple[int, int]
    """Maximum of each half."""
    threads: tuple[int, int]
    """Maximum of each half."""
    cpu_share: tuple[float, float]
    """Share of a core during each half."""


def read_usage(process: Process, seconds: float) -> Usage:
    parent = psutil.Process(process.popen.pid)
    family = [parent, *parent.children(recursive=True)]
    times = [member.cpu_times() for member in family]
    return Usage(
        seconds,
        sum(member.memory_info().rss for member in family) / 1e6,
        sum(member.num_fds() for member in family),
        sum(member.num_threads() for member in family),
        sum(time.user + time.system for time in times),
    )


def find_growth(usages: Sequence[Usage]) -> Growth:
    """Compare the halves. There must be at least four usages after the warm-up."""
    kept = [usage for usage in usages if usage.seconds >= usages[-1].seconds * WARM_UP]
    middle = len(kept) // 2
    first, second = kept[:middle], kept[middle:]
    slope = statistics.linear_regression(
        [usage.seconds / 3600 for usage in kept], [usage.megabytes for usage in kept]
    ).slope
    return Growth(
        (_find_mean(first), _find_mean(second)),
        slope,
        (max(usage.handles for usage in first), max(usage.handles for usage in second)),
        (max(usage.threads for usage in first), max(usage.threads for usage in second)),
        (_find_cpu_share(first), _find_cpu_share(second)),
    )


def describe_growth(usages: Mapping[str, Sequence[Usage]]) -> Iterator[str]:
    """A table in Markdown with a line for each process."""
    yield "| process | memory, MB: first half | second half | slope, MB an hour | handles | threads | CPU of a core |"
    yield "|---|---|---|---|---|---|---|"
    for name, measured in usages.items():
        growth = find_growth(measured)
        (first, second), (low, high) = growth.megabytes, growth.cpu_share
        yield (
            f"| {name} | {first:.1f} | {second:.1f} | {growth.megabytes_per_hour:+.1f}"
            f" | {_join(growth.handles)} | {_join(growth.threads)} | {low:.1%}, {high:.1%} |"
        )


def _find_mean(usages: Sequence[Usage]) -> float:
    return statistics.fmean(usage.megabytes for usage in usages)


def _find_cpu_share(usages: Sequence[Usage]) -> float:
    first, last = usages[0], usages[-1]
    return (last.cpu_seconds - first.cpu_seconds) / (last.seconds - first.seconds)


def _join(halves: tuple[int, int]) -> str:
    return ", ".join(map(str, halves))
