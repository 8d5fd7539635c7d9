"""AWS clients that never reach AWS, an executor without threads, and a ban on processes and connections."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.stub import Stubber

from services.store.clients import CLIENT_CONFIG, S3_CONFIG
from tests.fake.executors import Eager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

# In this region boto3 signs with Signature V2 and names the global endpoint unless its configuration says otherwise.
REGION = "eu-west-1"
CREDENTIALS: dict[str, Any] = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "not-a-secret"}
# A developer's AWS_ENDPOINT_URL must not change the tests.
OWN_ENDPOINTS = Config(ignore_configured_endpoint_urls=True)  # pyright: ignore[reportCallIssue] - the stubs lack it


@pytest.fixture(scope="module", autouse=True)
def refuse_processes_and_connections() -> Iterator[None]:
    """Unit tests stay fast. A test that needs a process or a connection belongs to another folder."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("A unit test starts no process and opens no connection: see CONTRIBUTING.md.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket.socket, "bind", refuse)
        yield


def find_credentials() -> Credentials:
    return Credentials(*CREDENTIALS.values())


@pytest.fixture(scope="session")
def make_s3_client() -> Callable[[str], S3Client]:
    """A function of the region."""
    return lambda region: boto3.client("s3", region, config=S3_CONFIG.merge(OWN_ENDPOINTS), **CREDENTIALS)


@pytest.fixture(scope="session")
def s3_client(make_s3_client: Callable[[str], S3Client]) -> S3Client:
    return make_s3_client(REGION)


@pytest.fixture(scope="session")
def dynamodb_client() -> DynamoDBClient:
    return boto3.client("dynamodb", REGION, config=CLIENT_CONFIG.merge(OWN_ENDPOINTS), **CREDENTIALS)


@pytest.fixture
def s3_stub(s3_client: S3Client) -> Iterator[Stubber]:
    """Responds from a queue, checks the parameters of each call, and fails on every other call."""
    with Stubber(s3_client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def dynamodb_stub(dynamodb_client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(dynamodb_client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def executor() -> Executor:
    return Eager()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
