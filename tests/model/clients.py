"""Clients as boto3 makes them, that hand each call to somebody else. What the code never passes they don't take."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.model.world import BODIES, NAMES, Call, CopySpec, Failure, Object, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Carry = Callable[[Call], Any]
    """Makes the call, or answers as if it had been made."""


class Client:
    def __init__(self, carry: Carry) -> None:
        self._carry = carry

    def _call(self, operation: str, *given: Any) -> Any:
        answer = self._carry(Call(operation, given))
        if isinstance(answer, Failure):
            metadata = {"ResponseMetadata": {"HTTPStatusCode": answer.status}}
            error: Any = {"Error": {"Code": answer.code}, **metadata}
            if answer.item is not None:
                error["Item"] = _row(answer.item)
            raise ClientError(error, operation)
        if isinstance(answer, Timeout):
            raise ReadTimeoutError(endpoint_url="https://aws.example")
        return answer


class S3(Client):
    def get_object(self, *, Bucket: str, Key: str, Range: str) -> dict[str, Any]:  # noqa: ARG002, N803
        stored: Object = self._call("GetObject", Key)
        body = BODIES[stored.body]
        first, _, last = Range.removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last) + 1]
        counted = {"TagCount": len(stored.tags)} if stored.tags else {}
        return {
            **_headers(stored),
            **counted,
            "ContentRange": f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}",
            "Body": io.BytesIO(part),
        }

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: ARG002, N803
        return _headers(self._call("HeadObject", Key))

    def get_object_tagging(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: ARG002, N803
        stored: Object = self._call("GetObjectTagging", Key)
        return {"TagSet": [{"Key": name, "Value": value} for name, value in stored.tags]}

    def copy_object(  # noqa: PLR0913
        self,
        *,
        Bucket: str,  # noqa: ARG002, N803
        Key: str,  # noqa: N803
        CopySource: Mapping[str, str],  # noqa: N803
        MetadataDirective: str,  # noqa: N803
        TaggingDirective: str,  # noqa: N803
        ContentType: str,  # noqa: N803
        Metadata: Mapping[str, str],  # noqa: N803
        CacheControl: str,  # noqa: ARG002, N803
        CopySourceIfMatch: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if (MetadataDirective, TaggingDirective) != ("REPLACE", "REPLACE"):
            raise NotImplementedError
        metadata = tuple(sorted(Metadata.items()))
        self._call("CopyObject", CopySpec(CopySource["Key"], Key, CopySourceIfMatch, metadata, ContentType))
        return {"CopyObjectResult": {"ETag": CopySourceIfMatch}}

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: ARG002, N803
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        ContentType: str,  # noqa: N803
        Metadata: Mapping[str, str],  # noqa: N803
        IfMatch: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        made = Object(NAMES[Body], tuple(sorted(Metadata.items())), content_type=ContentType)
        self._call("PutObject", Key, IfMatch, made)
        return {}

    def delete_objects(self, *, Bucket: str, Delete: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002, N803
        self._call("DeleteObjects", *(entry["Key"] for entry in Delete["Objects"]))
        return {}

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages(self._list_pages if operation == "list_objects_v2" else _unknown)

    def _list_pages(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: ARG002, N803
        after, is_more = "", True
        while is_more:
            entries, is_more = self._call("ListObjectsV2", Prefix, after)
            yield {
                "Contents": [
                    {"Key": key, "LastModified": datetime.fromtimestamp(stored.modified, UTC)}
                    for key, stored in entries
                ]
            }
            after = entries[-1][0] if entries else ""


class DynamoDB(Client):
    def get_item(
        self,
        *,
        TableName: str,  # noqa: ARG002, N803
        Key: Mapping[str, Any],  # noqa: N803
        ProjectionExpression: str,  # noqa: ARG002, N803
        ConsistentRead: bool,  # noqa: N803
    ) -> dict[str, Any]:
        if not ConsistentRead:
            raise NotImplementedError
        row = self._call("GetItem", Key["Username"]["S"])
        return {"Item": _row(row)} if row else {}

    def update_item(
        self,
        *,
        TableName: str,  # noqa: ARG002, N803
        Key: Mapping[str, Any],  # noqa: N803
        UpdateExpression: str,  # noqa: N803
        ExpressionAttributeValues: Mapping[str, Any],  # noqa: N803
        ReturnValues: str,  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: ARG002, N803
    ) -> dict[str, Any]:
        if (UpdateExpression, ReturnValues) != ("SET Avatar = :new", "UPDATED_OLD"):
            raise NotImplementedError
        avatar = ExpressionAttributeValues[":new"]["S"]
        old = self._call("UpdateItem", Key["Username"]["S"], avatar, ConditionExpression)
        return {"Attributes": {"Avatar": {"S": old}}} if old else {}

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages(self._scan_pages if operation == "scan" else _unknown)

    def _scan_pages(
        self,
        *,
        TableName: str,  # noqa: ARG002, N803
        ProjectionExpression: str,  # noqa: ARG002, N803
        ConsistentRead: bool,  # noqa: N803
    ) -> Iterator[dict[str, Any]]:
        if not ConsistentRead:
            raise NotImplementedError
        after, is_more = "", True
        while is_more:
            rows, is_more = self._call("Scan", after)
            yield {"Items": [_row(row) for row in rows]}
            after = rows[-1][0] if rows else ""


class _Pages:
    def __init__(self, paginate: Callable[..., Iterator[dict[str, Any]]]) -> None:
        self.paginate = paginate


def _unknown(**_: Any) -> Iterator[dict[str, Any]]:
    raise NotImplementedError


def _headers(stored: Object) -> dict[str, Any]:
    return {"ETag": stored.etag, "ContentType": stored.content_type, "Metadata": dict(stored.metadata)}


def _row(row: tuple[str, str | None]) -> dict[str, Any]:
    username, avatar = row
    return {"Username": {"S": username}} | ({"Avatar": {"S": avatar}} if avatar else {})
