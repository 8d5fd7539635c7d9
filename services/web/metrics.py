"""Writes metrics in CloudWatch's embedded metric format: lines of JSON from which CloudWatch Logs extracts metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from services.settings.environment import METRICS_NAMESPACE
from services.web.logging import write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one service. Safe to use from several threads."""

    service: str
    namespace: str = METRICS_NAMESPACE
    on: bool = True
    write: Callable[[str], object] = write_line
    clock: Callable[[], float] = time.time

    def count(self, name: str, **dimensions: str) -> None:
        """Count one for the service as a whole, and one for these dimensions.

        CloudWatch keeps a metric for each value of a dimension, so a dimension may have a few values only.
        """
        self.record({name: 1}, **dimensions)

    def record(self, numbers: Mapping[str, int], **dimensions: str) -> None:
        """Write several counts in one line."""
        self._write(numbers, "Count", dimensions)

    def measure(self, name: str, value: float, unit: str) -> None:
        """Write one measured value, in one of CloudWatch's units."""
        self._write({name: value}, unit, {})

    def _write(self, numbers: Mapping[str, float], unit: str, dimensions: Mapping[str, str]) -> None:
        if not self.on:
            return
        definition = {
            "Namespace": self.namespace,
            "Dimensions": [["Service"], ["Service", *dimensions]] if dimensions else [["Service"]],
            "Metrics": [{"Name": name, "Unit": unit} for name in numbers],
        }
        line = {
            "_aws": {"Timestamp": int(self.clock() * 1000), "CloudWatchMetrics": [definition]},
            "Service": self.service,
            **dimensions,
            **{name: [number] for name, number in numbers.items()},
        }
        self.write(msgspec.json.encode(line).decode())
