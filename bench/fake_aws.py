"""A fake AWS for the benchmark: S3, DynamoDB and KMS in memory. It delays each response and checks no permission.

It is not the tests' fake (`tests/fake`): clients reach this one over sockets, so that they can be measured.

`python -m bench.fake_aws` starts it, with HOST and PORT in the environment. Requests under `/_bench/` set the delay,
make objects older, create objects with their rows, and return the calls that were made.
"""

from __future__ import annotations

import asyncio
import base64
import bisect
import hashlib
import os
import re
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

import msgspec
import uuid_utils
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from litestar.types import Receive, Scope, Send

CONTROL = "/_bench/"
METADATA = "x-amz-meta-"

MAX_KEYS = 1000
"""Maximum number of keys in one listing (AWS: ListObjectsV2)."""

MAX_ROWS = 10_000
"""Maximum number of rows in one page of a scan: about 1 MB, the maximum of AWS."""

Item = TypeVar("Item")


class ServedCall(msgspec.Struct, frozen=True, array_like=True):
    """A call to AWS with its begin and end, seconds of the machine's monotonic clock."""

    operation: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """The object's key in a path-style request to S3."""
        return self.path.lstrip("/").partition("/")[2]


@dataclass(frozen=True, slots=True)
class Response:
    operation: str
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Stored:
    body: bytes
    content_type: str
    metadata: Mapping[str, str]
    tags: Mapping[str, str]
    modified: datetime
    etag: str
    checksum: str | None = None
    """The SHA-256 that a copy computed, in base64."""

    @property
    def headers(self) -> dict[str, str]:
        counted = {"x-amz-tagging-count": str(len(self.tags))} if self.tags else dict[str, str]()
        return {
            "ETag": self.etag,
            "Content-Type": self.content_type,
            "Last-Modified": format_datetime(self.modified, usegmt=True),
            **{METADATA + name: value for name, value in self.metadata.items()},
            **counted,
        }


class Ordered(dict[str, Item]):
    """A dictionary whose keys can be read in order. They are sorted again only after a key was added or removed."""

    def __init__(self, items: Iterable[tuple[str, Item]] = ()) -> None:
        super().__init__(items)
        self._keys: list[str] | None = None

    def __setitem__(self, key: str, item: Item) -> None:
        if key not in self:
            self._keys = None
        super().__setitem__(key, item)

    def discard(self, key: str) -> None:
        if self.pop(key, None) is not None:
            self._keys = None

    def list_keys(self, count: int, after: str = "", prefix: str = "") -> list[str]:
        """At most `count` keys with this prefix that come after that key, in order."""
        if self._keys is None:
            self._keys = sorted(self)
        first = max(bisect.bisect_right(self._keys, after), bisect.bisect_left(self._keys, prefix))
        return [key for key in self._keys[first : first + count] if key.startswith(prefix)]


class S3:
    """One bucket. Its name is ignored."""

    def __init__(self) -> None:
        self.objects = Ordered[Stored]()

    def age(self, by: timedelta) -> None:
        """Make all objects older."""
        self.objects = Ordered(
            (key, replace(stored, modified=stored.modified - by)) for key, stored in self.objects.items()
        )

    def handle(self, request: Request) -> Response:
        if not request.key:
            return self._delete_all(request) if request.method == "POST" else self._list(request)
        match request.method:
            case "PUT":
                return self._copy(request) if "x-amz-copy-source" in request.headers else self._put(request)
            case "POST":
                return _xml(
                    "CreateMultipartUpload",
                    f"<InitiateMultipartUploadResult><Key>{escape(request.key)}</Key><UploadId>1</UploadId>"
                    "</InitiateMultipartUploadResult>",
                )
            case "DELETE":
                return self._untag(request) if "tagging" in request.query else self._delete(request)
            case _:
                return self._read_tags(request) if "tagging" in request.query else self._get(request)

    def _list(self, request: Request) -> Response:
        after = request.query.get("continuation-token") or request.query.get("start-after", "")
        limit = int(request.query.get("max-keys", MAX_KEYS))
        keys = self.objects.list_keys(limit + 1, after, request.query.get("prefix", ""))
        entries = "".join(_entry(key, self.objects[key]) for key in keys[:limit])
        more = "<IsTruncated>false</IsTruncated>"
        if len(keys) > limit:
            more = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{keys[limit - 1]}</NextContinuationToken>"
        return _xml("ListObjectsV2", f"<ListBucketResult>{more}{entries}</ListBucketResult>")

    def _get(self, request: Request) -> Response:
        operation = "HeadObject" if request.method == "HEAD" else "GetObject"
        stored = self.objects.get(request.key)
        if stored is None:
            return _s3_error(operation, 404, "NoSuchKey")
        if request.method == "HEAD" and stored.checksum and "x-amz-checksum-mode" in request.headers:
            return Response(operation, 200, b"", stored.headers | {"x-amz-checksum-sha256": stored.checksum})
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", ""))
        if span is None:
            return Response(operation, 200, stored.body, stored.headers)
        first, last = int(span[1]), min(int(span[2]), len(stored.body) - 1)
        headers = stored.headers | {"Content-Range": f"bytes {first}-{last}/{len(stored.body)}"}
        return Response(operation, 206, stored.body[first : last + 1], headers)

    def _put(self, request: Request) -> Response:
        etag = f'"{hashlib.md5(request.body, usedforsecurity=False).hexdigest()}"'
        stored = Stored(
            request.body, request.headers.get("content-type", ""), _metadata(request), _tags(request), _now(), etag
        )
        self.objects[request.key] = stored
        return Response("PutObject", 200, b"", {"ETag": stored.etag})

    def _copy(self, request: Request) -> Response:
        source = unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("/")[2]
        stored = self.objects.get(source)
        if stored is None:
            return _s3_error("CopyObject", 404, "NoSuchKey")
        if request.headers.get("x-amz-copy-source-if-match", stored.etag).strip('"') != stored.etag.strip('"'):
            return _s3_error("CopyObject", 412, "PreconditionFailed")
        if request.headers.get("x-amz-metadata-directive") == "REPLACE":
            stored = replace(
                stored,
                metadata=_metadata(request),
                content_type=request.headers.get("content-type", stored.content_type),
            )
        if request.headers.get("x-amz-tagging-directive") == "REPLACE":
            stored = replace(stored, tags=_tags(request))
        if request.headers.get("if-none-match") == "*" and request.key in self.objects:
            return _s3_error("CopyObject", 412, "PreconditionFailed")
        checksum = base64.b64encode(hashlib.sha256(stored.body).digest()).decode()
        self.objects[request.key] = replace(stored, modified=_now(), checksum=checksum)
        return _xml(
            "CopyObject",
            f"<CopyObjectResult><ETag>{escape(stored.etag)}</ETag><ChecksumSHA256>{checksum}</ChecksumSHA256>"
            f"<LastModified>{_now():%Y-%m-%dT%H:%M:%S}.000Z</LastModified></CopyObjectResult>",
        )

    def _delete(self, request: Request) -> Response:
        self.objects.discard(request.key)
        return Response("DeleteObject", 204)

    def _delete_all(self, request: Request) -> Response:
        # Keys made of ids contain no characters that XML escapes.
        for key in re.findall(rb"<Key>([^<]*)</Key>", request.body):
            self.objects.discard(key.decode())
        return _xml("DeleteObjects", "<DeleteResult></DeleteResult>")

    def _read_tags(self, request: Request) -> Response:
        stored = self.objects.get(request.key)
        if stored is None:
            return _s3_error("GetObjectTagging", 404, "NoSuchKey")
        tags = "".join(
            f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>" for name, value in stored.tags.items()
        )
        return _xml("GetObjectTagging", f"<Tagging><TagSet>{tags}</TagSet></Tagging>")

    def _untag(self, request: Request) -> Response:
        if request.key in self.objects:
            self.objects[request.key] = replace(self.objects[request.key], tags={})
        return Response("DeleteObjectTagging", 204)


class DynamoDB:
    """One table with the key `Username`. Its name is ignored."""

    def __init__(self) -> None:
        self.rows = Ordered[dict[str, Any]]()

    def handle(self, operation: str, parameters: dict[str, Any]) -> Response:
        match operation:
            case "GetItem":
                return _json(operation, _item(self.rows.get(_username(parameters["Key"]))))
            case "PutItem":
                self.rows[_username(parameters["Item"])] = parameters["Item"]
                return _json(operation, {})
            case "UpdateItem":
                return self._update(operation, parameters)
            case "BatchGetItem":
                ((table, wanted),) = parameters["RequestItems"].items()
                found = [self.rows[name] for name in map(_username, wanted["Keys"]) if name in self.rows]
                return _json(operation, {"Responses": {table: found}, "UnprocessedKeys": {}})
            case "Scan":
                return self._scan(operation, parameters)
            case _:
                return _json(operation, {"__type": "UnknownOperationException"}, 400)

    def _update(self, operation: str, parameters: dict[str, Any]) -> Response:
        """Set `Avatar`, on condition that the new value is greater than the old one."""
        row = self.rows[_username(parameters["Key"])]
        avatar, before = parameters["ExpressionAttributeValues"][":new"], row.get("Avatar")
        if "ConditionExpression" in parameters and before and before["S"] >= avatar["S"]:
            return _json(operation, {"__type": "ConditionalCheckFailedException", "Item": row}, 400)
        self.rows[_username(parameters["Key"])] = row | {"Avatar": avatar}
        return _json(operation, {"Attributes": row} if parameters.get("ReturnValues") == "ALL_OLD" else {})

    def _scan(self, operation: str, parameters: dict[str, Any]) -> Response:
        after = _username(parameters["ExclusiveStartKey"]) if "ExclusiveStartKey" in parameters else ""
        limit = parameters.get("Limit", MAX_ROWS)
        names = self.rows.list_keys(limit + 1, after)
        shown = names[:limit]
        more = {"LastEvaluatedKey": {"Username": {"S": shown[-1]}}} if len(shown) < len(names) else {}
        return _json(operation, {"Items": [self.rows[name] for name in shown], "Count": len(shown), **more})


class KMS:
    """One key of type ECC_NIST_P256. Its id is ignored."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def handle(self, operation: str, parameters: dict[str, Any]) -> Response:
        if operation == "GetPublicKey":
            public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return _json(operation, {"KeyId": parameters["KeyId"], "PublicKey": base64.b64encode(public).decode()})
        signature = self.key.sign(base64.b64decode(parameters["Message"]), ec.ECDSA(Prehashed(SHA256())))
        return _json(operation, {"KeyId": parameters["KeyId"], "Signature": base64.b64encode(signature).decode()})


class FakeAws:
    """The ASGI application."""

    def __init__(self) -> None:
        self.s3, self.dynamodb, self.kms = S3(), DynamoDB(), KMS()
        self.delay = 0.0
        self.calls: list[ServedCall] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = time.monotonic()
        request = Request(
            scope["method"],
            scope["path"],
            dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            await _read_body(receive),
        )
        if request.path.startswith(CONTROL):
            response = self._control(request)
        else:
            response = self._handle(request)
            if self.delay:
                await asyncio.sleep(self.delay)
            self.calls.append(ServedCall(response.operation, began, time.monotonic()))
        # A response to HEAD has the length of the body that it leaves out.
        headers = {**response.headers, "Content-Length": str(len(response.body))}
        named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": named})
        body = b"" if request.method == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _handle(self, request: Request) -> Response:
        service, _, operation = request.headers.get("x-amz-target", "").partition(".")
        if not operation:
            return self.s3.handle(request)
        parameters = msgspec.json.decode(request.body)
        return (self.kms if service == "TrentService" else self.dynamodb).handle(operation, parameters)

    def _control(self, request: Request) -> Response:
        match request.path.removeprefix(CONTROL):
            case "delay":
                self.delay = float(request.query["milliseconds"]) / 1000
            case "calls":
                calls, self.calls = self.calls, []
                return Response("", 200, msgspec.json.encode(calls))
            case "age":
                self.s3.age(timedelta(seconds=float(request.query["seconds"])))
            case "fill":
                self._fill(int(request.query["objects"]), float(request.query["per_second"]))
            case "clear":
                self.s3, self.dynamodb = S3(), DynamoDB()
            case _:
                pass
        return Response("")

    def _fill(self, count: int, per_second: float) -> None:
        """Create this many users with an avatar each, as if that many a second had confirmed one until now."""
        body, now = b"picture", time.time()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        for number in range(count):
            name, created = f"user-{number}", now - number / per_second
            key = f"avatars/{uuid_utils.uuid7(nanoseconds=int(created * 1e9))}"
            metadata = {"username": name, "sha256": digest}
            modified = datetime.fromtimestamp(created, UTC)
            self.s3.objects[key] = Stored(body, "image/png", metadata, {}, modified, '"etag"', digest)
            self.dynamodb.rows[name] = {"Username": {"S": name}, "Name": {"S": name}, "Avatar": {"S": key}}


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        chunks.append(message["body"])
        if not message["more_body"]:
            return b"".join(chunks)


def _xml(operation: str, body: str) -> Response:
    return Response(operation, 200, body.encode(), {"Content-Type": "application/xml"})


def _s3_error(operation: str, status: int, code: str) -> Response:
    return Response(
        operation, status, f"<Error><Code>{code}</Code></Error>".encode(), {"Content-Type": "application/xml"}
    )


def _json(operation: str, body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(operation, status, msgspec.json.encode(body), {"Content-Type": "application/x-amz-json-1.0"})


def _item(row: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {} if row is None else {"Item": row}


def _username(key: Mapping[str, Any]) -> str:
    return key["Username"]["S"]


def _entry(key: str, stored: Stored) -> str:
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{stored.modified:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
        f"<ETag>{escape(stored.etag)}</ETag><Size>{len(stored.body)}</Size></Contents>"
    )


def _metadata(request: Request) -> dict[str, str]:
    return {name.removeprefix(METADATA): value for name, value in request.headers.items() if name.startswith(METADATA)}


def _tags(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.headers.get("x-amz-tagging", "")))


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    uvicorn.run(FakeAws(), host=host, port=port, access_log=False, log_level="warning", lifespan="off")
