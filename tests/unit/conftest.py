"""AWS clients that never reach AWS, an executor without threads, and a refusal of processes and connections."""

from __future__ import annotations

import socket
import subprocess
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.stub import Stubber

from services.store.clients import CLIENT_CONFIG, S3_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

# Here boto3 still signs with Signature V2 and names the global endpoint if it is not told otherwise.
REGION = "eu-west-1"
CREDENTIALS: dict[str, Any] = {"aws_access_key_id": "AKIAEXAMPLE", "aws_secret_access_key": "not-a-secret"}
# A developer's AWS_ENDPOINT_URL must not change what is tested.
OWN_ENDPOINTS = Config(ignore_configured_endpoint_urls=True)  # pyright: ignore[reportCallIssue] - the stubs lack it


@pytest.fixture(scope="module", autouse=True)
def refuse_processes_and_connections() -> Iterator[None]:
    """Keep these tests fast: one that needs either belongs to another folder."""

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
    """By region."""
    return lambda region: boto3.client("s3", region, config=S3_CONFIG.merge(OWN_ENDPOINTS), **CREDENTIALS)


@pytest.fixture(scope="session")
def s3_client(make_s3_client: Callable[[str], S3Client]) -> S3Client:
    return make_s3_client(REGION)


@pytest.fixture(scope="session")
def dynamodb_client() -> DynamoDBClient:
    return boto3.client("dynamodb", REGION, config=CLIENT_CONFIG.merge(OWN_ENDPOINTS), **CREDENTIALS)


@pytest.fixture
def s3_stub(s3_client: S3Client) -> Iterator[Stubber]:
    """Answers from a queue, checks each call's parameters, and lets no other call out."""
    with Stubber(s3_client) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def dynamodb_stub(dynamodb_client: DynamoDBClient) -> Iterator[Stubber]:
    with Stubber(dynamodb_client) as stub:
        yield stub
        stub.assert_no_pending_responses()


class InlineExecutor(Executor):
    """Runs what it is given at once, so that a test sees calls in one order."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the future
            future.set_exception(error)
        return future


@pytest.fixture
def executor() -> Executor:
    return InlineExecutor()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
