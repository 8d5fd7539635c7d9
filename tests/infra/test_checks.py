"""Each check finds the faults that it is for, and no other one. `test_program.py` applies the checks to the program."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.infra.order import find_missing_dependencies, find_surprises
from tests.infra.policies import WITHOUT_RESOURCE, find_policy_faults
from tests.infra.schema import find_deprecations, find_type_faults
from tests.infra.texts import find_leaks, find_text_faults
from tests.infra.values import find_unchecked_types, find_value_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.deployment import Deployment

FAULTS = {
    find_type_faults: [
        "Service typo.networkConfiguration.asign_public_ip: ServiceNetworkConfigurationArgs has no such property",
        "Service wrong-scalar.networkConfiguration.assignPublicIp: 'yes' is no bool",
        "Service missing-required.loadBalancers[0].containerPort: ServiceLoadBalancerArgs requires it",
    ],
    find_value_faults: [
        "Service wrong-enum.launchType: 'FARGAT' is none of ",
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
        "Topic formatted.displayName: holds an output that was formatted as a text",
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


@pytest.mark.parametrize(("check", "expected"), FAULTS.items())
def test_each_fault_is_found_and_nothing_else(
    faulty: Deployment, check: Callable[[Deployment], list[str]], expected: list[str]
) -> None:
    found = check(faulty)
    assert [each for each in expected if not any(line.startswith(each) for line in found)] == []
    assert [line for line in found if not line.startswith(tuple(expected))] == []


def test_a_service_that_may_start_before_what_its_tasks_need_is_found(up: Deployment) -> None:
    service = up.one("aws:ecs/service:Service", "uploads")
    careless = up.with_changed(replace(service, dependencies=frozenset()))
    assert set(find_missing_dependencies(careless)) == {
        f"Service uploads: may be created before {needed}"
        for needed in (
            "ListenerRule uploads",
            "RolePolicy uploads",
            "RolePolicy uploads-execution",
            "Route network",
            "RouteTableAssociation network-0",
            "RouteTableAssociation network-1",
        )
    }


def test_what_a_preview_does_not_show_is_found(preview: Deployment) -> None:
    api = preview.one("aws:apigatewayv2/api:Api", "edge")
    changed = replace(api, inputs=api.inputs | {"protocolType": "WEBSOCKET"})
    new = replace(api, urn=f"{api.urn}-2")
    done = replace(preview, registrations=(*preview.with_changed(changed).registrations, new))
    assert find_surprises(preview, done) == ["Api edge-2: only in one", "Api edge.protocolType: 'HTTP' in the preview"]


def test_types_whose_values_are_not_checked_are_named(up: Deployment) -> None:
    unchecked = find_unchecked_types(up)
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
