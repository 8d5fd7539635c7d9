"""Adds what MiniStack lacks in CopyObject: the conditions on the target, and the checksum that a copy computes.

AWS: "CopyObject" (`If-Match`, `If-None-Match`, `x-amz-checksum-algorithm`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def wrap(s3: Any) -> None:
    """Wrap the function of `ministack.services.s3` that handles CopyObject."""
    s3._copy_object = _copy_on_conditions(s3, _copy_with_checksum(s3, s3._copy_object))


def _copy_on_conditions(s3: Any, copy: Callable[..., Any]) -> Callable[..., Any]:
    def copy_if_allowed(bucket: str, key: str, headers: dict[str, str]) -> Any:
        target = s3._ensure_bucket(bucket)
        error = target and s3._check_put_preconditions(headers, target["objects"].get(key))
        return error or copy(bucket, key, headers)

    return copy_if_allowed


def _copy_with_checksum(s3: Any, copy: Callable[..., Any]) -> Callable[..., Any]:
    """A copy keeps the checksum of its source, or has one of the requested algorithm instead. The response names it."""

    def copy_and_compute(bucket: str, key: str, headers: dict[str, str]) -> Any:
        algorithm = headers.get("x-amz-checksum-algorithm")
        if algorithm:
            headers = headers | {"x-amz-sdk-checksum-algorithm": algorithm}
        status, response_headers, body = copy(bucket, key, headers)
        if status != 200:  # noqa: PLR2004 - every other status is an error
            return status, response_headers, body
        stored = s3._ensure_bucket(bucket)["objects"][key]
        if algorithm:
            stored["checksums"] = {algorithm.upper(): stored["checksums"][algorithm.upper()]}
            if s3.S3_PERSIST:
                s3._persist_object(bucket, key, stored)
        added = "".join(f"<Checksum{name}>{value}</Checksum{name}>" for name, value in stored["checksums"].items())
        end = b"</CopyObjectResult>"
        return status, response_headers, body.replace(end, added.encode() + end)

    return copy_and_compute
