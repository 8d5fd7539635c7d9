"""AWS clients as every service makes them: time limits and retries set on purpose."""

from __future__ import annotations

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
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError as BrokenAnswerError

CLIENT_CONFIG = Config(
    # In one region an answer takes tens of milliseconds. Two tries, each with a second to connect and three to answer,
    # and a pause of at most one between them, make nine: a call that begins within 20 s of its request is over before
    # the 30 s after which an HTTP API gives up on its integration.
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=40,
    # Otherwise botocore puts it together out of 16 parts, twice a call: a sixth of what a call costs in CPU.
    user_agent=f"Botocore/{botocore_version}",
)

S3_CONFIG = CLIENT_CONFIG.merge(
    # Without these boto3 signs a POST form with Signature V2 and names the global S3 endpoint, whose redirect to
    # the bucket's region breaks CORS in the browser.
    Config(
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
)

AWS_ERRORS = (ClientError, BotoCoreError, ResponseParserError, BrokenAnswerError)
"""All that a call to AWS can raise: it refused, it could not be asked, or its answer could not be read. The last is
what botocore lets through where an error that answers a GetObject breaks off."""

_TRANSIENT_CODES = frozenset(
    {
        "SlowDown",
        "RequestTimeout",
        "ThrottlingException",
        "Throttling",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "TransactionConflictException",
        "KMSInternalException",
    }
)

_TRANSIENT_STATUSES = frozenset({408, 429})
"""Of RFC 9110 and RFC 6585, whatever the code beside them."""

_TRANSIENT_ERRORS = (
    AwsConnectionError,
    HTTPClientError,
    # An answer that breaks off, or is none of AWS's.
    IncompleteReadError,
    ResponseParserError,
    BrokenAnswerError,
    NoCredentialsError,
    CredentialRetrievalError,
)


def is_transient(error: Exception) -> bool:
    """Whether the same call may well succeed in a moment: throttled, out of reach, or failed on AWS's side."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return status >= 500 or status in _TRANSIENT_STATUSES or error_code(error) in _TRANSIENT_CODES  # noqa: PLR2004
    return isinstance(error, _TRANSIENT_ERRORS)


def error_code(error: ClientError) -> str:
    """Such as `NoSuchKey`; for an answer without a body, such as that of HEAD, the status: `404`."""
    return error.response.get("Error", {}).get("Code", "")
