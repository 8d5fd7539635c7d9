"""Runs the whole system on this machine, for the demo and for the tests: emulator, resources, services and gateway."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import secrets
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from infra.documents.environments import Names, make_environment
from infra.local.clients import Aws
from infra.local.command_endpoint import RESET_PATH, SWEEP_PATH
from infra.local.gateway import HEALTH_PATH
from infra.local.ports import HOST, pick_free_ports, require_free
from infra.local.processes import Process, Processes
from infra.local.resources import NAME, Resources, create_resources
from infra.seed.people import SEEDED_USERS
from infra.seed.seeds import seed
from infra.settings import Settings
from services.auth.settings import JWKS_PATH
from services.settings import limits, tokens
from services.settings.application import NEW_USERS, PREFIX, NewUsers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

REGION = "eu-central-1"
SERVICES = ("auth", "uploads", "frontend")
LOCAL_VARIABLES = {"frontend": {"LOCAL_DEMO": "true"}, "uploads": {"SERVER_TIMING": "true"}}
"""Environment variables by service that only the local system sets."""

INHERITED = re.compile(
    "PATH|HOME|LANG|LC_[A-Z]+|LOCPATH|TZ|TMPDIR|PYTHONPATH|PYTHONHOME|SYSTEMROOT"
    "|LD_[A-Z_]+|DYLD_[A-Z_]+|FAKETIME[A-Z_]*"  # of the dynamic linker and of libfaketime
    "|MALLOC_ARENA_MAX"  # of the C library, as in the images
)
"""Names of the environment variables that every process inherits."""


def make_webhook_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run. Port 0 means any free port."""

    port: int = 8080
    emulator_port: int = 4566
    users: int = SEEDED_USERS
    pending: limits.PendingStrategy = limits.PENDING
    data: Path | None = None
    """Folder that keeps the state after a stop. Without it no state is kept."""
    pages: Path | None = None
    """Folder whose files the gateway serves at `PAGES_PATH`, on the page's origin."""
    origins: tuple[str, ...] = ()
    """Other origins whose pages may call the services and post to the bucket."""
    only: Literal["uploads"] | None = None
    """`uploads`: without the page, the list of users and the inspector."""
    issuer: str | None = None
    """OpenID Connect issuer whose access tokens the services accept, in place of the auth service's."""
    audience: str | None = None
    """Audiences of the issuer's tokens, separated by commas."""
    username_claim: str = tokens.USERNAME_CLAIM
    uploads_endpoint: str | None = None
    """URL at which the uploads service reaches AWS. Default: that of the emulator."""
    form_seconds: int = limits.FORM_SECONDS
    presigns_per_minute: int = limits.PRESIGNS_PER_MINUTE
    confirms_per_minute: int = limits.CONFIRMS_PER_MINUTE
    logins_per_minute: int = limits.LOGINS_PER_MINUTE
    new_users: NewUsers = NEW_USERS
    confirmed_url: str | None = None
    """URL of the application that learns of each confirmed upload and each removal."""
    confirmed_secret: str = field(default_factory=make_webhook_secret, repr=False)
    hostname: str = "localhost"
    """Host name in the page's URL. A browser must resolve it to this machine."""
    name: str = NAME
    """Name of the bucket and the table, and prefix of the names of the key and the IAM users."""

    @property
    def settings(self) -> Settings:
        return Settings(
            pending=self.pending,
            form_seconds=self.form_seconds,
            presigns_per_minute=self.presigns_per_minute,
            confirms_per_minute=self.confirms_per_minute,
            logins_per_minute=self.logins_per_minute,
            allowed_origins=",".join(self.origins) or None,
            issuer=self.issuer,
            audience=self.audience,
            username_claim=self.username_claim,
            new_users=self.new_users,
        )

    @property
    def services(self) -> tuple[str, ...]:
        """The services that run. Uploads accepts the tokens of auth, unless there is another issuer."""
        services = ("auth", "uploads") if self.only else SERVICES
        return tuple(service for service in services if service != "auth" or not self.issuer)

    @property
    def webhook(self) -> dict[str, str]:
        """The environment variables of the programs that tell the application."""
        if self.confirmed_url is None:
            return {}
        return {"CONFIRMED_URL": self.confirmed_url, "CONFIRMED_SECRET": self.confirmed_secret}


@dataclass(frozen=True, slots=True)
class Stack:
    origin: str
    aws: Aws
    """Clients with all permissions."""
    resources: Resources
    services: Mapping[str, str]
    """The URL of each service behind the gateway."""
    processes: Processes
    strategies: Mapping[str, str] = field(default_factory=dict[str, str])
    """The URL of the uploads service with each pending strategy."""


@contextlib.contextmanager
def run_stack(options: Options, announce: Callable[[str, str], None]) -> Generator[Stack, None, None]:
    """Start the system with an emulator, and stop it at the end. `announce` is called with the name and the address of
    each part that has started.

    Raises:
        PortInUseError, ProcessError: a part could not start. All processes are stopped.
    """
    for option, port in {"--port": options.port, "--emulator-port": options.emulator_port}.items():
        if port:
            require_free(port, option)
    with run_processes() as processes:
        aws = make_root_clients(options.emulator_port or pick_free_ports(1)[0])
        start_emulator(processes, aws, options.data)
        announce("emulator", aws.endpoint)
        yield start_system(aws, processes, options, announce)


@contextlib.contextmanager
def run_processes() -> Generator[Processes, None, None]:
    """Processes that are stopped at the end, with a temporary folder for their logs."""
    with tempfile.TemporaryDirectory(prefix="three-phase-upload-") as folder:
        processes = Processes(Path(folder))
        try:
            yield processes
        finally:
            processes.stop()


def start_system(aws: Aws, processes: Processes, options: Options, announce: Callable[[str, str], None]) -> Stack:
    """Create resources and users, and start services and gateway, in an AWS that is running already.

    Raises:
        ProcessError: a part could not start.
    """
    free = pick_free_ports(2 + len(options.services))
    port = options.port or free[0]
    origin = f"http://{options.hostname}:{port}"
    services = {name: f"http://{HOST}:{port}" for name, port in zip(options.services, free[2:], strict=True)}
    strategies = {options.pending: services["uploads"]}

    resources = create_resources(aws, origin, options.name, options.origins)
    announce("bucket", f"{resources.bucket} with CORS, lifecycle rules and public access blocked")
    announce("table", resources.table)
    announce("key", resources.key_arn)
    seed(aws.s3, aws.dynamodb, resources.bucket, resources.table, options.users)
    announce("users", f"{options.users} created")

    if options.confirmed_url:
        announce("webhook", f"{options.confirmed_url}, signed with {options.confirmed_secret}")
    starting = [_start_service(processes, name, name, services, aws, resources, origin, options) for name in services]
    addresses = dict(services)
    if "frontend" in services:
        # The page chooses between two uploads services, one for each strategy.
        other = replace(options, pending="tag" if options.pending == "prefix" else "prefix")
        name, url = f"uploads-{other.pending}", f"http://{HOST}:{free[1]}"
        addresses[name] = strategies[other.pending] = url
        others = {**services, "uploads": url}
        starting.append(_start_service(processes, name, "uploads", others, aws, resources, origin, other))
    commands = {
        SWEEP_PATH: make_program_environ("sweep", services, aws, resources, origin, options.settings) | options.webhook,
        RESET_PATH: make_reset_environ(aws, resources, options.users),
    }
    starting.append(start_gateway(processes, services, aws, origin, port, strategies, commands, options.pages))
    for process in starting:
        process.wait_until_ready()
        announce(process.name, addresses.get(process.name, origin))
    return Stack(origin, aws, resources, services, processes, strategies)


def make_root_clients(emulator_port: int) -> Aws:
    """Clients with all permissions in an emulator that will listen on this port."""
    return Aws(f"http://{HOST}:{emulator_port}", REGION, "root", secrets.token_urlsafe())


def start_emulator(processes: Processes, aws: Aws, data: Path | None) -> None:
    """
    Raises:
        ProcessError: it did not start.
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
            # MiniStack would otherwise connect to Docker and look for its containers. It has none here.
            "DOCKER_HOST": f"unix://{folder / 'no-docker.sock'}",
            "PERSIST_STATE": kept,
            "S3_PERSIST": kept,
            "STATE_DIR": str(folder / "state"),
            "S3_DATA_DIR": str(folder / "s3"),
        },
    )
    emulator.wait_until_ready()


def inherit_environ() -> dict[str, str]:
    """The inherited variables. No other variable of this process reaches a service: no setting, no proxy, and no AWS
    profile or credentials, so that no process can call the real AWS.
    """
    inherited = {name: value for name, value in os.environ.items() if INHERITED.fullmatch(name)}
    return inherited | {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _start_service(
    processes: Processes,
    name: str,
    service: str,
    services: Mapping[str, str],
    aws: Aws,
    resources: Resources,
    origin: str,
    options: Options,
) -> Process:
    """`name`: that of the process."""
    endpoints = {"uploads": options.uploads_endpoint or aws.endpoint}
    reached = replace(aws, endpoint=endpoints.get(service, aws.endpoint))
    environ = make_environ(service, services, reached, resources, origin, options.settings)
    environ |= options.webhook if service == "uploads" else {}
    return processes.start(name, f"services.{service}", health=f"{services[service]}/healthz", environ=environ)


def make_environ(
    name: str,
    services: Mapping[str, str],
    aws: Aws,
    resources: Resources,
    origin: str,
    settings: Settings,
) -> dict[str, str]:
    """The environment of a service's process."""
    listening = {"HOST": HOST, "PORT": services[name].rpartition(":")[2]}
    return inherit_environ() | make_program_environ(name, services, aws, resources, origin, settings) | listening


def make_program_environ(
    name: str,
    services: Mapping[str, str],
    aws: Aws,
    resources: Resources,
    origin: str,
    settings: Settings,
) -> dict[str, str]:
    """The settings and credentials of one service, or of the sweep, as environment variables."""
    names = Names(
        origin=origin,
        table=resources.table,
        bucket=resources.bucket,
        signing_keys=resources.key_arn,
        jwks_url=services["auth"] + JWKS_PATH if "auth" in services else None,
    )
    return (
        make_environment(name, names, settings)
        | LOCAL_VARIABLES.get(name, {})
        | dict(resources.credentials[name])
        | {
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_REGION": aws.region,
            "AWS_DEFAULT_REGION": aws.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "METRICS": "false",
        }
    )


def make_reset_environ(aws: Aws, resources: Resources, users: int) -> dict[str, str]:
    """The variables of a reset, which has all permissions."""
    return {
        "AWS_ACCESS_KEY_ID": aws.access_key_id,
        "AWS_SECRET_ACCESS_KEY": aws.secret_access_key,
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_REGION": aws.region,
        "BUCKET": resources.bucket,
        "TABLE": resources.table,
        "USERS": str(users),
    }


def start_gateway(
    processes: Processes,
    services: Mapping[str, str],
    aws: Aws,
    origin: str,
    port: int,
    strategies: Mapping[str, str] | None = None,
    commands: Mapping[str, Mapping[str, str]] | None = None,
    pages: Path | None = None,
) -> Process:
    """`strategies`: URLs of uploads services by pending strategy. `commands`: the variables of the commands that it
    offers, by path. `pages`: a folder that it serves.
    """
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
            "STRATEGIES": json.dumps(dict(strategies or {})),
            "COMMANDS": json.dumps({path: dict(environ) for path, environ in (commands or {}).items()}),
            "PROCESSES": str(processes.logs),
            "PAGES": str(pages or ""),
        },
    )
