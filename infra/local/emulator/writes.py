"""Adds what MiniStack lacks when an object is written: it ignores the field `tagging` and the checksum of a form, reads
form fields after the file, and gives a new object the tags of the object that it replaces.

AWS: "POST Object" (`tagging`, `file`), "Checking object integrity" (`x-amz-checksum-sha256`), "Categorizing your
storage using tags".
"""

from __future__ import annotations

import contextlib
import contextvars
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from xml.etree.ElementTree import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MAX_TAGS = 10
"""Maximum number of tags of an object (AWS: "Categorizing your storage using tags")."""


@dataclass
class Write:
    """The object that the current request writes. The wrappers fill it in while the request is handled."""

    location: tuple[str, str] | None = None
    """Bucket and key. For a form it is set once the policy has allowed them."""
    file: bytes = b""
    checksums: dict[str, str] | None = None
    """Checksums of a form. None for a PUT, whose checksums MiniStack reads."""


_write: contextvars.ContextVar[Write | None] = contextvars.ContextVar("write", default=None)


def wrap(s3: Any) -> None:
    """Wrap the functions of `ministack.services.s3` that handle a PUT or a form, listed in the order of their calls."""
    s3._put_object = _begin_put(s3._put_object)
    s3._post_object = _begin_form(s3._post_object)
    s3._parse_multipart_form = _end_at_file(s3._parse_multipart_form)
    s3._enforce_signed_post_policy = _check_after_policy(s3, s3._enforce_signed_post_policy)
    s3._build_object_record = _replace_object(s3, s3._build_object_record)


def _begin_put(handle: Callable[..., Any]) -> Callable[..., Any]:
    def begin(bucket: str, key: str, *rest: Any, **named: Any) -> Any:
        with _writing(Write(location=(bucket, key))):
            return handle(bucket, key, *rest, **named)

    return begin


def _begin_form(handle: Callable[..., Any]) -> Callable[..., Any]:
    def begin(*given: Any) -> Any:
        with _writing(Write(checksums={})):
            return handle(*given)

    return begin


@contextlib.contextmanager
def _writing(write: Write) -> Generator[None, None, None]:
    token = _write.set(write)
    try:
        yield
    finally:
        _write.reset(token)


def _end_at_file(parse: Callable[..., Any]) -> Callable[..., Any]:
    """S3 ignores the fields after the file."""

    def end_at_file(content_type: str, body: bytes) -> Any:
        parts = parse(content_type, body)
        files = [index for index, (name, *_) in enumerate(parts) if name == "file"]
        if not files:
            return parts
        if write := _write.get():
            *_, write.file = parts[files[0]]
        return parts[: files[0] + 1]

    return end_at_file


def _check_after_policy(s3: Any, check: Callable[..., Any]) -> Callable[..., Any]:
    """Check the policy with the fields as they were sent, then apply the checksum and the tags."""

    def check_all(fields: dict[str, str], bucket: str, region: str, size: int, sigv4: bool) -> Any:  # noqa: FBT001
        error = (
            check(fields, bucket, region, size, sigv4)
            or _apply_checksum(s3, fields)
            or _apply_tagging(s3, fields, bucket, region)
        )
        if (write := _write.get()) and not error:
            write.location = (bucket, fields["key"])
        return error

    return check_all


def _replace_object(s3: Any, build: Callable[..., Any]) -> Callable[..., Any]:
    """Delete the tags of the old object, and store the checksum of a form with the new one."""

    def build_without_old_tags(*given: Any, checksums: dict[str, str] | None = None, **named: Any) -> Any:
        write = _write.get()
        if write and write.location:
            s3._object_tags.pop((*write.location, None), None)
        if write and write.checksums is not None:
            checksums = write.checksums
        return build(*given, checksums=checksums, **named)

    return build_without_old_tags


def _apply_checksum(s3: Any, fields: dict[str, str]) -> Any:
    """Compare the file with the form's checksum and remember that. Returns an error if they differ."""
    write = _write.get()
    if write is None:
        return None
    given = {name: value for name, value in fields.items() if name.startswith("x-amz-checksum-")}
    write.checksums, error = s3._resolve_object_checksums(write.file, given)
    return error


def _apply_tagging(s3: Any, fields: dict[str, str], bucket: str, region: str) -> Any:
    """Pass the tags on in the field that MiniStack reads. Returns an error if they are invalid or not permitted."""
    if "tagging" not in fields:
        return None
    try:
        tags: dict[str, str] = s3._parse_tags_xml(fields["tagging"].encode())
    except ParseError:
        return s3._error("MalformedXML", "The XML you provided was not well-formed.", 400)
    if len(tags) > MAX_TAGS:
        return s3._error("BadRequest", f"Object tags cannot be greater than {MAX_TAGS}", 400)
    if not _may_tag(s3, fields, bucket, region):
        return s3._error("AccessDenied", "Access Denied", 403)
    fields["x-amz-tagging"] = urlencode(tags)
    return None


def _may_tag(s3: Any, fields: dict[str, str], bucket: str, region: str) -> bool:
    """Whether the form's signer has s3:PutObjectTagging, which a form with tags needs in addition to s3:PutObject."""
    from ministack.core.iam_evaluator import enforce  # noqa: PLC0415 - importing the emulator reads its environment

    signer = fields["x-amz-credential"].partition("/")[0]
    account = s3.find_iam_access_key_account(signer) or s3.get_account_id()
    with s3.request_scope(account, region):
        resource = f"arn:aws:s3:::{bucket}/{fields['key']}"
        return enforce(signer, "s3:PutObjectTagging", "s3", region, resource_arn=resource) is None
