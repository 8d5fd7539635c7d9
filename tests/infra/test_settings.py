"""What a change of each setting does to a live stack, and what a change of the code does.

`SETTINGS` says for each setting which resources are updated and which are replaced. Settings with the same effect are
changed together. A setting that is not listed fails `test_every_setting_is_listed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from infra.components import image
from infra.settings import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.infra.stacks import Stack

SERVICES = ("auth", "uploads", "frontend")
PROGRAMS = (*SERVICES, "sweep")
FIXED = {"bucket", "region"}
"""Settings of a new stack only."""
TESTED_ELSEWHERE = {
    *("zones", "domain", "hostedZone", "certificate", "tags", "keepData", "recoveryDays", "signingKeys"),
    *("issuer", "audience", "jwksUrl", "algorithms", "usernameClaim", "demo"),
}
"""In `test_network.py`, `test_operation.py`, `test_data.py`, `test_issuer.py` and `test_demo.py`."""


@dataclass(frozen=True)
class Effect:
    update: frozenset[str] = frozenset()
    replace: frozenset[str] = frozenset()

    def __or__(self, other: Effect) -> Effect:
        return Effect(self.update | other.update, self.replace | other.replace)

    @property
    def steps(self) -> dict[str, set[str]]:
        steps = {"update": set(self.update), "replace": set(self.replace)}
        return {operation: resources for operation, resources in steps.items() if resources}


def updates(*resources: str) -> Effect:
    return Effect(frozenset(resources))


def deploys(*programs: str) -> Effect:
    """New task definitions. ECS starts tasks of the new one before it stops those of the old one."""
    effect = Effect(frozenset(), frozenset(f"TaskDefinition {program}" for program in programs))
    for program in programs:
        effect |= updates("Schedule sweep", "RolePolicy sweep-schedule") if program == "sweep" else service(program)
    return effect


def service(name: str) -> Effect:
    return updates(f"Service {name}")


SETTINGS: tuple[tuple[dict[str, str], Effect], ...] = (
    ({"minTasks": "3", "maxTasks": "12"}, updates(*(f"Target {name}" for name in SERVICES))),
    ({"requestsPerSecond": "100"}, updates("Stage edge")),
    (
        {"logDays": "7"},
        updates("LogGroup edge-access", *(f"LogGroup {name}" for name in PROGRAMS)),
    ),
    ({"cpu": "512", "memory": "1024"}, deploys(*PROGRAMS)),
    ({"architecture": "X86_64"}, deploys(*PROGRAMS) | updates(*(f"Image {name}" for name in SERVICES))),
    ({"tokenSeconds": "600", "loginsPerMinute": "1"}, deploys("auth")),
    ({"presignsPerMinute": "1", "confirmsPerMinute": "1"}, deploys("uploads")),
    ({"pending": "tag"}, deploys("uploads", "frontend")),
    ({"maxBytes": "4000000", "maxWidth": "100", "maxHeight": "100"}, deploys("uploads", "frontend", "sweep")),
    ({"formSeconds": "100", "confirmSeconds": "1800"}, deploys("uploads", "sweep")),
    ({"marginSeconds": "7000", "maxDeletions": "10", "maxDeletedShare": "0.5"}, deploys("sweep")),
    (
        {"allowedOrigins": "https://app.example.com,http://localhost:3000"},
        deploys(*SERVICES) | updates("BucketCorsConfiguration storage"),
    ),
    ({"allowedAddresses": "203.0.113.0/24,2001:db8::/32"}, deploys(*SERVICES)),
    ({"hourlySweep": "false"}, updates("Schedule sweep")),
    ({"newUsers": "create"}, deploys("uploads")),
    (
        {
            "confirmedUrl": "https://example.com/hooks",
            "confirmedSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:webhook-AbCdEf",
        },
        deploys("uploads", "sweep") | updates("RolePolicy uploads-execution", "RolePolicy sweep-execution"),
    ),
)
ALARM_TOPIC = {"alarmTopic": "arn:aws:sns:eu-central-1:123456789012:alarms"}


def names_of(changes: Iterable[dict[str, str]]) -> Iterator[str]:
    for change in changes:
        yield from change


def test_every_setting_is_listed() -> None:
    assert {*names_of(change for change, _ in SETTINGS), *ALARM_TOPIC} | FIXED | TESTED_ELSEWHERE == set(NAMES)


@pytest.fixture(scope="module")
def changing(first_up: Stack, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """One live stack for all previews, which change nothing."""
    return first_up.copy(tmp_path_factory.mktemp("changing") / "stack")


@pytest.mark.parametrize(("changes", "effect"), SETTINGS, ids=["-".join(changes) for changes, _ in SETTINGS])
def test_a_changed_setting_replaces_no_data(changing: Stack, changes: dict[str, str], effect: Effect) -> None:
    before = changing.config
    try:
        assert changing.preview(changes).steps == effect.steps
    finally:
        changing.configure({name: before.get(name) for name in changes})


def test_all_settings_can_be_changed_at_once(live: Stack) -> None:
    changes = ALARM_TOPIC | {name: value for change, _ in SETTINGS for name, value in change.items()}
    effect = updates(*(str(each) for each in live.cloud.resources("aws:cloudwatch/metricAlarm:MetricAlarm")))
    for _, each in SETTINGS:
        effect |= each
    assert live.up(changes).steps == effect.steps
    assert live.up().steps == {}
    running = {each.name: each.inputs["taskDefinition"] for each in live.cloud.resources("aws:ecs/service:Service")}
    newest = {each.name: each.outputs["arn"] for each in live.cloud.resources("aws:ecs/taskDefinition:TaskDefinition")}
    assert running == {name: newest[name] for name in SERVICES}


def test_the_sweep_can_be_switched_off_and_on(live: Stack) -> None:
    for value, state in (("false", "DISABLED"), ("true", "ENABLED")):
        live.up({"hourlySweep": value})
        assert live.cloud.one("aws:scheduler/schedule:Schedule", "sweep").inputs["state"] == state


def test_changed_code_is_built_and_deployed(live: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    images = {each.outputs["digest"] for each in live.cloud.resources("docker-build:index:Image")}

    def hash_files(files: Mapping[Path, bytes]) -> str:
        return f"changed-{len(files)}"

    monkeypatch.setattr(image, "hash_files", hash_files)
    effect = deploys(*PROGRAMS) | updates(*(f"Image {name}" for name in SERVICES))
    assert live.up().steps == effect.steps
    for each in live.cloud.resources("aws:ecs/taskDefinition:TaskDefinition"):
        assert not any(digest in each.inputs["containerDefinitions"] for digest in images)
    assert live.up().steps == {}
