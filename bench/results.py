"""What a run has measured, round by round."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.confirm import Confirmed
    from bench.load import Measured
    from bench.views import Viewed


@dataclass(frozen=True, slots=True)
class Loaded:
    """A service under many connections."""

    title: str
    measured: Measured
    resident: float
    """Megabytes, at the end of the load."""


@dataclass(frozen=True, slots=True)
class Started:
    """A service from its command to its first 200 of `/healthz`."""

    seconds: float
    cpu: float
    """Seconds of processor time."""
    resident: float
    """Megabytes, when it is ready."""


@dataclass(frozen=True, slots=True)
class Results:
    presigns: dict[str, list[Measured]] = field(default_factory=dict[str, "list[Measured]"])
    """By a subject's name."""
    confirms: dict[tuple[str, str, int], list[Confirmed]] = field(
        default_factory=dict[tuple[str, str, int], "list[Confirmed]"]
    )
    """By whose it is, its strategy, and the delay."""
    views: dict[tuple[int, int], list[Viewed]] = field(default_factory=dict[tuple[int, int], "list[Viewed]"])
    """By how many objects there are, and by the delay."""
    loaded: list[Loaded] = field(default_factory=list[Loaded])
    starts: dict[str, list[Started]] = field(default_factory=dict[str, "list[Started]"])
    """By service."""
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """By who, why."""
