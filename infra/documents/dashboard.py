"""The charts of a deployment, in the words of CloudWatch (AWS: "Dashboard body structure and syntax")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "ThreePhaseUpload"
WIDTH, HEIGHT, COLUMNS = 12, 6, 2


@dataclass(frozen=True, slots=True)
class Charted:
    """What the metrics are of. Values may be Pulumi's outputs."""

    api_id: Any
    balancer: Any
    targets: Mapping[str, Any]
    """By service."""
    table: Any


def dashboard(charted: Charted, region: str) -> dict[str, Any]:
    api = ["ApiId", charted.api_id]
    charts = [
        _chart("Uploads", region, [_own(name, "uploads") for name in ("Presigned", "Confirmed", "Superseded")]),
        _search("Refused, by reason", region, f'{{{NAMESPACE},Reason,Service}} MetricName="Refused"'),
        _chart("The API's answers", region, [["AWS/ApiGateway", name, *api] for name in ("Count", "4xx", "5xx")]),
        _chart(
            "Time to answer",
            region,
            [["AWS/ApiGateway", "Latency", *api, {"stat": stat}] for stat in ("p50", "p90", "p99")],
        ),
        _chart(
            "Requests by service",
            region,
            [
                ["AWS/ApplicationELB", "RequestCount", "TargetGroup", target, "LoadBalancer", charted.balancer]
                for target in charted.targets.values()
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
                    charted.balancer,
                    {"stat": "Minimum"},
                ]
                for target in charted.targets.values()
            ],
        ),
        _chart(
            "The sweep",
            region,
            [_own(name, "sweep") for name in ("Orphans", "Restored", "Replaced", "Dangling", "Skipped", "Failed")],
        ),
        _chart(
            "The table",
            region,
            [
                ["AWS/DynamoDB", name, "TableName", charted.table]
                for name in ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")
            ],
        ),
    ]
    return {"widgets": [_place(chart, number) for number, chart in enumerate(charts)]}


def _own(name: str, service: str) -> list[Any]:
    return [NAMESPACE, name, "Service", service]


def _chart(title: str, region: str, metrics: list[list[Any]]) -> dict[str, Any]:
    properties = {"title": title, "region": region, "stat": "Sum", "period": 300, "view": "timeSeries"}
    return {"type": "metric", "properties": properties | {"metrics": metrics}}


def _search(title: str, region: str, what: str) -> dict[str, Any]:
    """For metrics whose dimensions are not known beforehand."""
    return _chart(title, region, [[{"expression": f"SEARCH('{what}', 'Sum', 300)", "id": "found"}]])


def _place(chart: dict[str, Any], number: int) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return chart | {"x": column * WIDTH, "y": row * HEIGHT, "width": WIDTH, "height": HEIGHT}
