"""What happened, counted: lines of CloudWatch's embedded metric format, which CloudWatch Logs makes metrics of.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from services.web.logging import write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMESPACE = "ThreePhaseUpload"


@dataclass(frozen=True, slots=True)
class Metrics:
    """Of one service. Safe to use from several threads."""

    service: str
    on: bool = True
    write: Callable[[str], object] = write_line
    clock: Callable[[], float] = time.time

    def count(self, name: str, **dimensions: str) -> None:
        """One more of this name: of the service as a whole, and of these dimensions.

        CloudWatch keeps a metric for each value of a dimension, so that only a few values may be possible.
        """
        self.record({name: 1}, **dimensions)

    def record(self, numbers: Mapping[str, int], **dimensions: str) -> None:
        """Of each name so many, in one line."""
        if not self.on:
            return
        about = _describe(self.service, tuple(numbers), tuple(dimensions.items()))
        moment = {"Timestamp": int(self.clock() * 1000)}
        line = about | {"_aws": about["_aws"] | moment} | {name: [number] for name, number in numbers.items()}
        self.write(msgspec.json.encode(line).decode())


@lru_cache(maxsize=256)
def _describe(service: str, names: tuple[str, ...], dimensions: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """A line of these names and dimensions, but for its numbers and its time: making one takes longer than all else
    that a presign does.
    """
    # The empty name keeps POWERTOOLS_SERVICE_NAME from adding a dimension of its own.
    line = EphemeralMetrics(namespace=NAMESPACE, service="", default_dimensions={"Service": service})
    if dimensions:
        line.add_dimensions(**dict(dimensions))
    for name in names:
        line.add_metric(name, MetricUnit.Count, 0)
    # Not by its own `flush_metrics`, which prints, in two writes, and obeys POWERTOOLS_METRICS_DISABLED.
    return dict(line.serialize_metric_set())
