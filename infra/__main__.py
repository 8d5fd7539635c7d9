"""A deployment, part by part: `pulumi up`."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.components.alarms import Alarms
from infra.components.edge import Edge
from infra.components.image import Image
from infra.components.network import Network
from infra.components.policy import write_policy
from infra.components.service import Route, Scale, Service
from infra.components.signing_key import SigningKey
from infra.components.storage import Storage
from infra.components.sweep import SweepSchedule
from infra.components.task import Place, Task, TaskRole
from infra.configuration import read_configuration
from infra.documents import environments, policies
from infra.documents.routing import ROUTES
from infra.seed.people import invent_people

NAME = "three-phase-upload"
SEEDED_PEOPLE = 3


def main() -> None:
    settings = read_configuration()
    provider = aws.Provider("aws", region=settings.region, default_tags={"tags": {"Project": NAME}})
    here = pulumi.ResourceOptions(providers=[provider])
    place = Place(settings.region, settings.cpu, settings.memory, settings.architecture, settings.log_days)
    scale = Scale(settings.min_tasks, settings.max_tasks)

    network = Network("network", region=settings.region, opts=here)
    edge = Edge(
        "edge",
        network=network,
        requests_per_second=settings.requests_per_second,
        log_days=settings.log_days,
        opts=here,
    )
    storage = Storage(
        "storage",
        bucket_name=settings.bucket,
        origin=edge.origin,
        people=invent_people(SEEDED_PEOPLE),
        opts=here,
    )
    roles = {name: TaskRole(name, opts=here) for name in ("auth", "uploads", "frontend", "sweep")}
    key = SigningKey("signing", signer_arn=roles["auth"].arn, opts=here)
    names = environments.Names(
        origin=edge.origin,
        table=storage.table,
        bucket=storage.bucket,
        signing_keys=key.arn,
        jwks_url=pulumi.Output.concat(edge.internal_url, environments.JWKS_PATH),
    )
    stored = {"bucket_arn": storage.bucket_arn, "table_arn": storage.table_arn}
    allowed = {
        "auth": write_policy(policies.auth_policy, table_arn=storage.table_arn, key_arn=key.arn),
        "uploads": write_policy(policies.uploads_policy, **stored),
        "frontend": write_policy(policies.frontend_policy, **stored),
        "sweep": write_policy(policies.sweep_policy, **stored),
    }
    images = {service: Image(service, architecture=settings.architecture, opts=here) for _, service in ROUTES}
    tasks = {
        name: Task(
            name,
            # The sweep is a command of the uploads service.
            image=images.get(name, images["uploads"]),
            place=place,
            role=roles[name],
            policy=policy,
            environment=environments.make_environment(name, names, settings),
            command=["python", "-m", "services.uploads.sweep", "--json"] if name == "sweep" else None,
            opts=here,
        )
        for name, policy in allowed.items()
    }
    cluster = aws.ecs.Cluster(
        "cluster",
        # Its log group would outlive the stack.
        settings=[{"name": "containerInsights", "value": "disabled"}],
        opts=pulumi.ResourceOptions(provider=provider),
    )
    services = {
        service: Service(
            service,
            task=tasks[service],
            cluster=cluster,
            network=network,
            edge=edge,
            route=Route(path, priority),
            scale=scale,
            opts=here,
        )
        for priority, (path, service) in enumerate(ROUTES, start=1)
    }
    SweepSchedule("sweep", task=tasks["sweep"], cluster=cluster, network=network, opts=here)
    alarms = Alarms(
        NAME,
        api_id=edge.api_id,
        balancer_suffix=edge.balancer_suffix,
        services=services,
        table=storage.table,
        topic=settings.alarm_topic,
        region=settings.region,
        opts=here,
    )

    pulumi.export("url", edge.origin)
    pulumi.export("bucket", storage.bucket)
    pulumi.export("table", storage.table)
    pulumi.export("cluster", cluster.name)
    pulumi.export("logs", {name: task.log_group for name, task in tasks.items()})
    pulumi.export("images", {name: image.ref for name, image in images.items()})
    pulumi.export("dashboard", alarms.dashboard_name)


main()
