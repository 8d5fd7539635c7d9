"""The container engine, if there is one. All that a run creates has the run's label and is removed at its end."""

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
    """No usable container engine. The message says what was tried."""


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
        """A docker command on the path that supports BuildKit. Some machines have several, and not all support it.

        Raises:
            NoEngineError: there is no such command.
        """
        folders = os.environ.get("PATH", "").split(os.pathsep)
        for path in filter(None, (shutil.which("docker", path=folder) for folder in folders)):
            # This fails for a docker command without BuildKit.
            help_command = [path, "build", "--help"]
            if subprocess.run(help_command, env=_build_environ(), capture_output=True, check=False).returncode == 0:  # noqa: S603
                return path
        raise NoEngineError("No docker command on the path supports BuildKit")

    def build(self, folder: Path, tag: str, arguments: dict[str, str], seconds: float) -> None:
        """
        Raises:
            AssertionError: the build failed. The message has the end of its output.
        """
        options = [part for name, value in arguments.items() for part in ("--build-arg", f"{name}={value}")]
        done = subprocess.run(  # noqa: S603 - the engine's own client
            [self.command, "build", *options, "--label", f"{LABEL}={self.run}", "--tag", tag, str(folder)],
            env=_build_environ(),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"docker build: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"

    def clear(self) -> None:
        """Remove the containers with their volumes, the networks and the images that have the label of this run."""
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
    """An engine from which all that the run created is removed, however this process ends.

    Raises:
        NoEngineError: no engine answers.
    """
    engine = connect()
    # A process that outlives this one removes everything. The container of testcontainers for this purpose would be one
    # more image to pull, and does not remove images that the run has built.
    testcontainers_config.ryuk_disabled = True
    if testcontainers_config.connection_mode_override is None and is_here(engine.client):
        testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    with subprocess.Popen(  # noqa: S603 - a module of the tests
        [sys.executable, "-m", "tests.containers.reaper", engine.run],
        stdin=subprocess.PIPE,
        cwd=REAPER.parents[2],
        # Ctrl-C stops the tests; the reaper waits for their end.
        start_new_session=True,
    ) as reaper:
        try:
            yield engine
        finally:
            if reaper.stdin:
                reaper.stdin.close()
            reaper.wait()
            engine.client.close()


def is_here(client: docker.DockerClient) -> bool:
    """Whether the engine's ports are ports of this machine, that is, whether it has the address of the engine's bridge.

    testcontainers would otherwise treat a machine that is itself a container as a neighbour of those that it starts.
    """
    for config in client.networks.get("bridge").attrs["IPAM"]["Config"]:
        with socket.socket() as probe, contextlib.suppress(OSError, KeyError):
            probe.bind((config["Gateway"], 0))
            return True
    return False


def _build_environ() -> dict[str, str]:
    return os.environ | {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
