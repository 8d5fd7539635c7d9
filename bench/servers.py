"""The servers of one run: the canned AWS, our services, and the peers, each pinned to its core."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import httpx2
import msgspec

from bench.fake_aws import CONTROL, Served
from bench.installs import install_service
from bench.load import pin
from infra.local.aws import Aws
from infra.local.ports import HOST, pick_free_ports
from infra.local.processes import Process, Processes
from infra.local.resources import Resources
from infra.local.stack import REGION, SERVICES, inherit_environ, make_environ
from infra.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

SERVER_CORE, LOAD_CORE = 0, 1

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
RESOURCES = Resources("bench-pictures", "bench-users", "bench-key", dict.fromkeys((*SERVICES, "sweep"), CREDENTIALS))
ORIGIN = "http://localhost:8080"
USERNAME = "Cooper12"


@dataclass(frozen=True)
class Server:
    process: Process
    origin: str


@dataclass(frozen=True)
class CannedAws:
    """The canned AWS from outside."""

    server: Server

    def wait_before_answers(self, milliseconds: float) -> None:
        self._tell(f"delay?milliseconds={milliseconds:g}")

    def take_served(self) -> list[Served]:
        """Since the last time."""
        return msgspec.json.decode(self._tell("served"), type=list[Served])

    def empty(self) -> None:
        self._tell("empty")

    @cached_property
    def clients(self) -> Aws:
        return Aws(self.server.origin, REGION, *CREDENTIALS.values())

    def add_person(self, username: str, avatar: str | None = None) -> None:
        pointing = {} if avatar is None else {"Avatar": {"S": avatar}}
        row = {"Username": {"S": username}, "Name": {"S": "Sheldon Cooper"}}
        self.clients.dynamodb.put_item(TableName=RESOURCES.table, Item=row | pointing)

    def add_object(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str], tags: str = "") -> None:
        self.clients.s3.put_object(
            Bucket=RESOURCES.bucket, Key=key, Body=body, ContentType=content_type, Metadata=metadata, Tagging=tags
        )

    def _tell(self, what: str) -> bytes:
        return httpx2.post(self.server.origin + CONTROL + what).raise_for_status().content


def start_aws(processes: Processes) -> CannedAws:
    """
    Raises:
        ProcessError: it did not come up.
    """
    command = make_module_command("bench.fake_aws")
    return CannedAws(start(processes, "aws", command, f"{CONTROL}health", {}, LOAD_CORE))


def start_service(
    processes: Processes,
    aws: CannedAws,
    service: str,
    auth: str,
    pending: Literal["prefix", "tag"] = "prefix",
    *,
    metrics: bool = True,
    form: str | None = None,
) -> Server:
    """As a deployment runs it, with its image's packages, but for the limits of what a user and an address may do.
    `form`: another one of presign, for a comparison.

    Raises:
        NotInstalledError: it can't be given those.
        ProcessError: it did not come up.
    """
    settings = Settings(pending=pending, presigns_per_minute=0, logins_per_minute=0)
    places: dict[str, str] = dict.fromkeys(tuple[str, ...](SERVICES), auth)
    environ = make_environ(service, places, aws.clients, RESOURCES, ORIGIN, settings)
    environ |= {"METRICS": str(metrics).lower(), "MALLOC_ARENA_MAX": "2"}  # the second is its image's
    # Where it listens itself is told when it is started.
    if form is not None:
        environ["FORM"] = form
    module = f"services.{service}" if form is None else "bench.peers.other_forms"
    command = make_module_command(module, str(install_service(service)))
    return start(processes, f"{service}-{pending}-{metrics}-{form}", command, "/healthz", environ, SERVER_CORE)


def start_peer(
    processes: Processes,
    name: str,
    command: Sequence[str],
    health: str,
    aws: CannedAws | None,
    environ: Mapping[str, str] | None = None,
) -> Server:
    """`aws`: where it is given one. `environ`: what it is told besides.

    Raises:
        ProcessError: it did not come up.
    """
    reached = {"AWS_ENDPOINT_URL": aws.server.origin} if aws else {}
    told = {"BUCKET": RESOURCES.bucket, "TABLE": RESOURCES.table, "NODE_ENV": "production", **(environ or {})}
    return start(processes, name, command, health, CREDENTIALS | reached | told, SERVER_CORE)


def make_module_command(module: str, python: str = sys.executable) -> list[str]:
    return [python, "-m", "infra.local.child", module]


def start(
    processes: Processes, name: str, command: Sequence[str], health: str, environ: Mapping[str, str], core: int
) -> Server:
    """On a free port; `{port}` in the command stands for it.

    Raises:
        ProcessError: it did not come up.
    """
    (port,) = pick_free_ports(1)
    origin = f"http://{HOST}:{port}"
    log = processes.logs / f"{name}.log"
    told = {"HOST": HOST, "PORT": str(port), "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    with log.open("wb") as output:
        popen = subprocess.Popen(  # noqa: S603 - our own commands
            [*pin(core), *(part.format(port=port) for part in command)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=inherit_environ() | dict(environ) | told,
            start_new_session=True,
        )
    process = Process(name, popen, log, origin + health)
    processes.started.append(process)
    process.wait_until_ready()
    return Server(process, origin)
