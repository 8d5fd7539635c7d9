"""The Pulumi program: all components of a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pulumi
import pulumi_aws as aws

from infra.components.alarm import AlarmMaker
from infra.components.alarms import Alarms
from infra.components.domain import DomainSettings
from infra.components.edge import Edge
from infra.components.endpoint_policies import EndpointPolicies
from infra.components.former_seeds import release_seeds
from infra.components.image import Image
from infra.components.network import Network
from infra.components.policy import write_policy
from infra.components.service import Hosting, Scale, Service
from infra.components.signing_key import SigningKeys
from infra.components.storage import Storage
from infra.components.sweep import SweepSchedule
from infra.components.task import Task, TaskRole, TaskSettings
from infra.configuration import read_configuration
from infra.documents import commands, policies
from infra.documents.environments import Names, Secret, make_environment
from infra.documents.names import PROJECT, StackNames
from services.auth.settings import JWKS_PATH

if TYPE_CHECKING:
    from collections.abc import Callable


def write_command(command: Callable[..., str], *arguments: pulumi.Input[Any]) -> pulumi.Output[str]:
    """The text that `command` makes once Pulumi knows its arguments."""
    return pulumi.Output.all(*arguments).apply(lambda known: command(*known))


def main() -> None:
    settings, provider_settings, live = read_configuration()
    provider = aws.Provider(
        "aws",
        region=settings.region,
        default_tags={"tags": {"Project": PROJECT, **settings.tags}},
        profile=provider_settings.profile,
        # A dictionary keeps the names that Pulumi's configuration has.
        assume_roles=cast("list[aws.ProviderAssumeRoleArgsDict]", list(provider_settings.assume_roles)) or None,
        allowed_account_ids=list(provider_settings.allowed_account_ids) or None,
        forbidden_account_ids=list(provider_settings.forbidden_account_ids) or None,
    )
    stack = StackNames(pulumi.get_stack())
    alarm_maker = AlarmMaker(stack, settings.alarm_topic)
    opts = pulumi.ResourceOptions(providers=[provider])

    network = Network("network", region=settings.region, zones=settings.zones, opts=opts)
    edge = Edge(
        "edge",
        network=network,
        domain=DomainSettings(settings.domain, settings.certificate, settings.hosted_zone) if settings.domain else None,
        names=stack,
        requests_per_second=settings.requests_per_second,
        log_days=settings.log_days,
        opts=opts,
    )
    storage = Storage(
        "storage",
        # A bucket keeps its name, even if Pulumi generated it or the setting is removed.
        bucket_name=live.bucket if live else settings.bucket,
        origin=edge.origin,
        keep_data=settings.keep_data,
        recovery_days=settings.recovery_days,
        opts=opts,
    )
    if live and live.keeps_seeds:
        release_seeds(storage)
    EndpointPolicies("endpoints", network=network, storage=storage, region=settings.region, opts=opts)
    cluster = aws.ecs.Cluster(
        "cluster",
        # Container Insights would create a log group that is not deleted with the stack.
        settings=[{"name": "containerInsights", "value": "disabled"}],
        opts=pulumi.ResourceOptions(provider=provider),
    )

    auth_role = TaskRole("auth", opts=opts)
    uploads_role = TaskRole("uploads", opts=opts)
    frontend_role = TaskRole("frontend", opts=opts)
    sweep_role = TaskRole("sweep", opts=opts)
    keys = SigningKeys("signing", key_names=settings.key_names, signer_arn=auth_role.arn, opts=opts)

    auth_image = Image("auth", architecture=settings.architecture, opts=opts)
    uploads_image = Image("uploads", architecture=settings.architecture, opts=opts)
    frontend_image = Image("frontend", architecture=settings.architecture, opts=opts)

    names = Names(
        origin=edge.origin,
        table=storage.table,
        bucket=storage.bucket,
        signing_keys=pulumi.Output.all(*keys.arns).apply(",".join),
        jwks_url=pulumi.Output.concat(edge.internal_url, JWKS_PATH),
        metrics_namespace=stack.metrics_namespace,
        confirmed_secret=Secret(settings.confirmed_secret_arn) if settings.confirmed_secret_arn else None,
    )
    task_settings = TaskSettings(
        settings.region, settings.cpu, settings.memory, settings.architecture, stack, settings.log_days
    )
    auth_task = Task(
        "auth",
        image=auth_image,
        role=auth_role,
        policy=write_policy(policies.auth_policy, table_arn=storage.table_arn, key_arns=keys.arns),
        environment=make_environment("auth", names, settings),
        settings=task_settings,
        opts=opts,
    )
    uploads_task = Task(
        "uploads",
        image=uploads_image,
        role=uploads_role,
        policy=write_policy(policies.uploads_policy, bucket_arn=storage.bucket_arn, table_arn=storage.table_arn),
        environment=make_environment("uploads", names, settings),
        settings=task_settings,
        opts=opts,
    )
    frontend_task = Task(
        "frontend",
        image=frontend_image,
        role=frontend_role,
        policy=write_policy(policies.frontend_policy, bucket_arn=storage.bucket_arn, table_arn=storage.table_arn),
        environment=make_environment("frontend", names, settings),
        settings=task_settings,
        opts=opts,
    )
    sweep_task = Task(
        "sweep",
        image=uploads_image,
        role=sweep_role,
        policy=write_policy(policies.sweep_policy, bucket_arn=storage.bucket_arn, table_arn=storage.table_arn),
        environment=make_environment("sweep", names, settings),
        command=["python", "-m", "services.uploads.sweep", "--json"],
        settings=task_settings,
        opts=opts,
    )

    hosting = Hosting(cluster, network, edge, Scale(settings.min_tasks, settings.max_tasks), alarm_maker)
    auth = Service("auth", task=auth_task, hosting=hosting, opts=opts)
    uploads = Service("uploads", task=uploads_task, hosting=hosting, opts=opts)
    frontend = Service("frontend", task=frontend_task, hosting=hosting, opts=opts)
    sweep = SweepSchedule(
        "sweep",
        schedule_name=stack.schedule,
        task=sweep_task,
        cluster=cluster,
        network=network,
        storage=storage,
        enabled=settings.hourly_sweep,
        opts=opts,
    )
    alarms = Alarms(
        PROJECT,
        edge=edge,
        services={"auth": auth, "uploads": uploads, "frontend": frontend},
        table=storage.table,
        sweep=sweep,
        maker=alarm_maker,
        region=settings.region,
        opts=opts,
    )

    pulumi.export("url", edge.origin)
    if edge.cname_target is not None:
        pulumi.export("cname", edge.cname_target)
    pulumi.export("bucket", storage.bucket)
    pulumi.export("table", storage.table)
    pulumi.export("schedule", sweep.schedule)
    pulumi.export("running", {"auth": auth.running, "uploads": uploads.running, "frontend": frontend.running})
    pulumi.export("region", settings.region)
    pulumi.export("cluster", cluster.name)
    pulumi.export("uploadsLogGroup", uploads_task.log_group)
    pulumi.export("signingKeys", list(settings.key_names))
    pulumi.export("images", {"auth": auth_image.ref, "uploads": uploads_image.ref, "frontend": frontend_image.ref})
    place = pulumi.Output.all(
        region=settings.region,
        cluster=cluster.name,
        subnets=network.subnet_ids,
        security_group=network.task_group_id,
    ).apply(lambda known: commands.Place(**known))
    pulumi.export("seed", write_command(commands.seed, settings.region, storage.bucket, storage.table))
    pulumi.export("dashboard", write_command(commands.dashboard_url, settings.region, alarms.dashboard_name))
    export_task_commands(place, uploads_task, sweep_task)
    export_log_commands(settings.region, auth_task, uploads_task, frontend_task, sweep_task)


def export_task_commands(place: pulumi.Output[commands.Place], uploads: Task, sweep: Task) -> None:
    """Export the commands that run a task."""
    sweep_inputs = (place, sweep.definition_arn, sweep.log_group)
    pulumi.export("sweep", write_command(commands.run_task, place, "sweep", sweep.definition_arn, sweep.log_group))
    pulumi.export("sweepDryRun", write_command(commands.run_sweep, *sweep_inputs, "--dry-run"))
    pulumi.export("sweepFull", write_command(commands.run_sweep, *sweep_inputs, "--full"))
    pulumi.export("sweepFullDryRun", write_command(commands.run_sweep, *sweep_inputs, "--full", "--dry-run"))
    pulumi.export("remove", write_command(commands.run_removal, place, uploads.definition_arn, uploads.log_group))


def export_log_commands(region: str, auth: Task, uploads: Task, frontend: Task, sweep: Task) -> None:
    """Export the commands that print the logs."""
    pulumi.export("authLogs", write_command(commands.follow_logs, region, auth.log_group))
    pulumi.export("uploadsLogs", write_command(commands.follow_logs, region, uploads.log_group))
    pulumi.export("frontendLogs", write_command(commands.follow_logs, region, frontend.log_group))
    pulumi.export("sweepLogs", write_command(commands.follow_logs, region, sweep.log_group))


if __name__ == "__main__":
    main()
