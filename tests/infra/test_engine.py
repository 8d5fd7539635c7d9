"""A program meets the engine that it would meet in earnest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.infra import samples
from tests.infra.engine import STACK, UNKNOWN, LogLine

if TYPE_CHECKING:
    from tests.infra.engine import Deployment
    from tests.infra.runs import Runs

SERVICE, TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"


def test_it_runs_in_its_folder_with_its_configuration(runs: Runs) -> None:
    run = runs.run(samples.LOOKS_AROUND, config={"plain": "value", "aws:region": "eu-north-1"})
    assert run.error is None
    assert run.exports["path"] == "."
    assert run.exports["folder"].startswith(str(runs.scratch))
    assert run.exports["plain"] == "value"
    assert run.exports["region"] == "eu-north-1"
    assert run.exports["stack"] == "project/stack"
    assert run.printed == "said aloud\n"
    assert LogLine("WARNING", "mind the gap", "") in run.logs


def test_all_that_was_asked_for_is_kept(good: Deployment) -> None:
    service = good.one(SERVICE, "service")
    assert service.custom
    assert service.ignore_changes == ("desiredCount",)
    assert re.fullmatch(r"7\.\d+\.\d+", service.version)
    assert good.one("aws:lb/listenerRule:ListenerRule", "service").urn in service.dependencies
    assert service.property_dependencies["taskDefinition"] == {good.one(TASK, "service").urn}
    group = good.one("aws:ec2/securityGroup:SecurityGroup", "tasks")
    component = good.one("sample:network:Network", "network")
    assert group.parent == component.urn
    assert group.urn == "urn:pulumi:stack::project::sample:network:Network$aws:ec2/securityGroup:SecurityGroup::tasks"
    assert [each.type for each in good.registrations if not each.parent] == [STACK]


def test_a_component_stands_for_its_children_where_something_depends_on_it(good: Deployment) -> None:
    route = good.one("aws:ec2/route:Route", "out")
    assert route.urn in good.created_before(good.one(SERVICE, "service"))


def test_what_the_cloud_makes_up_has_the_right_shape(good: Deployment) -> None:
    container = good.one(TASK, "service").inputs["containerDefinitions"]
    assert re.search(r'"123456789012\.dkr\.ecr\.eu-central-1\.amazonaws\.com/.*@sha256:[0-9a-f]{64}"', container)
    assert re.fullmatch(r"https://[0-9a-f]{10}\.execute-api\.eu-central-1\.amazonaws\.com", good.exports["url"])
    role = good.by_value(good.one(TASK, "service").inputs["taskRoleArn"])
    assert role
    assert re.fullmatch(r"arn:aws:iam::123456789012:role/service-[0-9a-f]{7}", role.outputs["arn"])


def test_the_same_program_gets_the_same_answers(runs: Runs, good: Deployment, careless: Deployment) -> None:
    assert good.exports == careless.exports
    assert runs.run(samples.GOOD) is good


def test_a_preview_knows_nothing_of_what_is_not_there_yet(runs: Runs) -> None:
    preview = runs.run(samples.GOOD, preview=True)
    assert preview.error is None
    assert preview.one(TASK, "service").inputs["containerDefinitions"] == UNKNOWN
    assert preview.one(SERVICE, "service").inputs["desiredCount"] == 1
    assert preview.exports["url"] == UNKNOWN


def test_secrets_are_known_as_such(faulty: Deployment, good: Deployment) -> None:
    assert "hunter2" in faulty.secrets
    assert faulty.secret_exports == {"marked"}
    assert "registries" in good.one("docker-build:index:Image", "service").secret_inputs


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (samples.DUPLICATE, "Duplicate resource URN 'urn:pulumi:stack::project::aws:sns/topic:Topic::alarms'"),
        (samples.MISSPELT_KEYWORD, "unexpected keyword argument 'displayname'"),
        (samples.UNEXPECTED_INVOKE, "Nobody has said what AWS answers to aws:ssm/getParameter:getParameter"),
        (samples.ASKS_AN_OUTPUT, "The program judges an output"),
        (samples.COMPARES_AN_OUTPUT, "The program judges an output"),
    ],
    ids=["a duplicate name", "a misspelt keyword", "an unexpected invoke", "an if over an output", "a comparison"],
)
def test_a_program_that_fails_says_why(runs: Runs, program: str, message: str) -> None:
    run = runs.run(program, preview=True)
    assert run.error
    assert message in run.error
