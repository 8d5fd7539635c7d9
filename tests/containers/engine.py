"""The container engine, if there is one. What a run starts bears the run's label and is gone with the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
from docker.errors import DockerException
from testcontainers.core.config import ConnectionMode, testcontainers_config

if TYPE_CHECKING:
    from collections.abc import Generator

LABEL = "three-phase-upload.tests"
REAPER = Path(__file__).with_name("reaper.py")


class NoEngineError(Exception):
    """The text says what was tried."""


@dataclass(frozen=True)
class Engine:
    client: docker.DockerClient
    version: str
    run: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Value of the label."""

    @property
    def labels(self) -> dict[str, str]:
        return {LABEL: self.run}

    @cached_property
    def command(self) -> str:
        """A client on the path that builds by BuildKit, of which some machines have several and one that does not.

        Raises:
            NoEngineError: there is none.
        """
        folders = os.environ.get("PATH", "").split(os.pathsep)
        for path in filter(None, (shutil.which("docker", path=folder) for folder in folders)):
            # Without its part for BuildKit a client says so here, and fails.
            help_asked = [path, "build", "--help"]
            if subprocess.run(help_asked, env=_building(), capture_output=True, check=False).returncode == 0:  # noqa: S603
                return path
        raise NoEngineError("No docker command on the path builds by BuildKit")

    def build(self, folder: Path, tag: str, arguments: dict[str, str], seconds: float) -> None:
        """
        Raises:
            AssertionError: with the end of what the build said.
        """
        options = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
        done = subprocess.run(  # noqa: S603 - the engine's own client
            [self.command, "build", *options, "--label", f"{LABEL}={self.run}", "--tag", tag, str(folder)],
            env=_building(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"docker build: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"

    def clear(self) -> None:
        """Remove what bears the label of this run: containers with their volumes, networks, images."""
        only: dict[str, Any] = {"filters": {"label": f"{LABEL}={self.run}"}}
        for container in self.client.containers.list(all=True, ignore_removed=True, **only):
            container.remove(force=True, v=True)
        for network in self.client.networks.list(**only):
            network.remove()
        for image in self.client.images.list(**only):
            self.client.images.remove(image.id, force=True)


def connect() -> Engine:
    """
    Raises:
        NoEngineError: no engine answers.
    """
    try:
        client = docker.from_env(timeout=600)
    except DockerException as error:
        raise NoEngineError(f"No container engine answers: {error}") from error
    try:
        return Engine(client, client.version()["Version"])
    except DockerException as error:
        client.close()
        raise NoEngineError(f"No container engine answers: {error}") from error


@contextlib.contextmanager
def use_engine() -> Generator[Engine, None, None]:
    """An engine that is clear again afterwards, however this process ends.

    Raises:
        NoEngineError: no engine answers.
    """
    engine = connect()
    # A process of our own that outlives this one clears up, and not testcontainers' container, which is another image
    # to pull and knows of no image that a run has built.
    testcontainers_config.ryuk_disabled = True
    if testcontainers_config.connection_mode_override is None and _is_here(engine.client):
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    with subprocess.Popen(  # noqa: S603 - our own module by our own interpreter
        [sys.executable, "-m", "tests.containers.reaper", engine.run],
        stdin=subprocess.PIPE,
        cwd=REAPER.parents[2],
        # Ctrl-C is for the tests; this one waits for their end.
        start_new_session=True,
    ) as reaper:
        try:
            yield engine
        finally:
            if reaper.stdin:
                reaper.stdin.close()
            reaper.wait()
            engine.client.close()


def _is_here(client: docker.DockerClient) -> bool:
    """Whether the engine's ports are ports of this machine: its bridge's address is one of our own.

    A machine that is itself a container would otherwise be taken for a neighbour of those that it starts.
    """
    for config in client.networks.get("bridge").attrs["IPAM"]["Config"]:
        with socket.socket() as probe, contextlib.suppress(OSError, KeyError):
            probe.bind((config["Gateway"], 0))
            return True
    return False


def _building() -> dict[str, str]:
    return os.environ | {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
