from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.components.network import TASK_PORT, Network

if TYPE_CHECKING:
    from pulumi_aws.appautoscaling import (
        PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgsDict as Metric,
    )

    from infra.components.edge import Edge
    from infra.components.task import Task

BUSY_PERCENT = 60
"""Of its CPU, on average over a service's tasks; above that there will be more of them."""

REQUESTS_PER_MINUTE = 3000
"""For one task, likewise."""


@dataclass(frozen=True, slots=True)
class Route:
    """Which paths lead to a service, and which rule is asked first: the one of the lowest number."""

    path: str
    priority: int


@dataclass(frozen=True, slots=True)
class Scale:
    """How many tasks."""

    fewest: int
    most: int


class Service(pulumi.ComponentResource):
    """So many tasks behind one rule of the load balancer. A deployment that does not come up is rolled back."""

    def __init__(
        self,
        name: str,
        *,
        task: Task,
        cluster: aws.ecs.Cluster,
        network: Network,
        edge: Edge,
        route: Route,
        scale: Scale,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("three-phase-upload:infra:Service", name, None, opts)
        here = pulumi.ResourceOptions(parent=self)
        targets = aws.lb.TargetGroup(
            name,
            vpc_id=network.vpc_id,
            target_type="ip",
            port=TASK_PORT,
            protocol="HTTP",
            # Requests are done after 30 s at most; those of one that stops, after 10.
            deregistration_delay=20,
            health_check={
                "path": "/healthz",
                "matcher": "200",
                "interval": 10,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
            },
            opts=here,
        )
        rule = aws.lb.ListenerRule(
            name,
            listener_arn=edge.listener_arn,
            priority=route.priority,
            conditions=[{"path_pattern": {"values": [route.path]}}],
            actions=[{"type": "forward", "target_group_arn": targets.arn}],
            opts=here,
        )
        service = aws.ecs.Service(
            name,
            cluster=cluster.arn,
            task_definition=task.definition_arn,
            desired_count=scale.fewest,
            launch_type="FARGATE",
            network_configuration={
                "subnets": network.subnet_ids,
                "security_groups": [network.task_group_id],
                # In place of a NAT gateway; the security group lets nobody in by it.
                "assign_public_ip": True,
            },
            load_balancers=[{"target_group_arn": targets.arn, "container_name": name, "container_port": TASK_PORT}],
            deployment_circuit_breaker={"enable": True, "rollback": True},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            health_check_grace_period_seconds=30,
            availability_zone_rebalancing="ENABLED",
            enable_execute_command=False,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Targets belong to a load balancer only by a rule, and an image comes only where there is a way out.
                depends_on=[rule, network],
                # The scaling below decides how many.
                ignore_changes=["desiredCount"],
            ),
        )
        self._scale(name, cluster, service, scale, pulumi.Output.concat(edge.balancer_suffix, "/", targets.arn_suffix))
        self.name = service.name
        self.target_suffix = targets.arn_suffix
        self.register_outputs({"name": self.name})

    def _scale(
        self,
        name: str,
        cluster: aws.ecs.Cluster,
        service: aws.ecs.Service,
        scale: Scale,
        resource_label: pulumi.Output[str],
    ) -> None:
        here = pulumi.ResourceOptions(parent=self)
        target = aws.appautoscaling.Target(
            name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", cluster.name, "/", service.name),
            min_capacity=scale.fewest,
            max_capacity=scale.most,
            opts=here,
        )
        metrics: dict[str, tuple[Metric, int]] = {
            "cpu": ({"predefined_metric_type": "ECSServiceAverageCPUUtilization"}, BUSY_PERCENT),
            "requests": (
                {"predefined_metric_type": "ALBRequestCountPerTarget", "resource_label": resource_label},
                REQUESTS_PER_MINUTE,
            ),
        }
        for what, (metric, aim) in metrics.items():
            aws.appautoscaling.Policy(
                f"{name}-{what}",
                policy_type="TargetTrackingScaling",
                service_namespace=target.service_namespace,
                scalable_dimension=target.scalable_dimension,
                resource_id=target.resource_id,
                target_tracking_scaling_policy_configuration={
                    "predefined_metric_specification": metric,
                    "target_value": aim,
                    # Up at once, down after five quiet minutes.
                    "scale_out_cooldown": 30,
                    "scale_in_cooldown": 300,
                },
                opts=here,
            )
