"""CloudWatch's embedded metric format, read as its specification says that CloudWatch Logs reads it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from services.settings.environment import METRICS_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIZES = {
    f"{prefix}{unit}".capitalize() for prefix in ("", "Kilo", "Mega", "Giga", "Tera") for unit in ("bytes", "bits")
}
_TIMES = {"Seconds", "Milliseconds", "Microseconds"}
UNITS = {"None", "Percent", "Count", "Count/Second", *_TIMES, *_SIZES, *(f"{size}/Second" for size in _SIZES)}

YEAR_2001, YEAR_2286 = 10**12, 10**13
"""In milliseconds; a number of seconds or of microseconds is not between them."""


def check_line(line: str) -> dict[str, Any]:
    """The document, which a line holds alone and in full."""
    assert "\n" not in line
    document = json.loads(line)
    assert set(document["_aws"]) == {"Timestamp", "CloudWatchMetrics"}
    assert isinstance(document["_aws"]["Timestamp"], int)
    assert YEAR_2001 <= document["_aws"]["Timestamp"] < YEAR_2286
    assert document["_aws"]["CloudWatchMetrics"]
    for directive in document["_aws"]["CloudWatchMetrics"]:
        _check_directive(directive, document)
    return document


def _check_directive(directive: dict[str, Any], document: dict[str, Any]) -> None:
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert directive["Namespace"] == METRICS_NAMESPACE
    assert directive["Dimensions"]
    for names in directive["Dimensions"]:
        assert len(names) == len(set(names)) <= 30
        for name in names:
            assert 1 <= len(name) <= 250
            assert isinstance(document.get(name), str)
            assert 1 <= len(document[name]) <= 1024
    assert 1 <= len(directive["Metrics"]) <= 100
    for metric in directive["Metrics"]:
        assert set(metric) <= {"Name", "Unit", "StorageResolution"}
        assert 1 <= len(metric["Name"]) <= 1024
        assert metric.get("Unit", "None") in UNITS
        assert metric.get("StorageResolution", 60) in {1, 60}
        assert metric["Name"] in document
        values = _values(document, metric["Name"])
        assert 1 <= len(values) <= 100
        assert all(isinstance(value, int | float) for value in values)


def read_counts(lines: Iterable[str]) -> dict[tuple[Any, ...], int]:
    """The sum of each metric: by its name and then its dimensions with their values."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for line in lines:
        document = check_line(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                for metric in directive["Metrics"]:
                    metric_of = (metric["Name"], *((name, document[name]) for name in names))
                    sums[metric_of] += sum(_values(document, metric["Name"]))
    return dict(sums)


def _values(document: dict[str, Any], name: str) -> list[Any]:
    found = document[name]
    return found if isinstance(found, list) else [found]  # pyright: ignore[reportUnknownVariableType] - checked above
