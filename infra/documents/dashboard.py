"""The CloudWatch dashboard of a deployment (AWS: "Dashboard body structure and syntax")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WIDTH, HEIGHT, COLUMNS = 12, 6, 2


@dataclass(frozen=True, slots=True)
class DashboardMetrics:
    """The namespace of the services' own metrics, and the resources whose metrics the dashboard shows.

    Values may be Pulumi outputs.
    """

    namespace: str
    api_id: Any
    balancer: Any
    targets: Mapping[str, Any]
    """Target groups by service."""
    table: Any


def dashboard(shown: DashboardMetrics, region: str) -> dict[str, Any]:
    api = ["ApiId", shown.api_id]

    def service_metric(name: str, service: str) -> list[Any]:
        return [shown.namespace, name, "Service", service]

    charts = [
        _chart(
            "Uploads", region, [service_metric(name, "uploads") for name in ("Presigned", "Confirmed", "Superseded")]
        ),
        _search("Refused, by reason", region, f'{{"{shown.namespace}",Reason,Service}} MetricName="Refused"'),
        _chart("Responses of the API", region, [["AWS/ApiGateway", name, *api] for name in ("Count", "4xx", "5xx")]),
        _chart(
            "Latency of the API",
            region,
            [["AWS/ApiGateway", "Latency", *api, {"stat": stat}] for stat in ("p50", "p90", "p99")],
        ),
        _chart(
            "Requests by service",
            region,
            [
                ["AWS/ApplicationELB", "RequestCount", "TargetGroup", target, "LoadBalancer", shown.balancer]
                for target in shown.targets.values()
            ],
        ),
        _chart(
            "Healthy tasks",
            region,
            [
                [
                    "AWS/ApplicationELB",
                    "HealthyHostCount",
                    "TargetGroup",
                    target,
                    "LoadBalancer",
                    shown.balancer,
                    {"stat": "Minimum"},
                ]
                for target in shown.targets.values()
            ],
        ),
        _chart(
            "Sweep",
            region,
            [
                service_metric(name, "sweep")
                for name in ("Orphans", "Restored", "Replaced", "Dangling", "Skipped", "Failed")
            ],
        ),
        _chart(
            "Error of the tasks' clocks, milliseconds",
            region,
            [[*service_metric("ClockErrorBound", "uploads"), {"stat": "Maximum"}]],
        ),
        _chart(
            "Table",
            region,
            [
                ["AWS/DynamoDB", name, "TableName", shown.table]
                for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
            ],
        ),
    ]
    return {"widgets": [_place(chart, number) for number, chart in enumerate(charts)]}


def _chart(title: str, region: str, metrics: list[list[Any]]) -> dict[str, Any]:
    properties = {"title": title, "region": region, "stat": "Sum", "period": 300, "view": "timeSeries"}
    return {"type": "metric", "properties": properties | {"metrics": metrics}}


def _search(title: str, region: str, query: str) -> dict[str, Any]:
    """A chart of metrics whose dimensions are not known in advance."""
    return _chart(title, region, [[{"expression": f"SEARCH('{query}', 'Sum', 300)", "id": "found"}]])


def _place(chart: dict[str, Any], number: int) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return chart | {"x": column * WIDTH, "y": row * HEIGHT, "width": WIDTH, "height": HEIGHT}
