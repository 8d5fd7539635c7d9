"""Starts the servers of a run: the fake AWS, our services and the peers, each pinned to a core."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import httpx2
import msgspec

from bench.fake_aws import CONTROL, ServedCall
from bench.installs import install_service
from bench.load import pin
from infra.local.clients import Aws
from infra.local.ports import HOST, pick_free_ports
from infra.local.processes import Process, Processes
from infra.local.resources import Resources
from infra.local.stack import LOCAL_VARIABLES, REGION, SERVICES, inherit_environ, make_environ
from infra.settings import Settings
from services.settings.limits import PENDING
from services.store.kinds import AVATAR
from services.store.table import Row, Value, write_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.settings.limits import PendingStrategy

SERVER_CORE, LOAD_CORE = 0, 1

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
RESOURCES = Resources("bench-pictures", "bench-users", "bench-key", dict.fromkeys((*SERVICES, "sweep"), CREDENTIALS))
ORIGIN = "http://localhost:8080"
USERNAME = "Cooper12"

CONTROL_SECONDS, FILL_SECONDS = 60, 600
"""Timeouts of the fake AWS's own control functions."""


@dataclass(frozen=True)
class Server:
    process: Process
    origin: str


@dataclass(frozen=True)
class FakeAwsServer:
    """The running fake AWS: its control functions, and boto3 clients for it."""

    server: Server

    def set_delay(self, milliseconds: float) -> None:
        self._control(f"delay?milliseconds={milliseconds:g}")

    def take_calls(self) -> list[ServedCall]:
        """Return the calls since the last time, and forget them."""
        return msgspec.json.decode(self._control("calls"), type=list[ServedCall])

    def age_objects(self, seconds: float) -> None:
        """Make all objects older."""
        self._control(f"age?seconds={seconds:g}")

    def fill(self, objects: int, per_second: float) -> None:
        """Create this many users with an avatar each, as if that many a second had confirmed one until now."""
        self._control(f"fill?objects={objects}&per_second={per_second:g}", timeout=FILL_SECONDS)

    def clear(self) -> None:
        self._control("clear")

    @cached_property
    def clients(self) -> Aws:
        return Aws(self.server.origin, REGION, *CREDENTIALS.values())

    def add_user(self, username: str, avatar: str | None = None) -> None:
        row = write_row(Row(username, "Sheldon Cooper").replace(AVATAR, Value(avatar)))
        self.clients.dynamodb.put_item(TableName=RESOURCES.table, Item=row)

    def add_object(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str], tags: str = "") -> None:
        self.clients.s3.put_object(
            Bucket=RESOURCES.bucket, Key=key, Body=body, ContentType=content_type, Metadata=metadata, Tagging=tags
        )

    def _control(self, command: str, timeout: float = CONTROL_SECONDS) -> bytes:
        return httpx2.post(self.server.origin + CONTROL + command, timeout=timeout).raise_for_status().content


def start_fake_aws(processes: Processes) -> FakeAwsServer:
    """
    Raises:
        ProcessError: the process did not become ready.
    """
    command = make_module_command("bench.fake_aws")
    return FakeAwsServer(start(processes, "aws", command, f"{CONTROL}health", {}, LOAD_CORE))


def start_service(
    processes: Processes,
    aws: FakeAwsServer,
    service: str,
    auth: str,
    pending: PendingStrategy = PENDING,
    *,
    metrics: bool = True,
    form: str | None = None,
) -> Server:
    """Start a service as a deployment does, with the packages of its image, but without rate limits.

    `form` names another implementation of presign, for a comparison.

    Raises:
        NotInstalledError: the packages could not be installed.
        ProcessError: the process did not become ready.
    """
    settings = Settings(pending=pending, presigns_per_minute=0, confirms_per_minute=0, logins_per_minute=0)
    addresses: dict[str, str] = dict.fromkeys(tuple[str, ...](SERVICES), auth)
    environ = make_environ(service, addresses, aws.clients, RESOURCES, ORIGIN, settings)
    environ |= {"METRICS": str(metrics).lower(), "MALLOC_ARENA_MAX": "2"}  # the image sets the second
    environ |= dict.fromkeys(LOCAL_VARIABLES.get(service, {}), "false")
    if form is not None:
        environ["FORM"] = form
    module = f"services.{service}" if form is None else "bench.peers.other_presigns"
    command = make_module_command(module, str(install_service(service)))
    return start(processes, f"{service}-{pending}-{metrics}-{form}", command, "/healthz", environ, SERVER_CORE)


def start_peer(
    processes: Processes,
    name: str,
    command: Sequence[str],
    health: str,
    aws: FakeAwsServer | None,
    environ: Mapping[str, str] | None = None,
) -> Server:
    """Start a peer, which uses `aws` where there is one. `environ` is added to its environment variables.

    Raises:
        ProcessError: the process did not become ready.
    """
    endpoint = {"AWS_ENDPOINT_URL": aws.server.origin} if aws else {}
    own = {"BUCKET": RESOURCES.bucket, "TABLE": RESOURCES.table, "NODE_ENV": "production", **(environ or {})}
    return start(processes, name, command, health, CREDENTIALS | endpoint | own, SERVER_CORE)


def make_module_command(module: str, python: str = sys.executable) -> list[str]:
    return [python, "-m", "infra.local.child_process", module]


def start(
    processes: Processes, name: str, command: Sequence[str], health: str, environ: Mapping[str, str], core: int
) -> Server:
    """Start a server on a free port, which replaces `{port}` in the command.

    Raises:
        ProcessError: the process did not become ready.
    """
    (port,) = pick_free_ports(1)
    origin = f"http://{HOST}:{port}"
    log = processes.logs / f"{name}.log"
    address = {"HOST": HOST, "PORT": str(port), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    with log.open("wb") as output:
        popen = subprocess.Popen(  # noqa: S603 - our own commands
            [*pin(core), *(part.format(port=port) for part in command)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=inherit_environ() | dict(environ) | address,
            start_new_session=True,
        )
    process = Process(name, popen, log, origin + health)
    processes.started.append(process)
    process.wait_until_ready()
    return Server(process, origin)
