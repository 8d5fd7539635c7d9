"""A year of a stack on Pulumi's engine: what each operation did, and what the operator read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.infra.cloud import Cloud
from tests.infra.stacks import OperationError, Stack
from tests.infra.test_demo import WITHOUT_DEMO
from tests.infra.transcript import SECTION, draw_section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.infra.conftest import Beginning, MakeStack
    from tests.infra.deployment import Deployment
    from tests.infra.stacks import Result

SERVICE, TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
TARGETS, ALARM = "aws:lb/targetGroup:TargetGroup", "aws:cloudwatch/metricAlarm:MetricAlarm"
FAILURE = "waiting for ECS Service (uploads) update: deployment failed: tasks failed to start"


@dataclass(frozen=True)
class Year:
    """The operations, in order, and the task definition that the uploads service had after some of them."""

    results: Mapping[str, Result]
    running: Mapping[str, str]
    newest: str
    """The task definition of the last change."""
    exported: str
    """The task definition that the outputs named after it."""
    repaired_delay: int
    left: list[str]
    """Resources in the account at the end."""


@pytest.fixture(scope="module")
def year(beginning: Beginning, tmp_path_factory: pytest.TempPathFactory) -> Year:
    stack = beginning.stack.copy(tmp_path_factory.mktemp("year") / "stack")
    cloud = stack.cloud
    results = {"first preview": beginning.previewed, "first up": beginning.done}
    running: dict[str, str] = {}

    def note(name: str, result: Result) -> None:
        results[name] = result
        running[name] = cloud.one(SERVICE, "uploads").inputs["taskDefinition"]

    note("unchanged", stack.up())
    note("more tasks, previewed", stack.preview({"minTasks": "3"}))
    note("more tasks", stack.up())

    cloud.fail(SERVICE, "uploads", FAILURE)
    with pytest.raises(OperationError, match="tasks failed to start") as failed:
        stack.up({"presignsPerMinute": "60"})
    note("failed deployment", failed.value.result)
    note("after it", stack.up())
    newest = cloud.one(TASK, "uploads").outputs["arn"]
    exported = stack.outputs["running"]["uploads"]

    cloud.change_by_hand(TARGETS, "auth", deregistrationDelay=5)
    cloud.delete_by_hand(ALARM, "latency")
    note("changed by hand, previewed", stack.preview())
    note("repaired", stack.up())
    note("unchanged at last", stack.up())
    delay = cloud.one(TARGETS, "auth").inputs["deregistrationDelay"]

    results["destroyed"] = stack.destroy()
    results["without the demo"] = Stack(tmp_path_factory.mktemp("without"), Cloud()).up(WITHOUT_DEMO)
    return Year(results, running, newest, exported, delay, [str(each) for each in cloud.resources()])


def test_an_up_does_what_its_preview_shows(year: Year) -> None:
    previewed, done = year.results["first preview"], year.results["first up"]
    assert done.steps.keys() == {"create"}
    assert done.steps == previewed.steps
    assert not done.messages


def test_a_second_up_changes_nothing(year: Year) -> None:
    assert year.results["unchanged"].steps == {}


def test_a_preview_changes_nothing(year: Year) -> None:
    assert year.results["more tasks, previewed"].steps == year.results["more tasks"].steps
    assert year.results["more tasks"].steps == {"update": {"Target auth", "Target uploads", "Target frontend"}}


def test_a_failed_deployment_leaves_the_former_tasks_running(year: Year) -> None:
    assert year.running["failed deployment"] == year.running["more tasks"]
    assert FAILURE in year.results["failed deployment"].messages


def test_after_a_failed_deployment_the_next_up_deploys_again(year: Year) -> None:
    """The update has left the new task definition in the state. The refresh finds the old one in ECS."""
    assert year.running["after it"] == year.newest != year.running["more tasks"]
    assert year.exported == year.newest


def test_an_up_reverts_changes_by_hand(year: Year) -> None:
    steps = {"update": {"TargetGroup auth"}, "create": {"MetricAlarm latency"}}
    for name in ("changed by hand, previewed", "repaired"):
        assert year.results[name].steps == steps
    assert year.repaired_delay != 5
    assert year.results["unchanged at last"].steps == {}


def test_destroy_leaves_nothing(year: Year) -> None:
    """AWS refused no deletion (test_cloud.py)."""
    assert year.results["destroyed"].steps.keys() == {"delete"}
    assert not year.results["destroyed"].messages
    assert year.left == []


def test_what_aws_needs_is_deleted_last(first_up: Stack, up: Deployment) -> None:
    """The engine deletes a resource after those that depend on it, however long their deletion takes."""
    by_urn = {each.urn: each for each in up.registrations}
    used = [(each, user) for each in first_up.cloud.resources() for user in first_up.cloud.find_users(each)]
    assert len(used) > 20
    assert not [
        f"{each} may be deleted before {user}"
        for each, user in used
        if each.urn not in up.created_before(by_urn[user.urn])
    ]


def test_the_document_shows_this_year(year: Year) -> None:
    section = draw_section(year.results)
    assert section == SECTION, f"The last section of docs/deploying.md should be:\n{section}"


def test_an_up_continues_after_a_creation_failed(stack: Stack) -> None:
    stack.cloud.fail("aws:kms/key:Key", "signing", "LimitExceededException")
    with pytest.raises(OperationError, match="LimitExceededException"):
        stack.up()
    made = {str(each) for each in stack.cloud.resources()}
    assert made
    assert "Key signing" not in made
    done = stack.up()
    assert done.steps.keys() == {"create"}
    assert not done.steps["create"] & made
    assert stack.up().steps == {}


def test_two_stacks_in_one_account_do_not_affect_each_other(live: Stack, make_stack: MakeStack) -> None:
    other = make_stack("other", cloud=live.cloud)
    other.up()
    assert live.up().steps == {}
    other.destroy()
    assert live.refresh().drift == {}
    assert live.up().steps == {}
