"""Clients with the methods of boto3's that the product uses. They accept only the parameters that it passes."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import ClientError, ReadTimeoutError

from services.store.kinds import KINDS
from services.store.table import Row, make_key, write_row
from services.uploads.users import MARK_TOLD
from services.uploads.webhook import NotAcceptedError
from tests.fake.world import BODIES, DIGESTS, NAMES, PAGE, Call, Failure, Object, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Carry = Callable[[Call], Any]
    """Carries the call out and returns its answer."""


KINDS_BY_ATTRIBUTE: Mapping[tuple[str, ...], str] = {
    names: name
    for name, kind in KINDS.items()
    for names in ((kind.attribute, kind.removed_attribute), (kind.told_attribute,))
}


class Client:
    def __init__(self, carry: Carry) -> None:
        self.carry = carry

    def _call(self, operation: str, *given: Any) -> Any:
        answer = self.carry(Call(operation, given))
        if isinstance(answer, Failure):
            _fail(operation, answer)
        if isinstance(answer, Timeout):
            raise ReadTimeoutError(endpoint_url="https://aws.example")
        return answer


class S3(Client):
    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: ARG002, N803
        stored: Object = self._call("GetObject", Key)
        counted = {"TagCount": len(stored.tags)} if stored.tags else {}
        return {**_headers(stored), **counted, "Body": io.BytesIO(BODIES[stored.body])}

    def head_object(self, *, Bucket: str, Key: str, ChecksumMode: str = "") -> dict[str, Any]:  # noqa: ARG002, N803
        stored: Object = self._call("HeadObject", Key)
        checksum = {"ChecksumSHA256": DIGESTS[stored.body]} if ChecksumMode and stored.has_checksum else {}
        return {**_headers(stored), **checksum}

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
        ChecksumAlgorithm: str,  # noqa: N803
        CopySourceIfMatch: str | None = None,  # noqa: N803
        IfNoneMatch: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if (MetadataDirective, TaggingDirective, ChecksumAlgorithm) != ("REPLACE", "REPLACE", "SHA256"):
            raise NotImplementedError
        metadata = tuple(sorted(Metadata.items()))
        body = self._call(
            "CopyObject", CopySource["Key"], Key, CopySourceIfMatch, IfNoneMatch == "*", metadata, ContentType
        )
        return {"CopyObjectResult": {"ETag": f'"{body}"', "ChecksumSHA256": DIGESTS[body]}}

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: ARG002, N803
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        ContentType: str,  # noqa: N803
        Metadata: Mapping[str, str],  # noqa: N803
        ChecksumSHA256: str,  # noqa: N803
        IfMatch: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if ChecksumSHA256 != Metadata["sha256"]:
            raise NotImplementedError
        made = Object(NAMES[Body], tuple(sorted(Metadata.items())), content_type=ContentType, has_checksum=True)
        self._call("PutObject", Key, IfMatch, made)
        return {}

    def delete_objects(self, *, Bucket: str, Delete: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002, N803
        errors = self._call("DeleteObjects", *(entry["Key"] for entry in Delete["Objects"]))
        return {"Errors": errors} if errors else {}

    def list_objects_v2(self, *, Bucket: str, Prefix: str, MaxKeys: int, StartAfter: str) -> dict[str, Any]:  # noqa: ARG002, N803
        entries, is_more = self._call("ListObjectsV2", Prefix, StartAfter, MaxKeys)
        contents = [
            {
                "Key": key,
                "Size": len(BODIES[stored.body]),
                "LastModified": datetime.fromtimestamp(stored.modified, UTC),
            }
            for key, stored in entries
        ]
        return {"IsTruncated": is_more} | ({"Contents": contents} if contents else {})

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages(self._list_pages if operation == "list_objects_v2" else _unknown)

    def _list_pages(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        after, is_more = "", True
        while is_more:
            page = self.list_objects_v2(Bucket=Bucket, Prefix=Prefix, MaxKeys=PAGE, StartAfter=after)
            yield page
            is_more = page["IsTruncated"]
            after = page["Contents"][-1]["Key"] if is_more else ""


class Application(Client):
    """A messenger that delivers to an application in the world."""

    def send(self, message_id: str, body: bytes) -> None:
        try:
            self._call("Tell", message_id, body)
        except (ClientError, ReadTimeoutError) as error:
            raise NotAcceptedError from error


class DynamoDB(Client):
    def get_item(
        self,
        *,
        TableName: str,  # noqa: ARG002, N803
        Key: Mapping[str, Any],  # noqa: N803
        ConsistentRead: bool,  # noqa: N803
        ProjectionExpression: str | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if not ConsistentRead:
            raise NotImplementedError
        row = self._call("GetItem", Key["Username"]["S"])
        return {"Item": _project(row, ProjectionExpression)} if row else {}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N803
        [(table, wanted)] = RequestItems.items()
        if not wanted["ConsistentRead"]:
            raise NotImplementedError
        rows, unprocessed = self._call("BatchGetItem", *(key["Username"]["S"] for key in wanted["Keys"]))
        left = {table: {**wanted, "Keys": [make_key(username) for username in unprocessed]}} if unprocessed else {}
        return {"Responses": {table: _project_all(rows, None)}, "UnprocessedKeys": left}

    def update_item(
        self,
        *,
        TableName: str,  # noqa: ARG002, N803
        Key: Mapping[str, Any],  # noqa: N803
        UpdateExpression: str,  # noqa: N803
        ExpressionAttributeNames: Mapping[str, str],  # noqa: N803
        ExpressionAttributeValues: Mapping[str, Any],  # noqa: N803
        ReturnValues: str = "NONE",  # noqa: N803
        ConditionExpression: str | None = None,  # noqa: N803
        ReturnValuesOnConditionCheckFailure: str = "NONE",  # noqa: ARG002, N803
    ) -> dict[str, Any]:
        if ReturnValues != ("NONE" if UpdateExpression == MARK_TOLD else "ALL_OLD"):
            raise NotImplementedError(ReturnValues)
        values = {name: value["S"] for name, value in ExpressionAttributeValues.items()}
        kind = KINDS_BY_ATTRIBUTE[tuple(ExpressionAttributeNames.values())]
        given = (values[":id"], UpdateExpression, ConditionExpression, values.get(":old"), kind)
        old = self._call("UpdateItem", Key["Username"]["S"], *given)
        return {"Attributes": write_row(old)} if old and ReturnValues == "ALL_OLD" else {}

    def scan(
        self,
        *,
        TableName: str,  # noqa: ARG002, N803
        Limit: int,  # noqa: N803
        ConsistentRead: bool,  # noqa: N803
        ProjectionExpression: str | None = None,  # noqa: N803
        ExclusiveStartKey: Mapping[str, Any] | None = None,  # noqa: N803
    ) -> dict[str, Any]:
        if not ConsistentRead:
            raise NotImplementedError
        rows, is_more = self._call("Scan", ExclusiveStartKey["Username"]["S"] if ExclusiveStartKey else "", Limit)
        last = {"LastEvaluatedKey": make_key(rows[-1].username)} if is_more else {}
        return {"Items": _project_all(rows, ProjectionExpression), **last}

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages(self._scan_pages if operation == "scan" else _unknown)

    def _scan_pages(self, **given: Any) -> Iterator[dict[str, Any]]:
        start: Mapping[str, Any] | None = {}
        while start is not None:
            page = self.scan(Limit=PAGE, ExclusiveStartKey=start, **given)
            yield page
            start = page.get("LastEvaluatedKey")


class _Pages:
    def __init__(self, paginate: Callable[..., Iterator[dict[str, Any]]]) -> None:
        self.paginate = paginate


def _unknown(**_: Any) -> Iterator[dict[str, Any]]:
    raise NotImplementedError


def _fail(operation: str, failure: Failure) -> NoReturn:
    error: Any = {"Error": {"Code": failure.code}, "ResponseMetadata": {"HTTPStatusCode": failure.status}}
    if failure.row is not None:
        error["Item"] = write_row(failure.row)
    raise ClientError(error, operation)


def _headers(stored: Object) -> dict[str, Any]:
    return {
        "ETag": stored.etag,
        "ContentLength": len(BODIES[stored.body]),
        "ContentType": stored.content_type,
        "LastModified": datetime.fromtimestamp(stored.modified, UTC),
        "Metadata": dict(stored.metadata),
    }


def _project_all(rows: Iterable[Row], expression: str | None) -> list[dict[str, Any]]:
    return [_project(row, expression) for row in rows]


def _project(row: Row, expression: str | None) -> dict[str, Any]:
    item = write_row(row)
    names = expression.split(", ") if expression else item
    return {name: item[name] for name in names if name in item}
