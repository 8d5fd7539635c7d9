"""The roles of tasks in an emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import boto3

if TYPE_CHECKING:
    from infra.local.clients import Aws


def assume_role(aws: Aws, name: str) -> dict[str, str]:
    """Environment variables with credentials of a session of this role, as ECS gives a task.

    Only ECS may assume the role, so its trust policy allows the emulator's root user for the time of the call.
    """
    iam: Any = aws.iam
    sts = cast("Any", boto3).client(
        "sts",
        endpoint_url=aws.endpoint,
        region_name=aws.region,
        aws_access_key_id=aws.access_key_id,
        aws_secret_access_key=aws.secret_access_key,
    )
    role = iam.get_role(RoleName=name)["Role"]
    trust = role["AssumeRolePolicyDocument"]
    root = {"Effect": "Allow", "Principal": {"AWS": role["Arn"].split(":")[4]}, "Action": "sts:AssumeRole"}
    widened = trust | {"Statement": [*trust["Statement"], root]}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(widened))
    try:
        session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName=name)["Credentials"]
    finally:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
    return {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
