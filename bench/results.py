"""The measurements of a run, round by round."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.confirm import ConfirmMeasurement
    from bench.load import Measurement
    from bench.pictures import ReaderMeasurement
    from bench.views import ViewMeasurement


@dataclass(frozen=True, slots=True)
class ServiceMeasurement:
    """A service under many connections."""

    title: str
    load: Measurement
    calls: float
    """Calls to AWS for one request."""
    resident: float
    """Resident memory at the end of the load, megabytes."""


@dataclass(frozen=True, slots=True)
class StartMeasurement:
    """A service from its start command to its first 200 of `/healthz`."""

    seconds: float
    cpu: float
    """Processor time, seconds."""
    resident: float
    """Resident memory when the service is ready, megabytes."""
    first: float | None = None
    """Duration of the first presign, milliseconds. Only for the uploads service."""


@dataclass(frozen=True, slots=True)
class Results:
    presigns: dict[str, list[Measurement]] = field(default_factory=dict[str, "list[Measurement]"])
    """Measurements by the subject's name."""
    confirms: dict[tuple[str, str, int], list[ConfirmMeasurement]] = field(
        default_factory=dict[tuple[str, str, int], "list[ConfirmMeasurement]"]
    )
    """Measurements by implementation, strategy and delay of a call to AWS."""
    views: dict[tuple[int, int], list[ViewMeasurement]] = field(
        default_factory=dict[tuple[int, int], "list[ViewMeasurement]"]
    )
    """Measurements by number of objects and delay of a call to AWS."""
    services: list[ServiceMeasurement] = field(default_factory=list[ServiceMeasurement])
    starts: dict[str, list[StartMeasurement]] = field(default_factory=dict[str, list[StartMeasurement]])
    """Measurements by service."""
    readers: dict[str, ReaderMeasurement] = field(default_factory=dict[str, "ReaderMeasurement"])
    """Measurements of the picture readers, by the file's description."""
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    """The reason why a subject was skipped, by the subject's title."""
