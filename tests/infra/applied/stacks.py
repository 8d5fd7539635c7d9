"""A stack in an emulator: `pulumi up` makes its resources there, and this machine's processes take the place of ECS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from infra.local.resources import Resources
from infra.local.stack import REGION, SERVICES
from infra.seed.people import SEEDED_USERS
from infra.seed.seeds import seed
from tests.infra.applied.cloud import EmulatedCloud
from tests.infra.applied.roles import assume_role
from tests.infra.stacks import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from infra.local.clients import Aws

ACCOUNT = "000000000000"
"""The emulators' account."""

CONFIG = {
    "region": REGION,
    "architecture": "ARM64",
    "presignsPerMinute": "0",
    "confirmsPerMinute": "0",
    "loginsPerMinute": "0",
}

_API, _BALANCER = "aws:apigatewayv2/api:Api", "aws:lb/loadBalancer:LoadBalancer"
_TASK_DEFINITION, _ROLE = "aws:ecs/taskDefinition:TaskDefinition", "aws:iam/role:Role"


@dataclass(frozen=True)
class Applied:
    """What `pulumi up` has made."""

    resources: Resources
    bucket_policy: str
    containers: Mapping[str, Mapping[str, Any]]
    """The container definition of each task."""
    environs: Mapping[str, dict[str, str]]
    """The environment variables of each task, with credentials of its role and the emulator's URL."""
    stack: Stack


def apply_stack(folder: Path, aws: Aws, strategy: Literal["prefix", "tag"], origin: str, auth: str) -> Applied:
    """Make the stack and add the seeded users.

    `origin`: URL of the page, which stands for that of the HTTP API. `auth`: URL of the auth service, which stands
    for that of the load balancer.
    """
    addresses = {_API: {"apiEndpoint": origin}, _BALANCER: {"dnsName": auth.removeprefix("http://")}}
    cloud = EmulatedCloud(REGION, ACCOUNT, outputs=addresses, aws=aws)
    stack = Stack(folder, cloud, name=strategy)
    stack.up(CONFIG | {"pending": strategy})
    containers: dict[str, Mapping[str, Any]] = {}
    for name in (*SERVICES, "sweep"):
        [containers[name]] = json.loads(cloud.one(_TASK_DEFINITION, name).inputs["containerDefinitions"])
    environs = {
        name: {entry["name"]: entry["value"] for entry in container["environment"]}
        | assume_role(aws, cloud.one(_ROLE, name).outputs["name"])
        | {"AWS_ENDPOINT_URL": aws.endpoint}
        for name, container in containers.items()
    }
    bucket, table = stack.outputs["bucket"], stack.outputs["table"]
    policy = aws.s3.get_bucket_policy(Bucket=bucket)["Policy"]
    # The emulator is reached without TLS, which the bucket's policy denies.
    aws.s3.delete_bucket_policy(Bucket=bucket)
    seed(aws.s3, aws.dynamodb, bucket, table, SEEDED_USERS)
    resources = Resources(bucket, table, environs["auth"]["SIGNING_KEYS"], environs)
    return Applied(resources, policy, containers, environs, stack)
