"""The images, built once for the whole run, and their containers with the limits of the task definitions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.types import Mount
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

if TYPE_CHECKING:
    from docker.models.containers import Container
    from testcontainers.core.network import Network

    from tests.containers.engine import Engine
    from tests.infra.deployment import Deployment

ROOT = Path(__file__).parents[2]
BUILD_SECONDS = 1800
START_SECONDS = 300
PORT = 8000


@dataclass(frozen=True, slots=True)
class Result:
    """The exit status and the output of a container."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Image:
    engine: Engine
    service: str
    tag: str

    @property
    def config(self) -> dict[str, Any]:
        return self.engine.client.images.get(self.tag).attrs["Config"]

    def run(self, limits: dict[str, Any], *command: str, **more: Any) -> Result:
        """Run a command in a new container and return its exit status and output."""
        container: Container = self.engine.client.containers.create(
            self.tag, list(command) or None, labels=self.engine.labels, **limits, **more
        )
        try:
            container.start()
            status = container.wait(timeout=START_SECONDS)["StatusCode"]
            out, err = (container.logs(stdout=is_out, stderr=not is_out).decode() for is_out in (True, False))
            return Result(status, out, err)
        finally:
            container.remove(force=True, v=True)

    def prepare(self, limits: dict[str, Any], network: Network, environ: dict[str, str]) -> DockerContainer:
        """A container of the service that is not started yet. Its host name in the network is the service's name."""
        container = DockerContainer(self.tag, network=network, network_aliases=[self.service], env=environ)
        return container.with_exposed_ports(PORT).with_kwargs(labels=self.engine.labels, **limits)


def wait_until_healthy(container: DockerContainer) -> None:
    """
    Raises:
        TimeoutError: the container did not become healthy in time.
    """
    healthy = HttpWaitStrategy(PORT, "/healthz").for_status_code(200).with_startup_timeout(START_SECONDS)
    healthy.with_poll_interval(0.1).wait_until_ready(container)


def build_image(engine: Engine, service: str) -> Image:
    """
    Raises:
        AssertionError: the build failed. The message has the end of its output.
    """
    image = Image(engine, service, f"three-phase-upload-{service}:{engine.run}")
    arguments = {"SERVICE": service, "VERSION": "1.2.3", "SOURCE": "https://source.example"}
    engine.build(ROOT, image.tag, arguments, BUILD_SECONDS)
    return image


def read_limits(deployment: Deployment, task: str) -> dict[str, Any]:
    """The limits and permissions of the task's container, as arguments for the engine."""
    definition = deployment.one("aws:ecs/taskDefinition:TaskDefinition", task).inputs
    (container,) = json.loads(definition["containerDefinitions"])
    linux = container["linuxParameters"]
    mebibytes = int(definition["memory"])
    return {
        "mem_limit": f"{mebibytes}m",
        "memswap_limit": f"{mebibytes}m",
        "nano_cpus": int(definition["cpu"]) * 10**9 // 1024,
        "read_only": container["readonlyRootFilesystem"],
        "cap_drop": linux["capabilities"]["drop"],
        "security_opt": ["no-new-privileges"],
        "init": linux["initProcessEnabled"],
        "mounts": [Mount(point["containerPath"], None) for point in container["mountPoints"]],
    }


def read_stop_seconds(deployment: Deployment, task: str) -> int:
    """The time between SIGTERM and SIGKILL, seconds."""
    definition = deployment.one("aws:ecs/taskDefinition:TaskDefinition", task).inputs
    (container,) = json.loads(definition["containerDefinitions"])
    return container["stopTimeout"]
