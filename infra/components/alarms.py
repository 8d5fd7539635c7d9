from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from infra.documents.dashboard import DashboardMetrics, dashboard
from services.settings.environment import METRICS_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.components.service import Service

FIVE_MINUTES = 300
MAX_LATENCY_MILLISECONDS = 3000
MAX_CLOCK_ERROR_MILLISECONDS = 500
"""Maximum error of a task's clock. Below it, two tasks differ by less than a second, so their ids are in order of time
for two actions of a user. The error is usually below a millisecond, so a higher one is a fault (decision 23).
"""


@dataclass(frozen=True, slots=True)
class Metric:
    namespace: str
    name: str
    dimensions: Mapping[str, Any]
    statistic: str = "Sum"


class Alarms(pulumi.ComponentResource):
    """Alarms for the operator, and a dashboard."""

    def __init__(
        self,
        name: str,
        *,
        api_id: pulumi.Output[str],
        balancer_suffix: pulumi.Output[str],
        services: Mapping[str, Service],
        table: pulumi.Output[str],
        topic: str | None,
        region: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Alarms", name, None, opts)
        self._opts = pulumi.ResourceOptions(parent=self)
        self._topics = [topic] if topic else []
        api = {"ApiId": api_id}
        self._alarm(
            "server-errors",
            "The API returned five or more 5xx responses in five minutes.",
            Metric("AWS/ApiGateway", "5xx", api),
            at_least=5,
        )
        self._alarm(
            "latency",
            "The 99th percentile of the API's latency was three seconds or more for fifteen minutes.",
            Metric("AWS/ApiGateway", "Latency", api, statistic="p99"),
            at_least=MAX_LATENCY_MILLISECONDS,
            periods=3,
        )
        for service_name, service in services.items():
            target_group = {"LoadBalancer": balancer_suffix, "TargetGroup": service.target_suffix}
            self._alarm(
                f"{service_name}-unhealthy",
                f"A task of the service {service_name} fails its health check.",
                Metric("AWS/ApplicationELB", "UnHealthyHostCount", target_group, statistic="Maximum"),
                at_least=1,
                periods=2,
            )
        for event in ("ReadThrottleEvents", "WriteThrottleEvents"):
            self._alarm(
                f"table-{event.removesuffix('ThrottleEvents').lower()}-throttled",
                "DynamoDB throttles requests to the table of users.",
                Metric("AWS/DynamoDB", event, {"TableName": table}),
                at_least=1,
            )
        for finding, description in {
            "Dangling": "The sweep found a row whose object is missing.",
            "Skipped": "The sweep found more orphans than one sweep may delete.",
            "Failed": "The sweep could not read, repair or delete an object.",
        }.items():
            self._alarm(f"sweep-{finding.lower()}", description, _sweep_metric(finding), at_least=1)
        self._alarm(
            "sweep-missing",
            "No sweep has completed for three hours.",
            _sweep_metric("Swept"),
            below=1,
            periods=3,
            period=3600,
            if_missing="breaching",
        )
        self._alarm(
            "clock-error",
            "The clock of an uploads task may be half a second off, so uploads and removals may be out of order.",
            _uploads_metric("ClockErrorBound", "Maximum"),
            at_least=MAX_CLOCK_ERROR_MILLISECONDS,
        )
        self._alarm(
            "clock-not-synchronized",
            "The clock of an uploads task was not synchronized, or its error unknown, for fifteen minutes.",
            _uploads_metric("ClockSynchronized", "Minimum"),
            below=1,
            periods=3,
            # Each task measures once a minute. If no data arrives, nobody knows the error.
            if_missing="breaching",
        )
        shown = DashboardMetrics(
            namespace=METRICS_NAMESPACE,
            api_id=api_id,
            balancer=balancer_suffix,
            targets={service_name: service.target_suffix for service_name, service in services.items()},
            table=table,
        )
        board = aws.cloudwatch.Dashboard(
            name,
            dashboard_name=f"{name}-{pulumi.get_stack()}",
            dashboard_body=pulumi.Output.json_dumps(dashboard(shown, region)),
            opts=self._opts,
        )
        self.dashboard_name = board.dashboard_name
        self.register_outputs({"dashboard_name": self.dashboard_name})

    def _alarm(
        self,
        name: str,
        description: str,
        metric: Metric,
        *,
        at_least: float | None = None,
        below: float | None = None,
        periods: int = 1,
        period: int = FIVE_MINUTES,
        if_missing: str = "notBreaching",
    ) -> None:
        is_percentile = metric.statistic.startswith("p")
        aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=description,
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=dict(metric.dimensions),
            statistic=None if is_percentile else metric.statistic,
            extended_statistic=metric.statistic if is_percentile else None,
            comparison_operator="LessThanThreshold" if below is not None else "GreaterThanOrEqualToThreshold",
            threshold=below if below is not None else at_least,
            evaluation_periods=periods,
            period=period,
            treat_missing_data=if_missing,
            alarm_actions=self._topics,
            ok_actions=self._topics,
            opts=self._opts,
        )


def _uploads_metric(name: str, statistic: str) -> Metric:
    return Metric(METRICS_NAMESPACE, name, {"Service": "uploads"}, statistic)


def _sweep_metric(name: str) -> Metric:
    return Metric(METRICS_NAMESPACE, name, {"Service": "sweep"})
