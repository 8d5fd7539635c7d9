"""What AWS needs first, though no input says so, and what a preview didn't show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.infra.walk import walk
from tests.infra.wire import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.deployment import Deployment, Registration

_SERVICE, _TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
_SCHEDULE, _ROLE = "aws:scheduler/schedule:Schedule", "aws:iam/role:Role"
_ROUTE, _ASSOCIATION = "aws:ec2/route:Route", "aws:ec2/routeTableAssociation:RouteTableAssociation"
_LISTENERS = ("aws:lb/listener:Listener", "aws:lb/listenerRule:ListenerRule")
_GRANTS = ("aws:iam/rolePolicy:RolePolicy", "aws:iam/rolePolicyAttachment:RolePolicyAttachment")


def find_missing_dependencies(deployment: Deployment) -> list[str]:
    """In an `up`: what may start tasks before they can be reached, pull their image or call AWS."""
    return [
        f"{each}: may be created before {needed}"
        for each in deployment.of(_SERVICE, _SCHEDULE)
        for needed in _needs(deployment, each)
        if needed.urn not in deployment.created_before(each)
    ]


def find_surprises(preview: Deployment, up: Deployment) -> list[str]:
    """Resources that only one of them has, and known inputs that differ."""
    previewed, done = ({each.urn: each for each in run.registrations} for run in (preview, up))
    alone = [f"{done.get(urn) or previewed[urn]}: only in one" for urn in sorted(set(previewed) ^ set(done))]
    differing = [
        f"{path}: {value!r} in the preview"
        for urn in previewed.keys() & done.keys()
        for path, value in _find_differences(previewed[urn], done[urn])
    ]
    return alone + sorted(differing)


def _find_differences(preview: Registration, up: Registration) -> Iterator[tuple[str, Any]]:
    later = dict(walk(up.inputs, str(up)))
    for path, value in walk(preview.inputs, str(preview)):
        leaf = not isinstance(value, dict | list)
        if leaf and UNKNOWN not in str(value) and later.get(path, UNKNOWN) != value:
            yield path, value


def _needs(deployment: Deployment, runner: Registration) -> Iterator[Registration]:
    inputs = runner.inputs
    task_of_schedule = inputs.get("target", {}).get("ecsParameters", {})
    groups = {each.get("targetGroupArn") for each in inputs.get("loadBalancers", [])}
    for each in deployment.of(*_LISTENERS):
        actions = each.inputs.get("defaultActions", []) + each.inputs.get("actions", [])
        if groups & {value for action in actions for _, value in walk(action, "") if isinstance(value, str)}:
            yield each
    task = deployment.by_value(inputs.get("taskDefinition") or task_of_schedule.get("taskDefinitionArn"), _TASK)
    task_inputs = task.inputs if task else {}
    arns = [task_inputs.get(name) for name in ("taskRoleArn", "executionRoleArn")]
    arns.append(inputs.get("target", {}).get("roleArn"))
    roles = {role.outputs["name"] for arn in arns if (role := deployment.by_value(arn, _ROLE))}
    yield from (each for each in deployment.of(*_GRANTS) if each.inputs["role"] in roles)
    network = inputs.get("networkConfiguration") or task_of_schedule.get("networkConfiguration", {})
    subnets = set(network.get("subnets", []))
    tables = [each for each in deployment.of(_ASSOCIATION) if each.inputs.get("subnetId") in subnets]
    yield from tables
    used = {each.inputs["routeTableId"] for each in tables}
    yield from (each for each in deployment.of(_ROUTE) if each.inputs["routeTableId"] in used)
