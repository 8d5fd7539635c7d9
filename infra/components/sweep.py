from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.components.policy import write_policy
from infra.documents.policies import assume_policy, schedule_policy

if TYPE_CHECKING:
    from infra.components.network import Network
    from infra.components.storage import Storage
    from infra.components.task import Task


class SweepSchedule(pulumi.ComponentResource):
    """The EventBridge schedule that starts a sweep task every hour."""

    def __init__(
        self,
        name: str,
        *,
        schedule_name: str,
        task: Task,
        cluster: aws.ecs.Cluster,
        network: Network,
        storage: Storage,
        enabled: bool,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:SweepSchedule", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self))
        role = aws.iam.Role(
            f"{name}-schedule",
            description="Starts the sweep of three-phase-upload",
            assume_role_policy=write_policy(
                assume_policy, service="scheduler.amazonaws.com", account=account.account_id
            ),
            opts=child_opts,
        )
        allowed = aws.iam.RolePolicy(
            f"{name}-schedule",
            role=role.id,
            policy=write_policy(
                schedule_policy,
                task_definition_arn=task.definition_arn,
                cluster_arn=cluster.arn,
                task_role_arn=task.role_arn,
                execution_role_arn=task.execution_role_arn,
            ),
            opts=child_opts,
        )
        schedule = aws.scheduler.Schedule(
            name,
            description="Deletes orphans and repairs avatars of three-phase-upload",
            name=schedule_name,
            # The first sweep starts at once, and has completed before the alarm on missing sweeps is created.
            schedule_expression="rate(1 hour)",
            state="ENABLED" if enabled else "DISABLED",
            flexible_time_window={"mode": "OFF"},
            target={
                "arn": cluster.arn,
                "role_arn": role.arn,
                "ecs_parameters": {
                    "task_definition_arn": task.definition_arn,
                    "launch_type": "FARGATE",
                    "task_count": 1,
                    "network_configuration": {
                        "subnets": network.subnet_ids,
                        "security_groups": [network.task_group_id],
                        "assign_public_ip": True,
                    },
                },
                # If a sweep is missed, the next one does its work.
                "retry_policy": {"maximum_retry_attempts": 1, "maximum_event_age_in_seconds": 1800},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed, network, storage]),
        )
        self.schedule = schedule.name
        self.register_outputs({"schedule": self.schedule})
