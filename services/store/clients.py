"""The configuration of every AWS client, with its timeouts and retries, and the errors that a client raises."""

from __future__ import annotations

import gzip
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import msgspec
from botocore import __version__ as botocore_version
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
)
from botocore.exceptions import ConnectionError as AwsConnectionError
from botocore.loaders import JSONFileLoader
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp
from urllib3.exceptions import HTTPError as BrokenResponseError

CLIENT_CONFIG = Config(
    # In one region a response takes tens of milliseconds. Two attempts of at most 1 s to connect and 3 s to respond
    # (to the last byte, see `WholeResponse`), with a pause of at most 1 s between them, take 9 s.
    # A call that starts within 20 s of its request therefore ends before the 30 s after which an HTTP API times out.
    # This is no hard limit: a name look-up, a TLS handshake and a refresh of the credentials have limits of their own.
    # If one of them is slow as well, the client gets the HTTP API's 503 and repeats the call, which is safe.
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=40,
    # By default botocore builds this header from 16 parts, twice in each call, which takes a sixth of the call's CPU.
    user_agent=f"Botocore/{botocore_version}",
)

S3_CONFIG = CLIENT_CONFIG.merge(
    # Without these boto3 signs a POST form with Signature V2 and names the global S3 endpoint, whose redirect to
    # the bucket's region breaks CORS in the browser.
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
        # Otherwise botocore digests the body of each GetObject once more, with the algorithm of the upload. A confirm
        # computes the SHA-256 itself.
        response_checksum_validation="when_required",
    )
)


def create_session() -> boto3.Session:
    """A session that creates clients fast, and whose clients read timestamps fast. botocore's own readers take half of
    the time of creating a client and four fifths of the time of a listing.
    """
    session = botocore.session.get_session()
    session.get_component("data_loader").file_loader = ModelReader()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=read_timestamp)
    return boto3.Session(botocore_session=session)


class ModelReader(JSONFileLoader):
    """Reads botocore's descriptions of AWS services with msgspec. A start reads 4 MB of JSON."""

    def load_file(self, file_path: str) -> Any:
        """The content of the file, whose path has no suffix. None if there is no such file."""
        for suffix, decompress in ((".json", bytes), (".json.gz", gzip.decompress)):
            path = Path(file_path + suffix)
            if path.is_file():
                return msgspec.json.decode(decompress(path.read_bytes()))
        return None


def read_timestamp(value: Any) -> datetime:
    """A timestamp of a response: of S3's XML in ISO 8601, of a header in the form of RFC 9110, or of JSON."""
    match value:
        case str() if value.endswith("Z"):
            return datetime.fromisoformat(value)
        case str() if value.endswith(" GMT"):
            return parsedate_to_datetime(value)
        case _:
            return parse_timestamp(value)


AWS_ERRORS = (ClientError, BotoCoreError, ResponseParserError, BrokenResponseError)
"""Every error that a call to AWS can raise: AWS refused it, could not be reached, or sent a response that can't be
read. botocore lets urllib3's `HTTPError` through when the body of an error response to GetObject is cut off.
"""

_TRANSIENT_CODES = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        # Another call for the same object is in progress (S3, 409).
        "OperationAborted",
        # The credentials expired between signing and arrival, or their refresh is late. The next call has new ones.
        "ExpiredToken",
        "ExpiredTokenException",
        "ThrottlingException",
        "Throttling",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "KMSInternalException",
    }
)

_TRANSIENT_STATUSES = frozenset({408, 429})
"""Status codes that are transient with any error code (RFC 9110, RFC 6585)."""

_TRANSIENT_ERRORS = (
    AwsConnectionError,
    HTTPClientError,
    # The response was cut off or did not come from AWS.
    IncompleteReadError,
    ResponseParserError,
    BrokenResponseError,
    NoCredentialsError,
    CredentialRetrievalError,
)


def is_transient(error: Exception) -> bool:
    """Whether the same call may soon succeed: AWS throttled it, could not be reached or had an internal error."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status in _TRANSIENT_STATUSES or error_code(error) in _TRANSIENT_CODES  # noqa: PLR2004
    return isinstance(error, _TRANSIENT_ERRORS)


def is_missing(error: ClientError) -> bool:
    """Whether S3 has no such object. A response to HEAD has no body, so its error code is the status code."""
    return error_code(error) in {"NoSuchKey", "404"}


def error_code(error: ClientError) -> str:
    """The error code, such as `NoSuchKey`. A response without a body (to HEAD) has the status code instead: `404`."""
    return error.response.get("Error", {}).get("Code", "")
