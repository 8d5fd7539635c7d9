from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from infra.components.network import TASK_PORT
from infra.components.policy import write_policy
from infra.documents.policies import assume_policy, execution_policy

if TYPE_CHECKING:
    from infra.components.image import Image
    from infra.documents.environments import Environment

STOP_SECONDS = 30
"""Between SIGTERM and SIGKILL; a service is done after 11 (`services.web.server`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where tasks run and what they get: CPU units, of which 1024 are a core, and MiB."""

    region: str
    cpu: int
    memory: int
    architecture: str
    log_days: int


class TaskRole(pulumi.ComponentResource):
    """Who a task is. Made before what it may do, which may have to name it."""

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions) -> None:
        super().__init__("three-phase-upload:infra:TaskRole", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        role = aws.iam.Role(
            name,
            description=f"The {name} task of three-phase-upload",
            assume_role_policy=write_policy(
                assume_policy, service="ecs-tasks.amazonaws.com", account=account.account_id
            ),
            opts=here,
        )
        self._role = role
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})

    def allow(self, name: str, policy: pulumi.Output[str]) -> aws.iam.RolePolicy:
        """`policy`: a document in JSON."""
        return aws.iam.RolePolicy(name, role=self._role.id, policy=policy, opts=pulumi.ResourceOptions(parent=self))


class Task(pulumi.ComponentResource):
    """A container as Fargate is to run it: not as root, its file system read-only, its output kept as logs."""

    def __init__(
        self,
        name: str,
        *,
        image: Image,
        place: Place,
        role: TaskRole,
        policy: pulumi.Output[str],
        environment: Environment,
        command: list[str] | None = None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Task", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(name, retention_in_days=place.log_days, opts=here)
        execution = TaskRole(f"{name}-execution", opts=here)
        allowed = [
            role.allow(name, policy),
            execution.allow(
                f"{name}-execution",
                write_policy(execution_policy, repository_arn=image.repository_arn, log_group_arn=logs.arn),
            ),
        ]
        container: dict[str, Any] = {
            "name": name,
            "image": image.ref,
            "essential": True,
            "readonlyRootFilesystem": True,
            # For the sweep's temporary file: the image gives this folder to its user.
            "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}],  # noqa: S108
            "linuxParameters": {
                "capabilities": {"drop": ["ALL"]},
                # As process 1 Python would not hear of a SIGTERM before it has a handler, and the sweep never has one.
                "initProcessEnabled": True,
            },
            "portMappings": [] if command else [{"containerPort": TASK_PORT, "protocol": "tcp"}],
            "environment": [
                {"name": variable, "value": value}
                for variable, value in sorted({"AWS_DEFAULT_REGION": place.region, **environment}.items())
            ],
            "stopTimeout": STOP_SECONDS,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": logs.name,
                    "awslogs-region": place.region,
                    "awslogs-stream-prefix": name,
                    # Rather lose a line than stand still because CloudWatch does.
                    "mode": "non-blocking",
                    "max-buffer-size": "25m",
                },
            },
        }
        if command:
            container["command"] = command
        definition = aws.ecs.TaskDefinition(
            name,
            family=f"three-phase-upload-{name}",
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(place.cpu),
            memory=str(place.memory),
            runtime_platform={"operating_system_family": "LINUX", "cpu_architecture": place.architecture},
            execution_role_arn=execution.arn,
            task_role_arn=role.arn,
            volumes=[{"name": "tmp"}],
            container_definitions=pulumi.Output.json_dumps([container]),
            # A task that starts before it may do what it has to would fail.
            opts=pulumi.ResourceOptions(parent=self, depends_on=allowed),
        )
        self.definition_arn = definition.arn
        self.role_arn = role.arn
        self.execution_role_arn = execution.arn
        self.log_group = logs.name
        self.register_outputs({"definition_arn": self.definition_arn, "log_group": self.log_group})
