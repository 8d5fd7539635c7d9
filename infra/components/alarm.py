from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi_aws as aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from infra.documents.names import StackNames

FIVE_MINUTES = 300


@dataclass(frozen=True, slots=True)
class Metric:
    namespace: str
    name: str
    dimensions: Mapping[str, Any]
    statistic: str = "Sum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When an alarm sounds: the metric is at least, or below, this value in each of the periods."""

    at_least: float | None = None
    below: float | None = None
    periods: int = 1
    period: int = FIVE_MINUTES
    """Seconds."""
    if_missing: str = "notBreaching"


@dataclass(frozen=True, slots=True)
class AlarmMaker:
    """Makes the alarms of a stack."""

    names: StackNames
    topic: str | None

    def make(
        self, name: str, description: str, metric: Metric, condition: Condition, *, opts: pulumi.ResourceOptions
    ) -> aws.cloudwatch.MetricAlarm:
        is_percentile = metric.statistic.startswith("p")
        is_below = condition.below is not None
        topics = [self.topic] if self.topic else []
        return aws.cloudwatch.MetricAlarm(
            name,
            name=f"{self.names.prefix}-{name}",
            alarm_description=description,
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=dict(metric.dimensions),
            statistic=None if is_percentile else metric.statistic,
            extended_statistic=metric.statistic if is_percentile else None,
            # The percentile of a few values is the slowest of them.
            evaluate_low_sample_count_percentiles="ignore" if is_percentile else None,
            comparison_operator="LessThanThreshold" if is_below else "GreaterThanOrEqualToThreshold",
            threshold=condition.below if is_below else condition.at_least,
            evaluation_periods=condition.periods,
            period=condition.period,
            treat_missing_data=condition.if_missing,
            alarm_actions=topics,
            ok_actions=topics,
            opts=opts,
        )
