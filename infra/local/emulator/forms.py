"""Refuses what S3 refuses, and MiniStack accepts, in the POST of a form and in the authorization of any request.

AWS: "POST Object", "Error responses". The codes of "Unsupported Authorization Type", "Only one auth mechanism allowed",
`PreconditionFailed` and `MaxPostPreDataLengthExceeded` are those of recorded responses; AWS does not document them.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any

from multipart import MultipartError, MultipartSegment, PushMultipartParser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_FIELD_BYTES = 20 * 1024
"""Maximum size of the fields before the file, with their names (AWS: "POST Object")."""
MAX_KEY_BYTES = 1024
"""Maximum length of a key (AWS: "Naming Amazon S3 objects")."""
MAX_METADATA_BYTES = 2 * 1024
"""Maximum size of the metadata, with its names (AWS: "Working with object metadata")."""
METADATA_PREFIX = "x-amz-meta-"

Part = tuple[str, str | None, dict[str, str], bytes]
"""A part of a form as MiniStack represents it: name, file name, headers and content."""


@dataclass(eq=False)
class RefusedError(Exception):
    """S3 refuses the request with this status and error code."""

    status: int
    code: str
    message: str


def wrap(s3: Any) -> None:
    """Wrap the functions of `ministack.services.s3` that handle a request and parse a form."""
    s3.handle_request = _check_first(s3, s3.handle_request)
    s3._parse_multipart_form = _parse_or_nothing


def _check_first(s3: Any, handle: Callable[..., Any]) -> Callable[..., Any]:
    async def check_and_handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any], **named: Any
    ) -> Any:
        _, key = s3._parse_bucket_key(path, headers)
        is_form = method == "POST" and (not key or _is_multipart(headers)) and "delete" not in query
        try:
            _check_authorization(headers, query, is_form=is_form)
            if is_form:
                _check_form(headers, body, key)
        except RefusedError as error:
            return s3._error(error.code, error.message, error.status)
        return await handle(method, path, headers, body, query, **named)

    return check_and_handle


def _check_authorization(headers: Mapping[str, str], query: Mapping[str, Any], *, is_form: bool) -> None:
    """A request is authorized by the header, by the query string or by its form, and by one of them only.

    Raises:
        RefusedError: the request has a header of another kind, or more than one authorization.
    """
    header = headers.get("authorization")
    in_query = not {"X-Amz-Algorithm", "X-Amz-Signature", "Signature"}.isdisjoint(query)
    if header is not None and (is_form or not header.startswith("AWS")) and not in_query:
        raise RefusedError(400, "InvalidArgument", "Unsupported Authorization Type")
    if in_query and (is_form or header is not None):
        raise RefusedError(400, "InvalidArgument", "Only one auth mechanism allowed")


def _check_form(headers: Mapping[str, str], body: bytes, key: str) -> None:
    """
    Raises:
        RefusedError: the request is not a well-formed form with one file, or is not for a bucket.
    """
    if key:
        raise RefusedError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    if "content-length" not in headers:
        raise RefusedError(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
    if not _is_multipart(headers):
        condition = "Bucket POST must be of the enclosure-type multipart/form-data"
        raise RefusedError(412, "PreconditionFailed", condition)
    try:
        parts = _parse_form(headers["content-type"], body)
    except MultipartError as error:
        message = "The body of your POST request is not well-formed multipart/form-data."
        raise RefusedError(400, "MalformedPOSTRequest", message) from error
    names = [name for name, *_ in parts]
    if names.count("file") != 1:
        raise RefusedError(400, "InvalidArgument", "POST requires exactly one file upload per request.")
    fields = {name.lower(): content for name, _, _, content in parts[: names.index("file")]}
    _check_fields(fields)


def _check_fields(fields: Mapping[str, bytes]) -> None:
    """
    Raises:
        RefusedError: the fields are too large, or signed in a way that S3 does not support in new regions.
    """
    if sum(len(name) + len(value) for name, value in fields.items()) > MAX_FIELD_BYTES:
        message = "Your POST request fields preceding the upload file were too large."
        raise RefusedError(400, "MaxPostPreDataLengthExceeded", message)
    if len(fields.get("key", b"")) > MAX_KEY_BYTES:
        raise RefusedError(400, "KeyTooLongError", "Your key is too long")
    metadata = {name.removeprefix(METADATA_PREFIX): fields[name] for name in fields if name.startswith(METADATA_PREFIX)}
    if sum(len(name) + len(value) for name, value in metadata.items()) > MAX_METADATA_BYTES:
        message = "Your metadata headers exceed the maximum allowed metadata size"
        raise RefusedError(400, "MetadataTooLarge", message)
    if not {"awsaccesskeyid", "signature"}.isdisjoint(fields):
        message = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        raise RefusedError(400, "InvalidRequest", message)


def _parse_or_nothing(content_type: str, body: bytes) -> list[Part]:
    """The parts of a form, or none if it is malformed, as MiniStack's own parser returns them."""
    try:
        return _parse_form(content_type, body)
    except MultipartError:
        return []


def _parse_form(content_type: str, body: bytes) -> list[Part]:
    """
    Raises:
        MultipartError: the body is malformed or incomplete.
    """
    parts: list[Part] = []
    segment, content = None, b""
    with PushMultipartParser(_read_type(content_type).get_boundary(""), header_charset="latin-1") as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                segment, content = event, b""
            elif event is not None:
                content += event
            elif segment:
                headers = {name.lower(): value for name, value in segment.headerlist}
                parts.append((segment.name or "", segment.filename, headers, content))
    return parts


def _is_multipart(headers: Mapping[str, str]) -> bool:
    return _read_type(headers.get("content-type", "")).get_content_type() == "multipart/form-data"


def _read_type(content_type: str) -> Message:
    """The header as a message, which parses its parameters."""
    message = Message()
    message["Content-Type"] = content_type
    return message
