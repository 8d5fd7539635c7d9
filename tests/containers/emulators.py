"""AWS emulators in containers, as published, without the layer of the embedded emulator."""

from __future__ import annotations

import contextlib
import secrets
import socket
from typing import TYPE_CHECKING

from testcontainers.community.localstack import LocalStackContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

from infra.local.clients import Aws
from infra.local.stack import REGION

if TYPE_CHECKING:
    from collections.abc import Generator

    from testcontainers.core.network import Network

    from tests.containers.engine import Engine

LOCALSTACK = "localstack/localstack:4.14.0"
"""The last version that needs no licence."""
MINISTACK = "ministackorg/ministack:1.5.33"
"""The same version as the embedded emulator."""
PORT = 4566
START_SECONDS = 300


@contextlib.contextmanager
def run_localstack(engine: Engine, network: Network) -> Generator[LocalStackContainer, None, None]:
    container = LocalStackContainer(LOCALSTACK, region_name=REGION, network=network, labels=engine.labels)
    container.with_env("S3_SKIP_SIGNATURE_VALIDATION", "0").with_env("SERVICES", "s3,dynamodb,kms,iam,sts")
    # Otherwise the first call to each service would exceed the clients' timeouts.
    container.with_env("EAGER_SERVICE_LOADING", "1")
    with container as started:
        yield started


def localstack_aws(container: LocalStackContainer) -> Aws:
    """Clients with the credentials of LocalStack's root, with which it also checks signatures."""
    return Aws(_find_url(container), REGION, "test", "test")


@contextlib.contextmanager
def run_ministack(engine: Engine) -> Generator[Aws, None, None]:
    secret = secrets.token_urlsafe()
    container = DockerContainer(MINISTACK, labels=engine.labels).with_exposed_ports(PORT)
    container.with_envs(
        AUTH="true", AWS_ACCESS_KEY_ID="root", AWS_SECRET_ACCESS_KEY=secret, MINISTACK_REGION=REGION, SFTP_ENABLED="0"
    )
    ready = HttpWaitStrategy(PORT, "/_ministack/health").for_status_code(200).with_startup_timeout(START_SECONDS)
    with container.waiting_for(ready) as started:
        yield Aws(_find_url(started), REGION, "root", secret)


def _find_url(container: DockerContainer) -> str:
    """The container's URL by IP address. With a name boto3 would use `<bucket>.localhost`, which does not resolve."""
    return f"http://{socket.gethostbyname(container.get_container_host_ip())}:{container.get_exposed_port(PORT)}"
