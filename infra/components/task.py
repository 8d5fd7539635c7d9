from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from infra.components.network import TASK_PORT
from infra.components.policy import write_policy
from infra.documents.environments import Secret
from infra.documents.policies import assume_policy, execution_policy

if TYPE_CHECKING:
    from infra.components.image import Image
    from infra.documents.environments import Environment
    from infra.documents.names import StackNames

STOP_SECONDS = 30
"""Seconds between SIGTERM and SIGKILL. A service stops within 11 (`services.web.server`)."""


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """Settings that all tasks share."""

    region: str
    cpu: int
    """CPU units; 1024 are one vCPU."""
    memory: int
    """MiB."""
    architecture: str
    names: StackNames
    log_days: int
    """Retention of the logs, days."""


class TaskRole(pulumi.ComponentResource):
    """An IAM role of a task. Its permissions are added later, since the key policy refers to the role."""

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions) -> None:
        super().__init__("three-phase-upload:infra:TaskRole", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        role = aws.iam.Role(
            name,
            description=f"The {name} task of three-phase-upload",
            assume_role_policy=write_policy(
                assume_policy, service="ecs-tasks.amazonaws.com", account=account.account_id
            ),
            opts=child_opts,
        )
        self._role = role
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})

    def allow(self, name: str, policy: pulumi.Output[str]) -> aws.iam.RolePolicy:
        """`policy`: the document in JSON."""
        return aws.iam.RolePolicy(name, role=self._role.id, policy=policy, opts=pulumi.ResourceOptions(parent=self))


class Task(pulumi.ComponentResource):
    """A Fargate task definition with one container, its roles and its log group. The root file system is read-only."""

    def __init__(
        self,
        name: str,
        *,
        image: Image,
        settings: TaskSettings,
        role: TaskRole,
        policy: pulumi.Output[str],
        environment: Environment,
        command: list[str] | None = None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Task", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        logs = aws.cloudwatch.LogGroup(
            name,
            name=settings.names.log_group(name),
            retention_in_days=settings.log_days,
            # Another name would replace the log group of a stack that has one by another name, with all its lines.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["name"]),
        )
        secrets = {variable: value for variable, value in environment.items() if isinstance(value, Secret)}
        execution = TaskRole(f"{name}-execution", opts=child_opts)
        allowed = [
            role.allow(name, policy),
            execution.allow(
                f"{name}-execution",
                write_policy(
                    execution_policy,
                    repository_arn=image.repository_arn,
                    log_group_arn=logs.arn,
                    secret_arns=sorted({secret.arn for secret in secrets.values()}),
                ),
            ),
        ]
        container: dict[str, Any] = {
            "name": name,
            "image": image.ref,
            "essential": True,
            "readonlyRootFilesystem": True,
            # The sweep writes a temporary file. The image's user owns this folder.
            "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}],  # noqa: S108
            "linuxParameters": {
                "capabilities": {"drop": ["ALL"]},
                # The kernel ignores a SIGTERM to process 1 unless that has a handler. The sweep has none.
                "initProcessEnabled": True,
            },
            "portMappings": [] if command else [{"containerPort": TASK_PORT, "protocol": "tcp"}],
            "environment": [
                {"name": variable, "value": value}
                for variable, value in sorted({"AWS_DEFAULT_REGION": settings.region, **environment}.items())
                if variable not in secrets
            ],
            "stopTimeout": STOP_SECONDS,
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": logs.name,
                    "awslogs-region": settings.region,
                    "awslogs-stream-prefix": name,
                    # The container must not block while CloudWatch Logs is unavailable. It may lose log lines then.
                    "mode": "non-blocking",
                    "max-buffer-size": "25m",
                },
            },
        }
        if secrets:
            container["secrets"] = [
                {"name": variable, "valueFrom": secret.arn} for variable, secret in sorted(secrets.items())
            ]
        if command:
            container["command"] = command
        definition = aws.ecs.TaskDefinition(
            name,
            family=f"{settings.names.prefix}-{name}",
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(settings.cpu),
            memory=str(settings.memory),
            runtime_platform={"operating_system_family": "LINUX", "cpu_architecture": settings.architecture},
            execution_role_arn=execution.arn,
            task_role_arn=role.arn,
            volumes=[{"name": "tmp"}],
            container_definitions=pulumi.Output.json_dumps([container]),
            # A task that starts before its roles have their permissions would fail.
            opts=pulumi.ResourceOptions(parent=self, depends_on=allowed),
        )
        self.definition_arn = definition.arn
        self.role_arn = role.arn
        self.execution_role_arn = execution.arn
        self.log_group = logs.name
        self.register_outputs({"definition_arn": self.definition_arn, "log_group": self.log_group})
