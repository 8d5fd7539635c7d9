"""Refuses responses of AWS that are cut off, too slow or unreadable, so that none is mistaken for a complete one.

The HTTP client in Python's standard library takes the end of a connection for the end of the header section, and
botocore reads a JSON body that is not JSON as an empty one. A response that was cut off would then say that an item
does not exist or that an update is done.
"""

from __future__ import annotations

import io
import json
import re
import time
from binascii import crc32
from http.client import HTTPResponse, RemoteDisconnected
from typing import TYPE_CHECKING, Any, TypeVar
from xml.etree import ElementTree as ET

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.exceptions import HTTPClientError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from botocore.awsrequest import AWSResponse
    from botocore.client import BaseClient
    from botocore.model import OperationModel

Client = TypeVar("Client", bound="BaseClient")
Response = TypeVar("Response", bound="Mapping[str, Any]")

_ROOTS = {
    "CopyObject": "CopyObjectResult",
    "DeleteObjects": "DeleteResult",
    "GetObjectTagging": "Tagging",
    "ListObjectsV2": "ListBucketResult",
}
"""For each S3 operation with an XML body that the services call: the root element of a successful response."""

_MEMBERS = {
    "BatchGetItem": ("Responses", "UnprocessedKeys"),
    "GetObject": ("ContentLength", "ContentType", "ETag", "LastModified"),
    "GetObjectTagging": ("TagSet",),
    "GetPublicKey": ("PublicKey",),
    "HeadObject": ("ContentType", "ETag", "LastModified"),
    "ListObjectsV2": ("IsTruncated",),
    "PutObject": ("ETag",),
    "Scan": ("Items",),
    "Sign": ("Signature",),
}
"""For each operation that the services call: the members that every successful response has."""

_FIRST_ERROR_STATUS = 300
"""botocore raises a `ClientError` for this status code and every higher one."""

_BAD_GATEWAY = 502
"""The status code that a refused response is given. botocore retries it."""


class IncompleteResponseError(HTTPClientError):
    """A response of AWS lacks a member that its operation always returns."""

    fmt = "AWS sent an incomplete response: {error}"


def check_responses(client: Client) -> Client:
    """Make the client refuse responses that are cut off, too slow or unreadable. It retries such a call, and then
    raises an error that `is_transient` recognizes. Returns the client.
    """
    # botocore has no option for the class of a response, which `http.client` takes from the class of a connection.
    for connection in (AWSHTTPConnection, AWSHTTPSConnection):
        connection.response_class = WholeResponse
    client.meta.events.register("before-parse", _refuse_unreadable_body)
    # botocore calls handlers of a longer event name first, so this is the name under which it decides whether to retry.
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register_first(f"needs-retry.{service}", _refuse_incomplete_response)
    return client


def require(response: Response, *names: str) -> Response:
    """The response, if it has these members.

    Raises:
        IncompleteResponseError: a member is missing.
    """
    if missing := [name for name in names if name not in response]:
        raise IncompleteResponseError(error=f"no {', '.join(missing)}")
    return response


class WholeResponse(HTTPResponse):
    """An HTTP response whose header section must end with an empty line and must say how long the body is.

    The time spent waiting for its bytes, in total, is limited by the read timeout, which otherwise starts again with
    each packet.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._bytes = _Bytes(sock, self.fp.detach())
        self.fp = io.BufferedReader(self._bytes)

    def begin(self) -> None:
        """
        Raises:
            RemoteDisconnected: the connection ended within the header section, or the length of the body is unknown.
            TimeoutError: the read timeout is over.
        """
        super().begin()
        self._bytes.may_end = True
        if self.length is None and not self.chunked:
            self.close()
            raise RemoteDisconnected("The response does not say how long its body is")


class _Bytes(io.RawIOBase):
    """The bytes of one response."""

    may_end = False
    """Whether the header section is complete."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._seconds = sock.gettimeout()
        """How much of the read timeout is left. None if there is no timeout."""

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer) if self._seconds is None else self._read_in_time(buffer, self._seconds)
        if not count and not self.may_end:
            raise RemoteDisconnected("The response ended within its header section")
        return count

    def _read_in_time(self, buffer: Any, seconds: float) -> int | None:
        if seconds <= 0:
            raise TimeoutError("The response took longer than the read timeout")
        timeout = self._sock.gettimeout()
        self._sock.settimeout(seconds)
        started = time.monotonic()
        try:
            return self._raw.readinto(buffer)
        finally:
            self._seconds = seconds - (time.monotonic() - started)
            self._sock.settimeout(timeout)

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


def _refuse_unreadable_body(operation_model: OperationModel, response_dict: dict[str, Any], **_: Any) -> None:
    """Turn a response that can't be read into an error before botocore parses it."""
    if not _is_readable(operation_model, response_dict):
        response_dict["status_code"] = _BAD_GATEWAY
        response_dict["body"] = b""


def _is_readable(operation: OperationModel, response: Mapping[str, Any]) -> bool:
    body, is_error = response["body"], response["status_code"] >= _FIRST_ERROR_STATUS
    if operation.service_model.resolved_protocol == "json":
        has_body = is_error or operation.output_shape is not None
        return not has_body or (_is_right_checksum(response["headers"], body) and _is_json_object(body, is_error))
    if operation.http["method"] == "HEAD":
        return True
    if is_error:
        return _has_error_code(body)
    root = _ROOTS.get(operation.name)
    return root is None or _find_root(body) == root


def _is_right_checksum(headers: Mapping[str, str], body: bytes) -> bool:
    """DynamoDB sends the CRC-32 of each body."""
    checksum = headers.get("x-amz-crc32")
    return checksum is None or checksum == str(crc32(body))


def _is_json_object(body: bytes, is_error: bool) -> bool:  # noqa: FBT001 - the caller passes a variable of this name
    try:
        content = json.loads(body)
    except ValueError:
        return False
    return isinstance(content, dict) and (not is_error or isinstance(content.get("__type"), str))  # pyright: ignore[reportUnknownMemberType]


def _has_error_code(body: bytes) -> bool:
    try:
        return bool(ET.fromstring(body).findtext("Code"))  # noqa: S314 - botocore parses the same text next
    except ET.ParseError:
        return False


def _find_root(body: bytes) -> str:
    found = re.match(rb"\s*(?:<\?xml[^>]*>\s*)?<(\w+)", body)
    return found[1].decode() if found else ""


def _refuse_incomplete_response(
    response: tuple[AWSResponse, dict[str, Any]] | None, operation: OperationModel, **_: Any
) -> None:
    """Before botocore decides whether to retry, give it the status code of a refused response."""
    if response is None:
        return
    http_response, parsed = response
    metadata = parsed["ResponseMetadata"]
    missing = [name for name in _MEMBERS.get(operation.name, ()) if name not in parsed]
    if missing and metadata["HTTPStatusCode"] < _FIRST_ERROR_STATUS:
        metadata["HTTPStatusCode"] = _BAD_GATEWAY
        parsed["Error"] = {"Code": str(_BAD_GATEWAY), "Message": f"The response has no {', '.join(missing)}"}
        # Nobody reads the body of a refused GetObject, which would keep its connection open.
        http_response.raw.close()
    http_response.status_code = metadata["HTTPStatusCode"]
