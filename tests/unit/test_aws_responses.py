"""Responses of AWS that are cut off, too slow or unreadable."""

from __future__ import annotations

import io
import itertools
import json
import socket
import time
from binascii import crc32
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection, AWSResponse
from botocore.exceptions import ClientError

from services.store.clients import CLIENT_CONFIG, S3_CONFIG, error_code, is_missing, is_transient
from services.store.responses import IncompleteResponseError, WholeResponse, check_responses, require
from tests.unit.conftest import CREDENTIALS, OWN_ENDPOINTS, REGION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: AmazonS3\r\n\r\n"
PATIENCE_SECONDS = 60


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets: the client's and the server's."""
    client, server = socket.socketpair()
    with client, server:
        client.settimeout(PATIENCE_SECONDS)
        yield client, server


def read(client: socket.socket, method: str = "GET") -> bytes:
    response = WholeResponse(client, method=method)
    response.begin()
    return response.read()


@pytest.mark.parametrize("length", range(len(HEAD)))
def test_a_response_that_ends_within_its_headers_is_refused(
    sockets: tuple[socket.socket, socket.socket], length: int
) -> None:
    client, server = sockets
    server.sendall(HEAD[:length])
    server.close()
    for method in ("GET", "HEAD"):
        with pytest.raises(ConnectionError):
            read(client, method)


@pytest.mark.parametrize(
    ("response", "method", "body"),
    [
        (HEAD + b"ok", "GET", b"ok"),
        (HEAD, "HEAD", b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "GET", b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "DELETE", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"ok", "PUT", b"ok"),
    ],
)
def test_a_whole_response_is_read(
    sockets: tuple[socket.socket, socket.socket], response: bytes, method: str, body: bytes
) -> None:
    client, server = sockets
    server.sendall(response)
    server.close()
    assert read(client, method) == body
    assert client.gettimeout() == PATIENCE_SECONDS


@pytest.mark.parametrize("headers", [b"", b"Content-Length: two\r\n", b"Content-Length: -1\r\n"])
def test_a_response_of_unknown_length_is_refused(sockets: tuple[socket.socket, socket.socket], headers: bytes) -> None:
    client, server = sockets
    server.sendall(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\nok")
    with pytest.raises(ConnectionError, match="how long"):
        read(client)


class Trickle(io.RawIOBase):
    """A socket that delivers a byte of an endless response every 0.1 s of a clock that it moves itself."""

    def __init__(self, start: bytes) -> None:
        self.rest = itertools.chain(start, itertools.repeat(ord("x"), 10_000))
        self.now = 0.0
        self.timeouts: list[float] = []

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def gettimeout(self) -> float:
        return 3

    def settimeout(self, seconds: float) -> None:
        self.timeouts.append(seconds)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.now += 0.1
        for place, byte in enumerate(itertools.islice(self.rest, 1)):
            buffer[place] = byte
            return 1
        return 0


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nServer: ", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"])
def test_the_read_timeout_limits_the_whole_response(monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    slow: Any = Trickle(start)
    monkeypatch.setattr(time, "monotonic", lambda: slow.now)
    with pytest.raises(TimeoutError):
        read(slow)
    assert slow.now == pytest.approx(3, abs=0.2)
    assert slow.timeouts[-2:] == [pytest.approx(0.1, abs=0.11), 3]


def test_without_a_timeout_a_response_may_take_any_time(sockets: tuple[socket.socket, socket.socket]) -> None:
    client, server = sockets
    client.settimeout(None)
    server.sendall(HEAD + b"ok")
    assert read(client) == b"ok"


def test_every_connection_of_botocore_has_the_response_class(respond: Callable[..., Any]) -> None:
    respond("dynamodb")
    assert AWSHTTPConnection.response_class is AWSHTTPSConnection.response_class is WholeResponse


class Raw:
    """A body as urllib3 returns it."""

    closed = False

    def __init__(self, body: bytes) -> None:
        self._body = body

    def close(self) -> None:
        self.closed = True

    def stream(self) -> list[bytes]:
        return [self._body]


def skip(_: float) -> None:
    pass


@pytest.fixture
def respond(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A function that makes a client of a service. AWS sends it these responses in order, each a status, a body and
    headers.
    """
    monkeypatch.setattr(time, "sleep", skip)  # pauses between retries

    def make(service: str, *responses: tuple[int, bytes, dict[str, str]]) -> Any:
        config = (S3_CONFIG if service == "s3" else CLIENT_CONFIG).merge(OWN_ENDPOINTS)
        services: Any = boto3
        client = check_responses(services.client(service, REGION, config=config, **CREDENTIALS))
        remaining = iter(responses)
        client.sent = sent = list[Raw]()

        def send(request: Any, **_: Any) -> AWSResponse:
            status, body, headers = next(remaining)
            raw: Any = Raw(body)
            sent.append(raw)
            fields: Any = headers
            return AWSResponse(request.url, status, fields, raw)

        client.meta.events.register("before-send", send)
        return client

    return make


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "get_item": ("dynamodb", {"TableName": "users", "Key": {"Username": {"S": "ada"}}}),
    "update_item": ("dynamodb", {"TableName": "users", "Key": {"Username": {"S": "ada"}}}),
    "scan": ("dynamodb", {"TableName": "users"}),
    "batch_get_item": ("dynamodb", {"RequestItems": {"users": {"Keys": [{"Username": {"S": "ada"}}]}}}),
    "sign": ("kms", {"KeyId": "k", "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}),
    "get_public_key": ("kms", {"KeyId": "k"}),
    "get_object": ("s3", {"Bucket": "pictures", "Key": "k"}),
    "head_object": ("s3", {"Bucket": "pictures", "Key": "k"}),
    "put_object": ("s3", {"Bucket": "pictures", "Key": "k"}),
    "copy_object": ("s3", {"Bucket": "pictures", "Key": "k", "CopySource": "pictures/j"}),
    "get_object_tagging": ("s3", {"Bucket": "pictures", "Key": "k"}),
    "delete_objects": ("s3", {"Bucket": "pictures", "Delete": {"Objects": [{"Key": "k"}]}}),
    "list_objects_v2": ("s3", {"Bucket": "pictures"}),
}
"""Every call of the services: its client's service and its arguments."""

UNREADABLE = [b"", b"<html>OK</html>", b"[]", b'\xff{"cut": ']


@pytest.mark.parametrize("body", UNREADABLE)
@pytest.mark.parametrize(
    ("call", "status"),
    # A response to HEAD has no body, so its status code says everything.
    [(call, status) for call in CALLS for status in (200, 404) if (call, status != 200) != ("head_object", True)],
)
def test_an_unreadable_response_is_retried_and_then_transient(
    respond: Callable[..., Any], call: str, status: int, body: bytes
) -> None:
    service, arguments = CALLS[call]
    client = respond(service, *[(status, body, {})] * 2)
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**arguments)
    assert is_transient(caught.value)
    assert not is_missing(caught.value)
    assert caught.value.response.get("ResponseMetadata", {}).get("RetryAttempts") == 1


def test_the_connection_of_a_refused_object_is_closed(respond: Callable[..., Any]) -> None:
    client = respond("s3", *[(200, b"", {})] * 2)
    with pytest.raises(ClientError):
        client.get_object(**CALLS["get_object"][1])
    assert [raw.closed for raw in client.sent] == [True, True]


def test_a_readable_response_after_an_unreadable_one_is_returned(respond: Callable[..., Any]) -> None:
    client = respond("dynamodb", (200, b"", {}), (200, b'{"Item": {"Avatar": {"S": "a"}}}', {}))
    assert client.get_item(**CALLS["get_item"][1])["Item"] == {"Avatar": {"S": "a"}}


def test_a_missing_item_is_an_empty_object(respond: Callable[..., Any]) -> None:
    body = b"{}"
    client = respond("dynamodb", (200, body, {"x-amz-crc32": str(crc32(body))}))
    assert "Item" not in client.get_item(**CALLS["get_item"][1])


def test_a_response_with_another_checksum_is_refused(respond: Callable[..., Any]) -> None:
    client = respond("dynamodb", *[(200, b"{}", {"x-amz-crc32": str(crc32(b'{"Item": {}}'))})] * 2)
    with pytest.raises(ClientError) as caught:
        client.get_item(**CALLS["get_item"][1])
    assert is_transient(caught.value)


@pytest.mark.parametrize(
    ("call", "body", "code"),
    [
        ("get_object", b"<Error><Code>NoSuchKey</Code></Error>", "NoSuchKey"),
        (
            "get_object",
            b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
            "AccessDenied",
        ),
        (
            "update_item",
            json.dumps({"__type": "x#ConditionalCheckFailedException"}).encode(),
            "ConditionalCheckFailedException",
        ),
        ("sign", b'{"__type": "AccessDeniedException"}', "AccessDeniedException"),
    ],
)
def test_an_error_of_aws_keeps_its_code(respond: Callable[..., Any], call: str, body: bytes, code: str) -> None:
    service, arguments = CALLS[call]
    client = respond(service, (400, body, {}))
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**arguments)
    assert error_code(caught.value) == code
    assert not is_transient(caught.value)


def test_an_operation_without_output_has_an_empty_body(respond: Callable[..., Any]) -> None:
    respond("kms", (200, b"", {})).enable_key(KeyId="k")


def test_every_client_of_the_services_refuses_such_responses() -> None:
    services = Path(__file__).parents[2] / "services"
    made = [line for path in services.rglob("*.py") for line in path.read_text().splitlines() if ".client(" in line]
    assert made
    assert [line for line in made if "check_responses(" not in line] == []


def test_a_required_member_is_there_or_the_response_is_incomplete() -> None:
    response = {"ETag": "x"}
    assert require(response, "ETag") is response
    with pytest.raises(IncompleteResponseError, match="no ChecksumSHA256, Size") as caught:
        require(response, "ETag", "ChecksumSHA256", "Size")
    assert is_transient(caught.value)
