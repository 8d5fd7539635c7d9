from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from infra.documents.dashboard import NAMESPACE, Charted, dashboard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.components.service import Service

FIVE_MINUTES = 300
SLOW_MILLISECONDS = 3000


@dataclass(frozen=True, slots=True)
class Metric:
    namespace: str
    name: str
    dimensions: Mapping[str, Any]
    statistic: str = "Sum"


class Alarms(pulumi.ComponentResource):
    """What a person should hear of, and one page of charts to look at then."""

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
            "Five or more answers of the API in five minutes were 5xx.",
            Metric("AWS/ApiGateway", "5xx", api),
            at_least=5,
        )
        self._alarm(
            "latency",
            "One answer of a hundred took three seconds or more, for a quarter of an hour.",
            Metric("AWS/ApiGateway", "Latency", api, statistic="p99"),
            at_least=SLOW_MILLISECONDS,
            periods=3,
        )
        for service, made in services.items():
            behind = {"LoadBalancer": balancer_suffix, "TargetGroup": made.target_suffix}
            self._alarm(
                f"{service}-unhealthy",
                f"A task of {service} does not answer its health check.",
                Metric("AWS/ApplicationELB", "UnHealthyHostCount", behind, statistic="Maximum"),
                at_least=1,
                periods=2,
            )
        for event in ("ReadThrottleEvents", "WriteThrottleEvents"):
            self._alarm(
                f"table-{event.removesuffix('ThrottleEvents').lower()}-throttled",
                "DynamoDB throttles the table of users.",
                Metric("AWS/DynamoDB", event, {"TableName": table}),
                at_least=1,
            )
        for finding, said in {
            "Dangling": "The sweep found a row whose object is missing.",
            "Skipped": "The sweep found more orphans than it may delete.",
            "Failed": "The sweep could not look at, heal or delete something.",
        }.items():
            self._alarm(f"sweep-{finding.lower()}", said, _of_sweep(finding), at_least=1)
        self._alarm(
            "sweep-missing",
            "No sweep has come to its end for three hours.",
            _of_sweep("Swept"),
            below=1,
            periods=3,
            period=3600,
            if_missing="breaching",
        )
        charted = Charted(
            api_id, balancer_suffix, {service: made.target_suffix for service, made in services.items()}, table
        )
        body = pulumi.Output.json_dumps(dashboard(charted, region))
        made = aws.cloudwatch.Dashboard(
            name, dashboard_name=f"{name}-{pulumi.get_stack()}", dashboard_body=body, opts=self._opts
        )
        self.dashboard_name = made.dashboard_name
        self.register_outputs({})

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


def _of_sweep(name: str) -> Metric:
    return Metric(NAMESPACE, name, {"Service": "sweep"})
