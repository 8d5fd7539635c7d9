"""The state of S3 and DynamoDB, immutable, and what each API call does to it.

A call can take several steps. CopyObject reads its source before it writes its target; DeleteObjects deletes one key
after the other. Other calls can happen between two steps. `tests/emulator/test_model.py` compares the results of these
calls with the emulator's.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from itertools import takewhile
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from services.store.keys import DIGEST_FIELD, Upload, UploadId
from services.store.kinds import AVATAR, KINDS
from services.store.table import Row, Value
from services.uploads.bucket import BLANK, compute_sha256
from services.uploads.users import (
    ADVANCE,
    FORWARD,
    FORWARD_OR_NEW,
    MARK_TOLD,
    NO_PICTURE,
    NO_PICTURE_OR_NEW,
    NOT_TOLD_LATER,
    REMOVE,
    THIS_PICTURE,
)
from tests.pictures import cut_off, make_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from services.store.kinds import Kind

GOOD = make_picture(size=(8, 8), seed=1)
BODIES: Mapping[str, bytes] = {
    "good": GOOD,
    "other": make_picture(size=(8, 8), seed=2),
    "bad": b"<script>alert(1)</script>",
    "twin": b"<script>alert(2)</script>",
    "blank": BLANK.read_bytes(),
    "empty": b"",
    "gif": make_picture("image/gif", size=(8, 8)),
    "cut off": cut_off(GOOD),
    "wide": make_picture(size=(81, 8)),
    "long": GOOD + bytes(1000),
}
NAMES = {body: name for name, body in BODIES.items()}
DIGESTS = {name: compute_sha256(body) for name, body in BODIES.items()}
TWINS = {"twin": "good"}
"""Bodies that have the ETag of another one, as two files with the same MD5 digest have."""

PAGE = 2
"""Maximum number of objects, rows or keys in a response, unless the request has a limit."""

DELETE_LIMIT = 1000
"""Maximum number of keys in one DeleteObjects (AWS: DeleteObjects)."""

BATCH_LIMIT = 100
"""Maximum number of keys in one BatchGetItem (AWS: BatchGetItem)."""

_by_key = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Object:
    body: str
    """The name of its bytes in `BODIES`. The ETag and the digests follow from it."""
    metadata: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...] = ()
    content_type: str = "image/png"
    modified: float = 0
    has_checksum: bool = False
    """Whether S3 computed its SHA-256 when it was written."""

    @property
    def etag(self) -> str:
        return f'"{TWINS.get(self.body, self.body)}"'

    @property
    def is_declared(self) -> bool:
        """Whether it has the bytes whose digest is in its metadata."""
        return dict(self.metadata).get(DIGEST_FIELD) == DIGESTS[self.body]


@dataclass(frozen=True, slots=True)
class World:
    now: float
    objects: tuple[tuple[str, Object], ...] = ()
    """Sorted by key."""
    rows: tuple[Row, ...] = ()
    """Sorted by username."""
    heard: tuple[tuple[tuple[str, str], bytes], ...] = ()
    """By user and kind, the message with the greatest id that the application received. It ignores others."""

    def find(self, key: str) -> Object | None:
        place = bisect_left(self.objects, key, key=_by_key)
        found = self.objects[place : place + 1]
        return found[0][1] if found and found[0][0] == key else None

    def find_row(self, username: str) -> Row | None:
        return next((row for row in self.rows if row.username == username), None)

    def find_value(self, username: str, kind: Kind) -> Value:
        row = self.find_row(username)
        return row.of(kind) if row else Value()

    def put(self, key: str, stored: Object) -> World:
        return self._replace(key, (key, replace(stored, modified=self.now)))

    def remove(self, key: str) -> World:
        return self._replace(key)

    def point(self, username: str, key: str | None, kind: Kind = AVATAR) -> World:
        """Make the user's row refer to this object. A missing row is created."""
        return self.set_value(username, kind, replace(self.find_value(username, kind), key=key))

    def set_value(self, username: str, kind: Kind, value: Value) -> World:
        row = self.find_row(username) or Row(username, username.title())
        others = (other for other in self.rows if other.username != username)
        rows = sorted((*others, row.replace(kind, value)), key=lambda row: row.username)
        return replace(self, rows=tuple(rows))

    def find_heard(self, username: str, kind: Kind) -> dict[str, Any]:
        """The data of the message that counts for the application. Empty if it received none."""
        body = dict(self.heard).get((username, kind.name))
        return json.loads(body)["data"] if body else {}

    def hear(self, body: bytes) -> World:
        data = json.loads(body)["data"]
        place = (data["username"], data["kind"])
        if self.find_heard(place[0], KINDS[place[1]]).get("id", "") >= data["id"]:
            return self
        return replace(self, heard=tuple(sorted((dict(self.heard) | {place: body}).items())))

    def _replace(self, key: str, *entry: tuple[str, Object]) -> World:
        start, end = bisect_left(self.objects, key, key=_by_key), bisect_right(self.objects, key, key=_by_key)
        return replace(self, objects=(*self.objects[:start], *entry, *self.objects[end:]))


class Call(NamedTuple):
    operation: str
    given: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """An error response. `row`: the row at that moment, if a condition failed."""

    code: str
    status: int = 400
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Timeout:
    """No response."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a call. The call continues from `progress` unless it is over and has its answer."""

    world: World
    progress: Any = None
    is_over: bool = True
    answer: Any = None


WRITES = frozenset({"CopyObject", "PutObject", "DeleteObjects", "UpdateItem", "Tell"})
"""Calls that can take effect even if the caller no longer waits for the response."""


def take_step(world: World, call: Call, progress: Any) -> Iterator[Step]:
    """Each way in which the call can continue."""
    return _OPERATIONS[call.operation](world, progress, *call.given)


def _get(world: World, _: Any, key: str) -> Iterator[Step]:
    yield Step(world, answer=world.find(key) or Failure("NoSuchKey", 404))


def _head(world: World, _: Any, key: str) -> Iterator[Step]:
    yield Step(world, answer=world.find(key) or Failure("404", 404))


def _copy(
    world: World,
    progress: Any,
    source: str,
    target: str,
    etag: str | None,
    if_absent: bool,  # noqa: FBT001 - the parameters of a call
    metadata: tuple[tuple[str, str], ...],
    content_type: str,
) -> Iterator[Step]:
    if if_absent and world.find(target):
        yield Step(world, answer=Failure("PreconditionFailed", 412))
        if progress is not None:
            return
        # AWS does not say which of the two objects S3 checks first.
    if progress is not None:
        copy = Object(progress, metadata, content_type=content_type, has_checksum=True)
        yield Step(world.put(target, copy), answer=progress)
        return
    found = world.find(source)
    if found is None:
        yield Step(world, answer=Failure("NoSuchKey", 404))
    elif etag is not None and found.etag != etag:
        yield Step(world, answer=Failure("PreconditionFailed", 412))
    else:
        yield Step(world, progress=found.body, is_over=False)


def _put(world: World, _: Any, key: str, etag: str | None, made: Object) -> Iterator[Step]:
    found = world.find(key)
    if etag is not None and found is None:
        yield Step(world, answer=Failure("NoSuchKey", 404))
    elif etag is not None and found is not None and found.etag != etag:
        yield Step(world, answer=Failure("PreconditionFailed", 412))
    else:
        yield Step(world.put(key, made))


def _delete(world: World, progress: Any, *keys: str) -> Iterator[Step]:
    if len(keys) > DELETE_LIMIT:
        yield Step(world, answer=Failure("MalformedXML"))
        return
    remaining: tuple[str, ...] = keys if progress is None else progress
    for key in remaining:
        rest = tuple(other for other in remaining if other != key)
        yield Step(world.remove(key), progress=rest, is_over=not rest)


def _list(world: World, _: Any, prefix: str, after: str, limit: int) -> Iterator[Step]:
    if after > prefix:
        start = bisect_right(world.objects, after, key=_by_key)
    else:
        start = bisect_left(world.objects, prefix, key=_by_key)
    page = world.objects[start : start + limit + 1]
    found = tuple(takewhile(lambda entry: entry[0].startswith(prefix), page))
    yield Step(world, answer=(found[:limit], len(found) > limit))


def _get_item(world: World, _: Any, username: str) -> Iterator[Step]:
    yield Step(world, answer=world.find_row(username))


def _batch_get_item(world: World, _: Any, *usernames: str) -> Iterator[Step]:
    if len(usernames) > BATCH_LIMIT:
        yield Step(world, answer=Failure("ValidationException"))
        return
    found = tuple(row for row in map(world.find_row, usernames[:PAGE]) if row)
    yield Step(world, answer=(found, usernames[PAGE:]))


def _update_item(
    world: World, _: Any, username: str, upload_id: str, update: str, condition: str | None, old: str | None, name: str
) -> Iterator[Step]:
    row, kind = world.find_row(username), KINDS[name]
    value = world.find_value(username, kind)
    is_new = row is None and condition in _OR_NEW
    if condition is not None and not ((row or is_new) and _CONDITIONS[condition](value, kind, upload_id, old)):
        yield Step(world, answer=Failure("ConditionalCheckFailedException", row=row))
    elif update == ADVANCE:
        yield Step(world.point(username, Upload(kind, UploadId(upload_id)).permanent_key, kind), answer=row)
    elif update == REMOVE:
        yield Step(world.set_value(username, kind, Value(None, upload_id, value.told)), answer=row)
    elif update == MARK_TOLD:
        yield Step(world.set_value(username, kind, replace(value, told=upload_id)))
    else:
        raise NotImplementedError(update)


def _is_forward(value: Value, kind: Kind, new: str, _: str | None) -> bool:
    return (value.key or "") < kind.permanent_prefix + new and (value.removed or "") < new


def _has_no_picture(value: Value, _: Kind, new: str, __: str | None) -> bool:
    return value.key is None and (value.removed or "") <= new


_OR_NEW = frozenset({FORWARD_OR_NEW, NO_PICTURE_OR_NEW})
"""The condition expressions that hold for a user without a row."""

_CONDITIONS: Mapping[str, Callable[[Value, Kind, str, str | None], bool]] = {
    FORWARD: _is_forward,
    FORWARD_OR_NEW: _is_forward,
    NO_PICTURE: _has_no_picture,
    NO_PICTURE_OR_NEW: _has_no_picture,
    NOT_TOLD_LATER: lambda value, _, new, __: (value.told or "") < new,
    THIS_PICTURE: lambda value, _, new, old: value.key == old and (value.removed or "") <= new,
}
"""The condition expressions that the fake understands."""


def _scan(world: World, _: Any, after: str, limit: int) -> Iterator[Step]:
    found = [row for row in world.rows if row.username > after]
    yield Step(world, answer=(tuple(found[:limit]), len(found) > limit))


def _tell(world: World, _: Any, __: str, body: bytes) -> Iterator[Step]:
    yield Step(world.hear(body))


_OPERATIONS: Mapping[str, Any] = {
    "GetObject": _get,
    "HeadObject": _head,
    "GetObjectTagging": _get,
    "CopyObject": _copy,
    "PutObject": _put,
    "DeleteObjects": _delete,
    "ListObjectsV2": _list,
    "GetItem": _get_item,
    "BatchGetItem": _batch_get_item,
    "UpdateItem": _update_item,
    "Scan": _scan,
    "Tell": _tell,
}
