"""AWS as far as the benchmark needs it: objects and rows in memory, each answer after a set delay, nothing checked.

`python -m bench.fake_aws`, with HOST and PORT in the environment. Under `/_bench/` it is told how long to wait, and
tells which calls came.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

import msgspec
import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope

CONTROL = "/_bench/"
METADATA = "x-amz-meta-"

MOST_KEYS = 1000
"""In one listing (AWS: ListObjectsV2)."""


class Served(msgspec.Struct, frozen=True, array_like=True):
    """A call to AWS, and from when to when it took, in seconds of the machine's monotonic clock."""

    operation: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """Of S3, whose bucket comes first in the path."""
        return self.path.lstrip("/").partition("/")[2]


@dataclass(frozen=True, slots=True)
class Answer:
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


class S3:
    """One bucket, whatever its name."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}

    def answer(self, call: Call) -> Answer:
        if not call.key:
            return self._delete_all(call) if call.method == "POST" else self._list(call)
        match call.method:
            case "PUT":
                return self._copy(call) if "x-amz-copy-source" in call.headers else self._put(call)
            case "POST":
                return _xml(
                    "CreateMultipartUpload",
                    f"<InitiateMultipartUploadResult><Key>{escape(call.key)}</Key><UploadId>1</UploadId>"
                    "</InitiateMultipartUploadResult>",
                )
            case "DELETE":
                return self._untag(call) if "tagging" in call.query else self._delete(call)
            case _:
                return self._read_tags(call) if "tagging" in call.query else self._get(call)

    def _list(self, call: Call) -> Answer:
        after, prefix = call.query.get("start-after", ""), call.query.get("prefix", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        most = int(call.query.get("max-keys", MOST_KEYS))
        entries = "".join(_entry(key, self.objects[key]) for key in keys[:most])
        more = "true" if len(keys) > most else "false"
        return _xml("ListObjectsV2", f"<ListBucketResult><IsTruncated>{more}</IsTruncated>{entries}</ListBucketResult>")

    def _get(self, call: Call) -> Answer:
        operation = "HeadObject" if call.method == "HEAD" else "GetObject"
        stored = self.objects.get(call.key)
        if stored is None:
            return _refusal(operation, 404, "NoSuchKey")
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", call.headers.get("range", ""))
        if span is None:
            return Answer(operation, 200, stored.body, stored.headers)
        first, last = int(span[1]), min(int(span[2]), len(stored.body) - 1)
        headers = stored.headers | {"Content-Range": f"bytes {first}-{last}/{len(stored.body)}"}
        return Answer(operation, 206, stored.body[first : last + 1], headers)

    def _put(self, call: Call) -> Answer:
        etag = f'"{hashlib.md5(call.body, usedforsecurity=False).hexdigest()}"'
        stored = Stored(call.body, call.headers.get("content-type", ""), _metadata(call), _tags(call), _now(), etag)
        self.objects[call.key] = stored
        return Answer("PutObject", 200, b"", {"ETag": stored.etag})

    def _copy(self, call: Call) -> Answer:
        source = unquote(call.headers["x-amz-copy-source"]).lstrip("/").partition("/")[2]
        stored = self.objects.get(source)
        if stored is None:
            return _refusal("CopyObject", 404, "NoSuchKey")
        if call.headers.get("x-amz-copy-source-if-match", stored.etag).strip('"') != stored.etag.strip('"'):
            return _refusal("CopyObject", 412, "PreconditionFailed")
        if call.headers.get("x-amz-metadata-directive") == "REPLACE":
            stored = replace(
                stored, metadata=_metadata(call), content_type=call.headers.get("content-type", stored.content_type)
            )
        if call.headers.get("x-amz-tagging-directive") == "REPLACE":
            stored = replace(stored, tags=_tags(call))
        self.objects[call.key] = replace(stored, modified=_now())
        return _xml(
            "CopyObject",
            f"<CopyObjectResult><ETag>{escape(stored.etag)}</ETag>"
            f"<LastModified>{_now().isoformat()}</LastModified></CopyObjectResult>",
        )

    def _delete(self, call: Call) -> Answer:
        self.objects.pop(call.key, None)
        return Answer("DeleteObject", 204)

    def _delete_all(self, call: Call) -> Answer:
        # Keys of ids have nothing in them that XML would escape.
        for key in re.findall(rb"<Key>([^<]*)</Key>", call.body):
            self.objects.pop(key.decode(), None)
        return _xml("DeleteObjects", "<DeleteResult></DeleteResult>")

    def _read_tags(self, call: Call) -> Answer:
        stored = self.objects.get(call.key)
        if stored is None:
            return _refusal("GetObjectTagging", 404, "NoSuchKey")
        tags = "".join(
            f"<Tag><Key>{escape(name)}</Key><Value>{escape(value)}</Value></Tag>" for name, value in stored.tags.items()
        )
        return _xml("GetObjectTagging", f"<Tagging><TagSet>{tags}</TagSet></Tagging>")

    def _untag(self, call: Call) -> Answer:
        if call.key in self.objects:
            self.objects[call.key] = replace(self.objects[call.key], tags={})
        return Answer("DeleteObjectTagging", 204)


class DynamoDB:
    """One table whose key is `Username`, whatever its name."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def answer(self, operation: str, asked: dict[str, Any]) -> Answer:
        match operation:
            case "GetItem":
                return _json(operation, _item(self.rows.get(_username(asked["Key"]))))
            case "PutItem":
                self.rows[_username(asked["Item"])] = asked["Item"]
                return _json(operation, {})
            case "UpdateItem":
                return self._update(operation, asked)
            case "BatchGetItem":
                ((table, wanted),) = asked["RequestItems"].items()
                found = [self.rows[name] for name in map(_username, wanted["Keys"]) if name in self.rows]
                return _json(operation, {"Responses": {table: found}, "UnprocessedKeys": {}})
            case "Scan":
                return self._scan(operation, asked)
            case _:
                return _json(operation, {"__type": "UnknownOperationException"}, 400)

    def _update(self, operation: str, asked: dict[str, Any]) -> Answer:
        """`SET Avatar = :new`, forward alone where there is a condition, which is the one that we make."""
        row = self.rows[_username(asked["Key"])]
        avatar, before = asked["ExpressionAttributeValues"][":new"], row.get("Avatar")
        if "ConditionExpression" in asked and before and before["S"] >= avatar["S"]:
            return _json(operation, {"__type": "ConditionalCheckFailedException", "Item": row}, 400)
        row["Avatar"] = avatar
        return _json(operation, {"Attributes": {"Avatar": before}} if before else {})

    def _scan(self, operation: str, asked: dict[str, Any]) -> Answer:
        after = _username(asked["ExclusiveStartKey"]) if "ExclusiveStartKey" in asked else ""
        names = sorted(name for name in self.rows if name > after)
        shown = names[: asked.get("Limit", len(names))]
        more = {"LastEvaluatedKey": {"Username": {"S": shown[-1]}}} if len(shown) < len(names) else {}
        return _json(operation, {"Items": [self.rows[name] for name in shown], "Count": len(shown), **more})


class KMS:
    """One key of type ECC_NIST_P256, whatever its id."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def answer(self, operation: str, asked: dict[str, Any]) -> Answer:
        if operation == "GetPublicKey":
            public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return _json(operation, {"KeyId": asked["KeyId"], "PublicKey": base64.b64encode(public).decode()})
        signature = self.key.sign(base64.b64decode(asked["Message"]), ec.ECDSA(Prehashed(SHA256())))
        return _json(operation, {"KeyId": asked["KeyId"], "Signature": base64.b64encode(signature).decode()})


class Aws:
    """An ASGI application."""

    def __init__(self) -> None:
        self.s3, self.dynamodb, self.kms = S3(), DynamoDB(), KMS()
        self.delay = 0.0
        self.served: list[Served] = []

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return
        began = time.monotonic()
        call = Call(
            scope["method"],
            scope["path"],
            dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            await _read_body(receive),
        )
        if call.path.startswith(CONTROL):
            answer = self._control(call)
        else:
            answer = self._answer(call)
            if self.delay:
                await asyncio.sleep(self.delay)
            self.served.append(Served(answer.operation, began, time.monotonic()))
        # What HEAD would have as its body is told by its length.
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": named, "trailers": False})
        body = b"" if call.method == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _answer(self, call: Call) -> Answer:
        service, _, operation = call.headers.get("x-amz-target", "").partition(".")
        if not operation:
            return self.s3.answer(call)
        asked = msgspec.json.decode(call.body)
        return (self.kms if service == "TrentService" else self.dynamodb).answer(operation, asked)

    def _control(self, call: Call) -> Answer:
        match call.path.removeprefix(CONTROL):
            case "delay":
                self.delay = float(call.query["milliseconds"]) / 1000
            case "served":
                served, self.served = self.served, []
                return Answer("", 200, msgspec.json.encode(served))
            case "empty":
                self.s3, self.dynamodb = S3(), DynamoDB()
            case _:
                pass
        return Answer("")


async def _read_body(receive: ASGIReceiveCallable) -> bytes:
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        chunks.append(message["body"])
        if not message["more_body"]:
            return b"".join(chunks)


def _xml(operation: str, body: str) -> Answer:
    return Answer(operation, 200, body.encode(), {"Content-Type": "application/xml"})


def _refusal(operation: str, status: int, code: str) -> Answer:
    return Answer(
        operation, status, f"<Error><Code>{code}</Code></Error>".encode(), {"Content-Type": "application/xml"}
    )


def _json(operation: str, body: Mapping[str, Any], status: int = 200) -> Answer:
    return Answer(operation, status, msgspec.json.encode(body), {"Content-Type": "application/x-amz-json-1.0"})


def _item(row: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return {} if row is None else {"Item": row}


def _username(key: Mapping[str, Any]) -> str:
    return key["Username"]["S"]


def _entry(key: str, stored: Stored) -> str:
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{stored.modified.isoformat()}</LastModified>"
        f"<ETag>{escape(stored.etag)}</ETag><Size>{len(stored.body)}</Size></Contents>"
    )


def _metadata(call: Call) -> dict[str, str]:
    return {name.removeprefix(METADATA): value for name, value in call.headers.items() if name.startswith(METADATA)}


def _tags(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.headers.get("x-amz-tagging", "")))


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    uvicorn.run(Aws(), host=host, port=port, access_log=False, log_level="warning", lifespan="off")
