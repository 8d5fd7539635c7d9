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
from services.settings.access import split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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
        own_endpoint=live is None or live.url != f"https://{settings.domain}",
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
        other_origins=split(settings.allowed_origins),
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

    roles = {name: TaskRole(name, opts=opts) for name in (*settings.services, "sweep")}
    images = {name: Image(name, architecture=settings.architecture, opts=opts) for name in settings.services}
    keys = (
        SigningKeys("signing", key_names=settings.key_names, signer_arn=roles["auth"].arn, opts=opts)
        if "auth" in settings.services
        else None
    )

    names = Names(
        origin=edge.origin,
        table=storage.table,
        bucket=storage.bucket,
        signing_keys=pulumi.Output.all(*keys.arns).apply(",".join) if keys else None,
        jwks_url=settings.jwks_url if settings.issuer else pulumi.Output.concat(edge.internal_url, JWKS_PATH),
        metrics_namespace=stack.metrics_namespace,
        confirmed_secret=Secret(settings.confirmed_secret_arn) if settings.confirmed_secret_arn else None,
    )
    task_settings = TaskSettings(
        settings.region, settings.cpu, settings.memory, settings.architecture, stack, settings.log_days
    )
    tasks: dict[str, Task] = {}
    if keys:
        tasks["auth"] = Task(
            "auth",
            image=images["auth"],
            role=roles["auth"],
            policy=write_policy(policies.auth_policy, table_arn=storage.table_arn, key_arns=keys.arns),
            environment=make_environment("auth", names, settings),
            settings=task_settings,
            opts=opts,
        )
    tasks["uploads"] = Task(
        "uploads",
        image=images["uploads"],
        role=roles["uploads"],
        policy=write_policy(policies.uploads_policy, bucket_arn=storage.bucket_arn, table_arn=storage.table_arn),
        environment=make_environment("uploads", names, settings),
        settings=task_settings,
        opts=opts,
    )
    if settings.demo:
        tasks["frontend"] = Task(
            "frontend",
            image=images["frontend"],
            role=roles["frontend"],
            policy=write_policy(policies.frontend_policy, bucket_arn=storage.bucket_arn, table_arn=storage.table_arn),
            environment=make_environment("frontend", names, settings),
            settings=task_settings,
            opts=opts,
        )
    sweep_task = Task(
        "sweep",
        image=images["uploads"],
        role=roles["sweep"],
        policy=write_policy(policies.sweep_policy, bucket_arn=storage.bucket_arn, table_arn=storage.table_arn),
        environment=make_environment("sweep", names, settings),
        command=["python", "-m", "services.uploads.sweep", "--json"],
        settings=task_settings,
        opts=opts,
    )

    hosting = Hosting(cluster, network, edge, Scale(settings.min_tasks, settings.max_tasks), alarm_maker)
    services = {name: Service(name, task=task, hosting=hosting, opts=opts) for name, task in tasks.items()}
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
        services=services,
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
    pulumi.export("running", {name: service.running for name, service in services.items()})
    pulumi.export("region", settings.region)
    pulumi.export("cluster", cluster.name)
    pulumi.export("uploadsLogGroup", tasks["uploads"].log_group)
    if keys:
        pulumi.export("signingKeys", list(settings.key_names))
    pulumi.export("images", {name: image.ref for name, image in images.items()})
    place = pulumi.Output.all(
        region=settings.region,
        cluster=cluster.name,
        subnets=network.subnet_ids,
        security_group=network.task_group_id,
    ).apply(lambda known: commands.Place(**known))
    if settings.demo:
        pulumi.export("demo", describe_demo(settings.allowed_addresses, with_login=keys is not None))
        pulumi.export("seed", write_command(commands.seed, settings.region, storage.bucket, storage.table))
    pulumi.export("dashboard", write_command(commands.dashboard_url, settings.region, alarms.dashboard_name))
    export_task_commands(place, tasks["uploads"], sweep_task)
    export_log_commands(settings.region, {**tasks, "sweep": sweep_task})


def describe_demo(addresses: str | None, *, with_login: bool) -> str:
    who = f"Anybody with an address in {addresses}" if addresses else "Anybody on the internet"
    login = "log in as any user, without a password, and " if with_login else ""
    return f"{who} can {login}see the list of the bucket and the table of users."


def export_task_commands(place: pulumi.Output[commands.Place], uploads: Task, sweep: Task) -> None:
    """Export the commands that run a task."""
    sweep_inputs = (place, sweep.definition_arn, sweep.log_group)
    pulumi.export("sweep", write_command(commands.run_task, place, "sweep", sweep.definition_arn, sweep.log_group))
    pulumi.export("sweepDryRun", write_command(commands.run_sweep, *sweep_inputs, "--dry-run"))
    pulumi.export("sweepFull", write_command(commands.run_sweep, *sweep_inputs, "--full"))
    pulumi.export("sweepFullDryRun", write_command(commands.run_sweep, *sweep_inputs, "--full", "--dry-run"))
    pulumi.export("remove", write_command(commands.run_removal, place, uploads.definition_arn, uploads.log_group))


def export_log_commands(region: str, tasks: Mapping[str, Task]) -> None:
    """Export the commands that print the logs."""
    follow = {name: write_command(commands.follow_logs, region, task.log_group) for name, task in tasks.items()}
    if "auth" in follow:
        pulumi.export("authLogs", follow["auth"])
    pulumi.export("uploadsLogs", follow["uploads"])
    if "frontend" in follow:
        pulumi.export("frontendLogs", follow["frontend"])
    pulumi.export("sweepLogs", follow["sweep"])


if __name__ == "__main__":
    main()
