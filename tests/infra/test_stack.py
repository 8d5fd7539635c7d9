"""A stack from its first preview until it is destroyed, on Pulumi's engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra.stacks import OperationError

if TYPE_CHECKING:
    from tests.infra.conftest import MakeStack
    from tests.infra.stacks import Stack

SERVICE, TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
TARGETS = "aws:lb/targetGroup:TargetGroup"


def test_an_up_does_what_the_preview_shows_and_a_second_one_nothing(stack: Stack) -> None:
    previewed = stack.preview()
    assert previewed.steps.keys() == {"create"}
    assert not stack.cloud.calls
    done = stack.up()
    assert done.steps == previewed.steps
    assert not done.messages
    assert stack.up().steps == {}


def test_destroy_leaves_nothing(live: Stack) -> None:
    assert live.destroy().steps.keys() == {"delete"}
    assert not live.cloud.resources()


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


def test_after_a_failed_deployment_an_up_with_refresh_deploys_again(live: Stack) -> None:
    """A plain `up` does not: the engine's state has the new task definition, although ECS has rolled it back."""
    before = live.cloud.one(SERVICE, "uploads").inputs["taskDefinition"]
    live.cloud.fail(SERVICE, "uploads", "the deployment failed: no task became healthy")
    with pytest.raises(OperationError, match="no task became healthy"):
        live.up({"maxBytes": "4000000"})
    assert live.cloud.one(SERVICE, "uploads").inputs["taskDefinition"] == before
    live.up(refresh=True)
    assert live.cloud.one(SERVICE, "uploads").inputs["taskDefinition"] == live.cloud.one(TASK, "uploads").outputs["arn"]


def test_a_refresh_finds_changes_by_hand_and_the_next_up_reverts_them(live: Stack) -> None:
    live.cloud.change_by_hand(TARGETS, "auth", deregistrationDelay=5)
    live.cloud.delete_by_hand("aws:cloudwatch/metricAlarm:MetricAlarm", "latency")
    assert live.up().steps == {}
    assert live.refresh().drift == {"update": {"TargetGroup auth"}, "delete": {"MetricAlarm latency"}}
    assert live.up().steps == {"update": {"TargetGroup auth"}, "create": {"MetricAlarm latency"}}
    assert live.cloud.one(TARGETS, "auth").inputs["deregistrationDelay"] != 5


def test_two_stacks_in_one_account_share_no_name(live: Stack, make_stack: MakeStack) -> None:
    other = make_stack("other", cloud=live.cloud)
    other.up()
    assert live.up().steps == {}
    other.destroy()
    done = live.up(refresh=True)
    assert done.drift == {}
    assert done.steps == {}
