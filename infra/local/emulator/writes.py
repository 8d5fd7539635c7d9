"""What MiniStack leaves out when an object is written: a form's `tagging` field and digest, that a form ends at its
file, and that a new object does not inherit the tags of the one it replaces.

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

MOST_TAGS = 10
"""On one object (AWS: "Categorizing your storage using tags")."""


@dataclass
class Write:
    """What is known of the object that the current request writes, as its handling goes on."""

    place: tuple[str, str] | None = None
    """Bucket and key; of a form, once its policy has allowed them."""
    file: bytes = b""
    checksums: dict[str, str] | None = None
    """Those of a form; None where MiniStack knows them itself."""


_write: contextvars.ContextVar[Write | None] = contextvars.ContextVar("write", default=None)


def wrap(s3: Any) -> None:
    """The functions of `ministack.services.s3` that handle a PUT or a form, in the order in which they run."""
    s3._put_object = _begin_put(s3._put_object)
    s3._post_object = _begin_form(s3._post_object)
    s3._parse_multipart_form = _end_at_file(s3._parse_multipart_form)
    s3._enforce_signed_post_policy = _check_after_policy(s3, s3._enforce_signed_post_policy)
    s3._build_object_record = _make_anew(s3, s3._build_object_record)


def _begin_put(handle: Callable[..., Any]) -> Callable[..., Any]:
    def begin(bucket: str, key: str, *rest: Any, **named: Any) -> Any:
        with _writing(Write(place=(bucket, key))):
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
    """S3 ignores what follows the file."""

    def end_at_file(content_type: str, body: bytes) -> Any:
        parts = parse(content_type, body)
        files = [place for place, (name, *_) in enumerate(parts) if name == "file"]
        if not files:
            return parts
        if write := _write.get():
            *_, write.file = parts[files[0]]
        return parts[: files[0] + 1]

    return end_at_file


def _check_after_policy(s3: Any, check: Callable[..., Any]) -> Callable[..., Any]:
    """The policy has its say first, about the fields as they were sent; what it allows is then applied."""

    def check_all(fields: dict[str, str], bucket: str, region: str, size: int, sigv4: bool) -> Any:  # noqa: FBT001
        refused = (
            check(fields, bucket, region, size, sigv4)
            or _apply_digest(s3, fields)
            or _apply_tagging(s3, fields, bucket, region)
        )
        if (write := _write.get()) and not refused:
            write.place = (bucket, fields["key"])
        return refused

    return check_all


def _make_anew(s3: Any, build: Callable[..., Any]) -> Callable[..., Any]:
    """The object that takes the old one's place right after this, with its own digest and no tags of the old one."""

    def build_anew(*given: Any, checksums: dict[str, str] | None = None, **named: Any) -> Any:
        write = _write.get()
        if write and write.place:
            s3._object_tags.pop((*write.place, None), None)
        if write and write.checksums is not None:
            checksums = write.checksums
        return build(*given, checksums=checksums, **named)

    return build_anew


def _apply_digest(s3: Any, fields: dict[str, str]) -> Any:
    """Hold the file against the digest, and keep it with the object; the error where they differ."""
    write = _write.get()
    if write is None:
        return None
    given = {name: value for name, value in fields.items() if name.startswith("x-amz-checksum-")}
    write.checksums, error = s3._resolve_object_checksums(write.file, given)
    return error


def _apply_tagging(s3: Any, fields: dict[str, str], bucket: str, region: str) -> Any:
    """Hand the tags on in the spelling that MiniStack knows; the error where they can't be or may not be set."""
    if "tagging" not in fields:
        return None
    try:
        tags: dict[str, str] = s3._parse_tags_xml(fields["tagging"].encode())
    except ParseError:
        return s3._error("MalformedXML", "The XML you provided was not well-formed.", 400)
    if len(tags) > MOST_TAGS:
        return s3._error("BadRequest", "Object tags cannot be greater than 10", 400)
    if not _may_tag(s3, fields, bucket, region):
        return s3._error("AccessDenied", "Access Denied", 403)
    fields["x-amz-tagging"] = urlencode(tags)
    return None


def _may_tag(s3: Any, fields: dict[str, str], bucket: str, region: str) -> bool:
    """Whether the form's signer has s3:PutObjectTagging, which a form with tags needs besides s3:PutObject."""
    from ministack.core.iam_evaluator import enforce  # noqa: PLC0415 - importing the emulator reads its environment

    signer = fields["x-amz-credential"].partition("/")[0]
    account = s3.find_iam_access_key_account(signer) or s3.get_account_id()
    with s3.request_scope(account, region):
        resource = f"arn:aws:s3:::{bucket}/{fields['key']}"
        return enforce(signer, "s3:PutObjectTagging", "s3", region, resource_arn=resource) is None
