"""Commands that an operator runs as `pulumi stack output <name>` prints them: POSIX shell, AWS CLI version 2."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task runs."""

    region: str
    cluster: str
    subnets: Sequence[str]
    security_group: str

    @property
    def network(self) -> dict[str, Any]:
        return {
            "awsvpcConfiguration": {
                "subnets": list(self.subnets),
                "securityGroups": [self.security_group],
                # For outbound connections, as the services' tasks have it.
                "assignPublicIp": "ENABLED",
            }
        }


def run_task(place: Place, name: str, definition: str, log_group: str, overrides: str = "") -> str:
    """Start a task, wait for its end, and print its output, its exit status and the reason of its end.

    `overrides`: a further argument of `run-task`, as the shell reads it.
    """
    region, cluster = shlex.quote(place.region), shlex.quote(place.cluster)
    network = shlex.quote(json.dumps(place.network))
    describe = f'aws ecs describe-tasks --region {region} --cluster {cluster} --tasks "$task"'
    return (
        f"task=$(aws ecs run-task --region {region} --cluster {cluster} --launch-type FARGATE"
        f" --task-definition {shlex.quote(definition)} --network-configuration {network}{overrides}"
        " --query 'tasks[0].taskArn' --output text)"
        # `aws ecs wait` gives up after ten minutes. A full sweep may take hours.
        f" && while state=$({describe} --query 'tasks[0].lastStatus' --output text) && [ \"$state\" != STOPPED ];"
        " do sleep 6; done"
        # There is no log if the image can't be pulled. Then the reason says so.
        f' && {{ [ "$state" != STOPPED ] || aws logs tail {shlex.quote(log_group)} --region {region} --since 2d'
        f' --format short --log-stream-names "{name}/{name}/${{task##*/}}"; {describe}'
        " --query 'tasks[0].{stopped: stoppedReason, container: containers[0].reason,"
        " exitCode: containers[0].exitCode}'; }"
    )


def run_sweep(place: Place, definition: str, log_group: str, *arguments: str) -> str:
    """Sweep with these arguments of `python -m services.uploads.sweep`, in place of those of the schedule."""
    command = ["python", "-m", "services.uploads.sweep", *arguments]
    overrides = json.dumps({"containerOverrides": [{"name": "sweep", "command": command}]})
    return run_task(place, "sweep", definition, log_group, f" --overrides {shlex.quote(overrides)}")


def run_removal(place: Place, definition: str, log_group: str) -> str:
    """Remove the avatar of the user whose name is in the shell's variable `username`."""
    command = ["python", "-m", "services.uploads.remove", "NAME"]
    overrides = json.dumps({"containerOverrides": [{"name": "uploads", "command": command}]})
    # Outside the single quotes the shell replaces the variable.
    before, after = shlex.quote(overrides).split("NAME")
    return run_task(place, "uploads", definition, log_group, f""" --overrides {before}'"$username"'{after}""")


def follow_logs(region: str, log_group: str) -> str:
    return f"aws logs tail {shlex.quote(log_group)} --region {shlex.quote(region)} --follow"


def seed(region: str, bucket: str, table: str) -> str:
    return f"uv run seed --region {shlex.quote(region)} --bucket {shlex.quote(bucket)} --table {shlex.quote(table)}"


def dashboard_url(region: str, name: str) -> str:
    return f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#dashboards/dashboard/{name}"
