"""A good program passes all checks, and each planted fault is found by the one that is there for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra import samples
from tests.infra.checks import CHECKS
from tests.infra.order import find_missing_dependencies, find_surprises
from tests.infra.policies import WITHOUT_RESOURCE, find_policy_faults
from tests.infra.schema import find_deprecations, find_type_faults
from tests.infra.texts import find_leaks, find_text_faults
from tests.infra.values import find_unchecked_types, find_value_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.engine import Deployment
    from tests.infra.runs import Runs

FAULTS = {
    find_type_faults: [
        "Service typo.networkConfiguration.asign_public_ip: ServiceNetworkConfigurationArgs has no such property",
        "Service wrong-scalar.networkConfiguration.assignPublicIp: 'yes' is no bool",
        "Service missing-required.loadBalancers[0].containerPort: ServiceLoadBalancerArgs requires it",
    ],
    find_value_faults: [
        "Service wrong-enum.launchType: 'FARGAT' is none of ",
        "TargetGroup a-name-of-more-than-thirty-two-characters: its name has 49 characters",
        "TargetGroup wrong-nested-enum.healthCheck.protocol: 'HTPP' is none of ",
        "Table wrong-attribute.attributes[].type: 'T' is none of S, N, B",
        "LogGroup wrong-number.retentionInDays: 31 is none of ",
        "TaskDefinition wrong-size: Fargate has no task of cpu 256 and memory 4096",
        'TaskDefinition unknown-in-container.containerDefinitions: Unknown parameter in [0]: "environments"',
        "TaskDefinition missing-in-json.containerDefinitions: Invalid type for parameter [0].environment[0].value",
    ],
    find_text_faults: [
        "Service none-in-list.networkConfiguration.securityGroups[1]: has no value",
        "TaskDefinition missing-in-json.containerDefinitions[0].environment[0].value: has no value",
        "Topic formatted.name: holds an output that was formatted as a text",
        "Topic none-in-text.name: holds 'None' where a value was meant",
        "Topic representation.displayName: holds the representation of a dict",
        "export.arn: holds an output that was formatted as a text",
    ],
    find_leaks: [
        "TaskDefinition plain-secret.containerDefinitions: holds a secret",
        "TaskDefinition plain-secret.containerDefinitions[0].environment[0].value: holds a secret",
        "export.leaked: holds a secret",
        "export.marked: holds a secret",
    ],
    find_deprecations: [
        "Bucket deprecated-property.acl: deprecated",
        "BucketV2 is deprecated",
    ],
    find_policy_faults: [
        "Policy wildcard-action.policy: allows s3:Get*",
        "Policy all-but-one.policy: allows by NotResource",
        "Policy any-resource.policy: allows kms:Sign on *",
        "Policy any-resource.policy: RESOURCE_STAR",
        "Policy unknown-action.policy: UNKNOWN_ACTION Unknown action s3:GetObjekt",
        "Policy wildcard-action.policy: RESOURCE_MISMATCH",
        "Policy wrong-resource.policy: RESOURCE_MISMATCH",
        "Role trusts-anybody.assumeRolePolicy: trusts {'AWS': '*'}, which is no service",
        "Role confused-deputy.assumeRolePolicy: trusts ecs-tasks.amazonaws.com on behalf of any account",
        "RolePolicyAttachment managed: arn:aws:iam::aws:policy/AdministratorAccess is AWS's to change",
        "BucketPolicy open-bucket.policy: allows it to anybody",
    ],
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
def test_a_good_program_passes(runs: Runs, check: Callable[[Deployment], list[str]], preview: bool) -> None:  # noqa: FBT001
    run = runs.run(samples.GOOD, preview=preview)
    assert run.error is None
    assert check(run) == []


@pytest.mark.parametrize(("check", "expected"), FAULTS.items())
def test_each_fault_is_found_and_nothing_else(
    faulty: Deployment, check: Callable[[Deployment], list[str]], expected: list[str]
) -> None:
    assert faulty.error is None
    found = check(faulty)
    assert [each for each in expected if not any(line.startswith(each) for line in found)] == []
    assert [line for line in found if not line.startswith(tuple(expected))] == []


def test_a_good_program_creates_things_in_the_order_that_their_tasks_need(good: Deployment) -> None:
    assert find_missing_dependencies(good) == []


def test_a_service_that_does_not_wait_for_what_its_tasks_need_is_found(careless: Deployment) -> None:
    assert set(find_missing_dependencies(careless)) == {
        "Service service: may be created before ListenerRule service",
        "Service service: may be created before RolePolicy service",
        "Service service: may be created before Route out",
        "Service service: may be created before RouteTableAssociation public-0",
        "Service service: may be created before RouteTableAssociation public-1",
    }


def test_what_a_preview_does_not_show_is_found(runs: Runs) -> None:
    surprises = find_surprises(runs.run(samples.CREATES_LATER, preview=True), runs.run(samples.CREATES_LATER))
    assert surprises == ["Topic more: only in one", "Topic alarms.displayName: 'preview' in the preview"]


def test_a_good_program_does_what_its_preview_shows(runs: Runs, good: Deployment) -> None:
    assert find_surprises(runs.run(samples.GOOD, preview=True), good) == []


def test_types_whose_values_are_not_checked_are_named(good: Deployment) -> None:
    unchecked = find_unchecked_types(good)
    assert "docker-build:index:Image" in unchecked
    assert "aws:ecs/service:Service" not in unchecked


def test_actions_that_may_be_allowed_on_anything_have_no_resource_to_name() -> None:
    with_resources = {action for action in WITHOUT_RESOURCE if _resources(action)}
    assert with_resources == set()


def _resources(action: str) -> list[str]:
    from parliament import iam_definition  # noqa: PLC0415

    service, name = action.split(":")
    found = [
        privilege["resource_types"]
        for each in iam_definition
        if each["prefix"] == service
        for privilege in each["privileges"]
        if privilege["privilege"] == name
    ]
    assert found, action
    return [each["resource_type"] for types in found for each in types if each["resource_type"]]
