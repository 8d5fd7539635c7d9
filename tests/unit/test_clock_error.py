"""The error of the task's clock, as the task metadata endpoint reports it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from services.web.clock_error import ClockDrift, parse_task_metadata

# From "Amazon ECS task metadata v4 examples for tasks on Fargate", with a container as that page has it.
DOCUMENTED: dict[str, Any] = {
    "Cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/MyEmptyCluster",
    "Family": "sample-fargate",
    "Limits": {"CPU": 0.25, "Memory": 512},
    "Containers": [{"Name": "curl-image", "Limits": {"CPU": 128}, "Snapshotter": "overlayfs"}],
    "LaunchType": "FARGATE",
    "ClockDrift": {
        "ClockErrorBound": 0.446931,
        "ReferenceTimestamp": "2023-07-21T16:09:17Z",
        "ClockSynchronizationStatus": "SYNCHRONIZED",
    },
    "EphemeralStorageMetrics": {"Utilized": 261, "Reserved": 20496},
}


def with_drift(drift: object) -> bytes:
    return json.dumps(DOCUMENTED | {"ClockDrift": drift}).encode()


def test_the_documented_response_states_the_error() -> None:
    drift = parse_task_metadata(json.dumps(DOCUMENTED).encode())
    assert drift == ClockDrift(0.446931, "SYNCHRONIZED")
    assert drift.is_synchronized


@pytest.mark.parametrize("status", ["NOT_SYNCHRONIZED", "synchronized", ""])
def test_a_clock_with_another_status_is_not_synchronized(status: str) -> None:
    drift = parse_task_metadata(with_drift({"ClockErrorBound": 1234, "ClockSynchronizationStatus": status}))
    assert drift.clock_error_bound == 1234
    assert not drift.is_synchronized


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"\xff",
        b"[]",
        json.dumps({name: value for name, value in DOCUMENTED.items() if name != "ClockDrift"}).encode(),
        with_drift(None),
        # ECS's agent omits members that have no value (amazon-ecs-agent: `tmds/handlers/v4/state`).
        with_drift({}),
        with_drift({"ClockErrorBound": 0.4}),
        with_drift({"ClockSynchronizationStatus": "SYNCHRONIZED"}),
        with_drift({"ClockErrorBound": -1, "ClockSynchronizationStatus": "SYNCHRONIZED"}),
        with_drift({"ClockErrorBound": "0.4", "ClockSynchronizationStatus": "SYNCHRONIZED"}),
        b'{"ClockDrift": {"ClockErrorBound": 1e999, "ClockSynchronizationStatus": "SYNCHRONIZED"}}',
    ],
    ids=repr,
)
def test_a_response_without_an_error_is_refused(document: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        parse_task_metadata(document)
