"""The system in containers, with the images, resources, environment and limits of the Pulumi program."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import httpx2
import pytest

from infra.local.ports import pick_free_ports
from infra.local.stack import SERVICES, Stack, run_processes, start_gateway
from tests import web
from tests.containers.emulators import PORT, localstack_aws
from tests.containers.images import PORT as SERVICE_PORT
from tests.containers.images import Image, build_image, read_limits, wait_until_healthy
from tests.infra.applied.stacks import CONFIG, apply_stack
from tests.infra.cloud import Cloud
from tests.infra.stacks import deploy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from testcontainers.community.localstack import LocalStackContainer
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network

    from tests.containers.engine import Engine
    from tests.infra.deployment import Deployment


@pytest.fixture(scope="session")
def images(engine: Engine) -> Mapping[str, Image]:
    """The image of each service. Built images are removed with everything else that the run created."""
    return {service: build_image(engine, service) for service in SERVICES}


@pytest.fixture(scope="session", params=SERVICES)
def image(images: Mapping[str, Image], request: pytest.FixtureRequest) -> Image:
    return images[request.param]


only_uploads = pytest.mark.parametrize("image", ["uploads"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def prefix_deployment() -> Deployment:
    return deploy(CONFIG, Cloud())


@pytest.fixture
def limits(prefix_deployment: Deployment, image: Image) -> dict[str, Any]:
    return read_limits(prefix_deployment, image.service)


@dataclass(frozen=True)
class System:
    """The system behind a gateway on this machine. Each service runs in a container with a published port."""

    stack: Stack
    deployment: Deployment
    containers: Mapping[str, DockerContainer]


@pytest.fixture(scope="session")
def system(
    images: Mapping[str, Image],
    localstack: LocalStackContainer,
    network: Network,
    strategy: Literal["prefix", "tag"],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[System]:
    [port] = pick_free_ports(1)
    origin = f"http://localhost:{port}"
    with contextlib.ExitStack() as started:
        aws = replace(localstack_aws(localstack), endpoint=_find_endpoint(localstack, network))
        folder = tmp_path_factory.mktemp("applied")
        applied = apply_stack(folder, aws, strategy, origin, f"http://auth:{SERVICE_PORT}")
        started.callback(applied.stack.destroy)
        if strategy == "tag":
            # LocalStack lacks `Trait.VERSION_TAG_COUNT`, by which the services know that an object is pending.
            aws.s3.put_bucket_versioning(
                Bucket=applied.resources.bucket, VersioningConfiguration={"Status": "Suspended"}
            )
        deployment = applied.stack.deployment()
        containers = {
            name: started.enter_context(image.prepare(read_limits(deployment, name), network, applied.environs[name]))
            for name, image in images.items()
        }
        # All containers are starting, each with a small share of a CPU.
        for container in containers.values():
            wait_until_healthy(container)
        services = {
            name: f"http://{container.get_container_host_ip()}:{container.get_exposed_port(SERVICE_PORT)}"
            for name, container in containers.items()
        }
        processes = started.enter_context(run_processes())
        start_gateway(processes, services, aws, origin, port).wait_until_ready()
        yield System(Stack(origin, aws, applied.resources, services, processes), deployment, containers)


@pytest.fixture(scope="session")
def stack(system: System) -> Stack:
    """Replaces the system whose services are processes."""
    return system.stack


def _find_endpoint(localstack: LocalStackContainer, network: Network) -> str:
    """The URL of LocalStack that services, browsers and tests can all use: its address in the containers' network.

    Some engines (Docker Desktop) run in a virtual machine, whose networks are not reachable from outside.
    """
    container = localstack.get_wrapped_container()
    container.reload()
    address = container.attrs["NetworkSettings"]["Networks"][network.name]["IPAddress"]
    endpoint = f"http://{address}:{PORT}"
    try:
        web.get(f"{endpoint}/_localstack/health").raise_for_status()
    except httpx2.TransportError as error:
        pytest.skip(f"The networks of the container engine are not reachable: {error}")
    return endpoint
