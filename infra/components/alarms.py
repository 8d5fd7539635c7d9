from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.components.alarm import AlarmMaker, Condition, Metric
from infra.documents.dashboard import DashboardMetrics, dashboard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.components.edge import Edge
    from infra.components.service import Service
    from infra.components.sweep import SweepSchedule

MAX_LATENCY_MILLISECONDS = 3000
MAX_CLOCK_ERROR_MILLISECONDS = 500
"""Maximum error of a task's clock. Below it, two tasks differ by less than a second, so their ids are in order of time
for two actions of a user. The error is usually below a millisecond, so a higher one is a fault (decision 23).
"""


class Alarms(pulumi.ComponentResource):
    """Alarms for the operator, and a dashboard."""

    def __init__(
        self,
        name: str,
        *,
        edge: Edge,
        services: Mapping[str, Service],
        table: pulumi.Output[str],
        sweep: SweepSchedule,
        maker: AlarmMaker,
        region: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Alarms", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        # Alarms that also sound if nothing arrives. The services take minutes to become healthy, and a sweep seconds.
        once_running = pulumi.ResourceOptions(parent=self, depends_on=[sweep, *services.values()])
        namespace = maker.names.metrics_namespace
        api = {"ApiId": edge.api_id}
        maker.make(
            "server-errors",
            "The API returned five or more 5xx responses in five minutes.",
            Metric("AWS/ApiGateway", "5xx", api),
            Condition(at_least=5),
            opts=child_opts,
        )
        maker.make(
            "latency",
            "The 99th percentile of the API's latency was three seconds or more for fifteen minutes.",
            Metric("AWS/ApiGateway", "Latency", api, statistic="p99"),
            Condition(at_least=MAX_LATENCY_MILLISECONDS, periods=3),
            opts=child_opts,
        )
        for service_name, service in services.items():
            target_group = {"LoadBalancer": edge.balancer_suffix, "TargetGroup": service.target_suffix}
            maker.make(
                f"{service_name}-unhealthy",
                f"A task of the service {service_name} fails its health check.",
                Metric("AWS/ApplicationELB", "UnHealthyHostCount", target_group, statistic="Maximum"),
                Condition(at_least=1, periods=2),
                opts=child_opts,
            )
        for event in ("ReadThrottleEvents", "WriteThrottleEvents"):
            maker.make(
                f"table-{event.removesuffix('ThrottleEvents').lower()}-throttled",
                "DynamoDB throttles requests to the table of users.",
                Metric("AWS/DynamoDB", event, {"TableName": table}),
                Condition(at_least=1),
                opts=child_opts,
            )
        for finding, description in {
            "Dangling": "The sweep found a row whose object is missing.",
            "Skipped": "The sweep found more orphans than one sweep may delete, and deleted none.",
            "Failed": "The sweep could not read, repair or delete an object.",
        }.items():
            maker.make(
                f"sweep-{finding.lower()}",
                description,
                _sweep_metric(namespace, finding),
                Condition(at_least=1),
                opts=child_opts,
            )
        maker.make(
            "sweep-missing",
            "No sweep has completed for three hours.",
            _sweep_metric(namespace, "Swept"),
            Condition(below=1, periods=3, period=3600, if_missing="breaching"),
            opts=once_running,
        )
        maker.make(
            "clock-error",
            "The clock of an uploads task may be half a second off, so uploads and removals may be out of order.",
            _uploads_metric(namespace, "ClockErrorBound", "Maximum"),
            Condition(at_least=MAX_CLOCK_ERROR_MILLISECONDS),
            opts=child_opts,
        )
        maker.make(
            "clock-not-synchronized",
            "The clock of an uploads task was not synchronized, or its error unknown, for fifteen minutes.",
            _uploads_metric(namespace, "ClockSynchronized", "Minimum"),
            # Each task measures once a minute. If no data arrives, nobody knows the error.
            Condition(below=1, periods=3, if_missing="breaching"),
            opts=once_running,
        )
        shown = DashboardMetrics(
            namespace=namespace,
            api_id=edge.api_id,
            balancer=edge.balancer_suffix,
            targets={service_name: service.target_suffix for service_name, service in services.items()},
            table=table,
        )
        board = aws.cloudwatch.Dashboard(
            name,
            dashboard_name=maker.names.prefix,
            dashboard_body=pulumi.Output.json_dumps(dashboard(shown, region)),
            opts=child_opts,
        )
        self.dashboard_name = board.dashboard_name
        self.register_outputs({"dashboard_name": self.dashboard_name})


def _uploads_metric(namespace: str, name: str, statistic: str) -> Metric:
    return Metric(namespace, name, {"Service": "uploads"}, statistic)


def _sweep_metric(namespace: str, name: str) -> Metric:
    return Metric(namespace, name, {"Service": "sweep"})
