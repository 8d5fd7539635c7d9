"""The running system once more, on resources and with an environment that the Pulumi program has the say over."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

import pytest

from infra.local.ports import HOST, pick_free_ports
from infra.local.processes import Processes
from infra.local.resources import Resources
from infra.local.stack import REGION, SERVICES, Stack, inherit_environ, make_root_clients, start_emulator, start_gateway
from tests.infra import stacks
from tests.infra.applied.apply import Applied, apply
from tests.infra.cloud import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.deployment import Deployment

ACCOUNT = "000000000000"
"""The emulator's."""


@functools.cache
def deploy(strategy: Literal["prefix", "tag"]) -> Deployment:
    """What the program registers under a strategy, in the emulators' account and region."""
    config = {
        "pending": strategy,
        "region": REGION,
        "architecture": "ARM64",
        "presignsPerMinute": "0",
        "loginsPerMinute": "0",
    }
    return stacks.deploy(config, Cloud(region=REGION, account=ACCOUNT, salt=strategy), name="applied")


@pytest.fixture(scope="session")
def applied_stack(
    strategy: Literal["prefix", "tag"], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, Applied]]:
    deployment = deploy(strategy)
    port, emulator_port, *service_ports = pick_free_ports(2 + len(SERVICES))
    origin = f"http://localhost:{port}"
    services = {name: f"http://{HOST}:{number}" for name, number in zip(SERVICES, service_ports, strict=True)}
    balancer = deployment.one("aws:lb/loadBalancer:LoadBalancer", "edge").outputs["dnsName"]
    aws = make_root_clients(emulator_port)
    processes = Processes(tmp_path_factory.mktemp("applied"))
    try:
        start_emulator(processes, aws, None)
        applied = apply(deployment, aws, {deployment.exports["url"]: origin, f"http://{balancer}": services["auth"]})
        resources = Resources(applied.bucket, applied.table, applied.key_arn, applied.credentials)
        waiting = [
            processes.start(
                name,
                f"services.{name}",
                health=f"{url}/healthz",
                environ=inherit_environ()
                | dict(applied.told[name])
                | dict(applied.credentials[name])
                | {"AWS_ENDPOINT_URL": aws.endpoint, "HOST": HOST, "PORT": url.rpartition(":")[2]},
            )
            for name, url in services.items()
        ]
        waiting.append(start_gateway(processes, services, aws, origin, port))
        for process in waiting:
            process.wait_until_ready()
        yield Stack(origin, aws, resources, services, processes), applied
    finally:
        processes.stop()


@pytest.fixture(scope="session")
def stack(applied_stack: tuple[Stack, Applied]) -> Stack:
    """In place of the one that the local documents make."""
    return applied_stack[0]


@pytest.fixture
def applied(applied_stack: tuple[Stack, Applied]) -> Applied:
    return applied_stack[1]
