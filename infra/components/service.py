from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.components.alarm import Condition
from infra.components.alarm import Metric as AlarmMetric
from infra.components.network import TASK_PORT, Network
from infra.documents.routing import TIMEOUT_SECONDS, find_rule

if TYPE_CHECKING:
    from pulumi_aws.appautoscaling import (
        PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgsDict as Metric,
    )

    from infra.components.alarm import AlarmMaker
    from infra.components.edge import Edge
    from infra.components.task import Task

TARGET_CPU_PERCENT = 60
"""Target CPU utilisation of a service, percent."""

TARGET_REQUESTS_PER_MINUTE = 3000
"""Target number of requests to each task in a minute."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Minimum and maximum number of tasks of a service."""

    min_tasks: int
    max_tasks: int


@dataclass(frozen=True, slots=True)
class Hosting:
    """The resources that all services share, and their scale."""

    cluster: aws.ecs.Cluster
    network: Network
    edge: Edge
    scale: Scale
    alarms: AlarmMaker


class Service(pulumi.ComponentResource):
    """An ECS service with its target group, listener rule and scaling policies. ECS rolls back a failed deployment."""

    def __init__(self, name: str, *, task: Task, hosting: Hosting, opts: pulumi.ResourceOptions) -> None:
        super().__init__("three-phase-upload:infra:Service", name, None, opts)
        child_opts = pulumi.ResourceOptions(parent=self)
        network, edge, scale = hosting.network, hosting.edge, hosting.scale
        routing = find_rule(name)
        targets = aws.lb.TargetGroup(
            name,
            vpc_id=network.vpc_id,
            target_type="ip",
            port=TASK_PORT,
            protocol="HTTP",
            # Seconds. ECS deregisters a task, waits this long and then sends SIGTERM, so the balancer has all responses
            # by then: the edge gives up on a request after 30 seconds (`routing.TIMEOUT_SECONDS`).
            deregistration_delay=TIMEOUT_SECONDS,
            health_check={
                "path": "/healthz",
                "matcher": "200",
                "interval": 10,
                "timeout": 5,
                "healthy_threshold": 2,
                "unhealthy_threshold": 3,
            },
            opts=child_opts,
        )
        rule = aws.lb.ListenerRule(
            name,
            listener_arn=edge.listener_arn,
            priority=routing.priority,
            conditions=[{"path_pattern": {"values": [routing.pattern]}}],
            actions=[{"type": "forward", "target_group_arn": targets.arn}],
            opts=child_opts,
        )
        errors = hosting.alarms.make(
            f"{name}-errors",
            f"Tasks of the service {name} returned five or more 5xx responses in a minute, two minutes running.",
            AlarmMetric(
                "AWS/ApplicationELB",
                "HTTPCode_Target_5XX_Count",
                {"LoadBalancer": edge.balancer_suffix, "TargetGroup": targets.arn_suffix},
            ),
            Condition(at_least=5, period=60, periods=2),
            opts=child_opts,
        )
        service = aws.ecs.Service(
            name,
            cluster=hosting.cluster.arn,
            task_definition=task.definition_arn,
            desired_count=scale.min_tasks,
            launch_type="FARGATE",
            network_configuration={
                "subnets": network.subnet_ids,
                "security_groups": [network.task_group_id],
                # For outbound connections without a NAT gateway. The security group allows none from the internet.
                "assign_public_ip": True,
            },
            load_balancers=[{"target_group_arn": targets.arn, "container_name": name, "container_port": TASK_PORT}],
            # ECS rolls a deployment back if its tasks don't become healthy, or if they return errors.
            deployment_circuit_breaker={"enable": True, "rollback": True},
            alarms={"enable": True, "rollback": True, "alarm_names": [errors.name]},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            health_check_grace_period_seconds=30,
            availability_zone_rebalancing="ENABLED",
            enable_execute_command=False,
            propagate_tags="SERVICE",
            wait_for_steady_state=True,
            opts=pulumi.ResourceOptions(
                parent=self,
                # ECS requires a target group that a listener rule refers to. Tasks need a route to pull their image.
                depends_on=[rule, network],
                # The scaling policies change the desired count.
                ignore_changes=["desiredCount"],
            ),
        )
        self._scale(name, service, hosting, pulumi.Output.concat(edge.balancer_suffix, "/", targets.arn_suffix))
        live = aws.ecs.get_service_output(
            cluster_arn=hosting.cluster.arn,
            service_name=service.name,
            opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[service]),
        )
        self.running = pulumi.Output.all(live.task_definition, task.definition_arn).apply(
            lambda found: check_running(name, *found)
        )
        """The task definition that ECS runs."""
        self.name = service.name
        self.target_suffix = targets.arn_suffix
        self.register_outputs({"name": self.name})

    def _scale(
        self,
        name: str,
        service: aws.ecs.Service,
        hosting: Hosting,
        resource_label: pulumi.Output[str],
    ) -> None:
        child_opts = pulumi.ResourceOptions(parent=self)
        target = aws.appautoscaling.Target(
            name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", hosting.cluster.name, "/", service.name),
            min_capacity=hosting.scale.min_tasks,
            max_capacity=hosting.scale.max_tasks,
            opts=child_opts,
        )
        metrics: dict[str, tuple[Metric, int]] = {
            "cpu": ({"predefined_metric_type": "ECSServiceAverageCPUUtilization"}, TARGET_CPU_PERCENT),
            "requests": (
                {"predefined_metric_type": "ALBRequestCountPerTarget", "resource_label": resource_label},
                TARGET_REQUESTS_PER_MINUTE,
            ),
        }
        for metric_name, (metric, target_value) in metrics.items():
            aws.appautoscaling.Policy(
                f"{name}-{metric_name}",
                policy_type="TargetTrackingScaling",
                service_namespace=target.service_namespace,
                scalable_dimension=target.scalable_dimension,
                resource_id=target.resource_id,
                target_tracking_scaling_policy_configuration={
                    "predefined_metric_specification": metric,
                    "target_value": target_value,
                    # Seconds. Tasks are added quickly and removed slowly.
                    "scale_out_cooldown": 30,
                    "scale_in_cooldown": 300,
                },
                opts=child_opts,
            )


def check_running(service: str, running: str, wanted: str) -> str:
    """
    Raises:
        pulumi.RunError: ECS runs another task definition than the program's, so it has rolled the deployment back.
    """
    if running != wanted:
        message = f"The service {service} runs {running} instead of {wanted}: ECS rolled its deployment back."
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(message)
        pulumi.log.warn(message)
    return running
