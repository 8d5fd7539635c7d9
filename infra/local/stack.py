"""The running system: emulator, resources, services, gateway. For the demo and for the tests."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from infra.documents.environments import JWKS_PATH, Names, make_environment
from infra.local.aws import Aws
from infra.local.gateway import HEALTH_PATH
from infra.local.ports import HOST, pick_free_ports, require_free
from infra.local.processes import Process, Processes
from infra.local.resources import NAME, Resources, create_resources
from infra.local.seeds import seed
from infra.settings import Settings
from services.settings import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

REGION = "eu-central-1"
SERVICES = ("auth", "uploads", "frontend")
LOCAL = {"frontend": {"LIFECYCLE_CLOCK": "true"}}
"""What no deployment has."""

INHERITED = re.compile(
    "PATH|HOME|LANG|LC_[A-Z]+|LOCPATH|TZ|TMPDIR|PYTHONPATH|PYTHONHOME|SYSTEMROOT"
    "|LD_[A-Z_]+|DYLD_[A-Z_]+|FAKETIME[A-Z_]*"  # the dynamic linker, and what it is told to load
)


@dataclass(frozen=True, slots=True)
class Options:
    """A port of 0 is any that is free. Without `data` nothing remains."""

    port: int = 8080
    emulator_port: int = 4566
    users: int = 3
    pending: limits.PendingStrategy = limits.PENDING
    data: Path | None = None
    uploads_endpoint: str | None = None
    """Where the uploads service finds AWS, if not straight at the emulator."""
    form_seconds: int = limits.FORM_SECONDS
    presigns_per_minute: int = limits.PRESIGNS_PER_MINUTE
    logins_per_minute: int = limits.LOGINS_PER_MINUTE
    name: str = NAME
    """Of the bucket, the table, the key and the IAM users."""

    @property
    def settings(self) -> Settings:
        return Settings(
            pending=self.pending,
            form_seconds=self.form_seconds,
            presigns_per_minute=self.presigns_per_minute,
            logins_per_minute=self.logins_per_minute,
        )


@dataclass(frozen=True, slots=True)
class Stack:
    origin: str
    aws: Aws
    """Clients that may do everything, for whoever looks at the results."""
    resources: Resources
    services: Mapping[str, str]
    """Each service's own URL, behind the gateway."""
    processes: Processes


@contextlib.contextmanager
def run_stack(options: Options, announce: Callable[[str, str], None]) -> Generator[Stack, None, None]:
    """The system from its start to its end, on an emulator of its own; `announce` hears of each part and where it is,
    as it comes up.

    Raises:
        PortInUseError, ProcessError: a part could not start. Nothing is left running.
    """
    for option, port in {"--port": options.port, "--emulator-port": options.emulator_port}.items():
        if port:
            require_free(port, option)
    with run_processes() as processes:
        aws = make_root(options.emulator_port or pick_free_ports(1)[0])
        start_emulator(processes, aws, options.data)
        announce("emulator", aws.endpoint)
        yield start_system(aws, processes, options, announce)


@contextlib.contextmanager
def run_processes() -> Generator[Processes, None, None]:
    """With a folder of their own for as long as they run."""
    with tempfile.TemporaryDirectory(prefix="three-phase-upload-") as folder:
        processes = Processes(Path(folder))
        try:
            yield processes
        finally:
            processes.stop()


def start_system(aws: Aws, processes: Processes, options: Options, announce: Callable[[str, str], None]) -> Stack:
    """Resources, users, services and gateway on an AWS that is there already.

    Raises:
        ProcessError: a part could not start.
    """
    free = pick_free_ports(1 + len(SERVICES))
    port = options.port or free[0]
    origin = f"http://localhost:{port}"
    services = {name: f"http://{HOST}:{port}" for name, port in zip(SERVICES, free[1:], strict=True)}

    resources = create_resources(aws, origin, options.name)
    announce("bucket", f"{resources.bucket} with CORS, lifecycle rules and public access blocked")
    announce("table", resources.table)
    announce("key", resources.key_arn)
    seed(aws, resources, options.users)
    announce("users", f"{options.users} seeded")

    waiting = [*_start_services(processes, services, aws, resources, origin, options)]
    sweep = make_own_environ("sweep", services, aws, resources, origin, options.settings)
    waiting.append(start_gateway(processes, services, aws, origin, port, sweep))
    for process in waiting:
        process.wait_until_ready()
        announce(process.name, services.get(process.name, origin))
    return Stack(origin, aws, resources, services, processes)


def make_root(emulator_port: int) -> Aws:
    """Credentials that may do everything in an emulator that is yet to be started there."""
    return Aws(f"http://{HOST}:{emulator_port}", REGION, "root", secrets.token_urlsafe())


def start_emulator(processes: Processes, aws: Aws, data: Path | None) -> None:
    """
    Raises:
        ProcessError: it did not come up.
    """
    kept = "1" if data else "0"
    folder = data or processes.logs
    emulator = processes.start(
        "emulator",
        "infra.local.emulator",
        health=f"{aws.endpoint}/_ministack/health",
        environ=inherit_environ()
        | {
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": aws.access_key_id,
            "AWS_SECRET_ACCESS_KEY": aws.secret_access_key,
            "BIND_HOST": HOST,
            "GATEWAY_PORT": aws.endpoint.rpartition(":")[2],
            "LOG_LEVEL": "WARNING",
            "MINISTACK_REGION": aws.region,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It would look for containers of its own to clean up, and there are none.
            "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
            "PERSIST_STATE": kept,
            "S3_PERSIST": kept,
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
        },
    )
    emulator.wait_until_ready()


def inherit_environ() -> dict[str, str]:
    """What any process needs of our environment. Nothing else in it changes what a service does: no setting, no proxy,
    and nothing that is said of the real AWS, which no part of this may ever reach.
    """
    inherited = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
    return inherited | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _start_services(
    processes: Processes, services: Mapping[str, str], aws: Aws, resources: Resources, origin: str, options: Options
) -> Iterator[Process]:
    endpoints = {"uploads": options.uploads_endpoint or aws.endpoint}
    for name, url in services.items():
        reached = replace(aws, endpoint=endpoints.get(name, aws.endpoint))
        environ = make_environ(name, services, reached, resources, origin, options.settings)
        yield processes.start(name, f"services.{name}", health=f"{url}/healthz", environ=environ)


def make_environ(
    name: str,
    services: Mapping[str, str],
    aws: Aws,
    resources: Resources,
    origin: str,
    settings: Settings,
) -> dict[str, str]:
    """What this one of the services finds in its environment."""
    listening = {"HOST": HOST, "PORT": services[name].rpartition(":")[2]}
    return inherit_environ() | make_own_environ(name, services, aws, resources, origin, settings) | listening


def make_own_environ(
    name: str,
    services: Mapping[str, str],
    aws: Aws,
    resources: Resources,
    origin: str,
    settings: Settings,
) -> dict[str, str]:
    """What this service, or the sweep, is told and no other: where the others are, and its own credentials."""
    names = Names(
        origin=origin,
        table=resources.table,
        bucket=resources.bucket,
        signing_keys=resources.key_arn,
        jwks_url=services["auth"] + JWKS_PATH,
    )
    return (
        make_environment(name, names, settings)
        | LOCAL.get(name, {})
        | dict(resources.credentials[name])
        | {
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_REGION": aws.region,
            "AWS_DEFAULT_REGION": aws.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "METRICS": "false",
        }
    )


def start_gateway(
    processes: Processes,
    services: Mapping[str, str],
    aws: Aws,
    origin: str,
    port: int,
    sweep: Mapping[str, str] | None = None,
) -> Process:
    """`sweep`: what a sweep finds in its environment; without it there is none on demand."""
    return processes.start(
        "gateway",
        "infra.local.gateway",
        health=f"http://{HOST}:{port}{HEALTH_PATH}",
        environ=inherit_environ()
        | {
            "PORT": str(port),
            "ORIGIN": origin,
            "EMULATOR": aws.endpoint,
            "SERVICES": json.dumps(dict(services)),
            "SWEEP": json.dumps(dict(sweep or {})),
        },
    )
