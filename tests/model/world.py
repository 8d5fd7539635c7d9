"""S3 and DynamoDB as far as a confirm and the sweep can tell: an immutable world, and what each call does to it.

A call is not one moment. A copy reads its source and writes its target later; a deletion of several keys deletes one
after the other. Between such steps anything else may happen. `tests/emulator/test_model.py` holds what calls answer
against the emulator.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from services.uploads.bucket import BLANK
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BODIES: Mapping[str, bytes] = {
    "good": make_picture(size=(8, 8), seed=1),
    "other": make_picture(size=(8, 8), seed=2),
    "bad": b"<script>alert(1)</script>",
    "blank": BLANK.read_bytes(),
}
NAMES = {body: name for name, body in BODIES.items()}
PICTURES = frozenset({"good", "other", "blank"})


@dataclass(frozen=True, slots=True)
class Object:
    body: str
    """The name of its bytes in `BODIES`, from which its ETag follows, too."""
    metadata: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...] = ()
    content_type: str = "image/png"
    modified: float = 0

    @property
    def etag(self) -> str:
        return f'"{self.body}"'


@dataclass(frozen=True, slots=True)
class World:
    now: float
    objects: tuple[tuple[str, Object], ...] = ()
    """By key, in order."""
    rows: tuple[tuple[str, str | None], ...] = ()
    """By username, in order."""

    def find(self, key: str) -> Object | None:
        return dict(self.objects).get(key)

    def find_avatar(self, username: str) -> str | None:
        return dict(self.rows).get(username)

    def put(self, key: str, stored: Object) -> World:
        changed = dict(self.objects) | {key: replace(stored, modified=self.now)}
        return replace(self, objects=tuple(sorted(changed.items())))

    def remove(self, key: str) -> World:
        return replace(self, objects=tuple(entry for entry in self.objects if entry[0] != key))

    def point(self, username: str, avatar: str) -> World:
        return replace(self, rows=tuple(sorted((dict(self.rows) | {username: avatar}).items())))


class Call(NamedTuple):
    operation: str
    given: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """What AWS answers instead. `item`: the row as it was, where a condition failed."""

    code: str
    status: int = 400
    item: tuple[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Timeout:
    """No answer at all."""


@dataclass(frozen=True, slots=True)
class Step:
    """One moment of a call. The call goes on from `progress`, or has come to its answer."""

    world: World
    progress: Any = None
    is_over: bool = True
    answer: Any = None


WRITES = frozenset({"CopyObject", "PutObject", "DeleteObjects", "UpdateItem"})
"""Calls that can have an effect although nobody waits for their answer any more."""

FORWARD = "attribute_exists(Username) AND (attribute_not_exists(Avatar) OR Avatar < :new)"
PAGE = 2
"""How many objects or rows a page holds."""


def take_step(world: World, call: Call, progress: Any) -> Iterator[Step]:
    """Each way in which the call may go on from here."""
    return _OPERATIONS[call.operation](world, progress, *call.given)


def _get(world: World, _: Any, key: str) -> Iterator[Step]:
    yield Step(world, answer=world.find(key) or Failure("NoSuchKey", 404))


def _head(world: World, _: Any, key: str) -> Iterator[Step]:
    yield Step(world, answer=world.find(key) or Failure("404", 404))


@dataclass(frozen=True, slots=True)
class CopySpec:
    source: str
    target: str
    etag: str | None
    metadata: tuple[tuple[str, str], ...]
    content_type: str


def _copy(world: World, progress: Any, spec: CopySpec) -> Iterator[Step]:
    if progress is not None:
        made = Object(progress, spec.metadata, content_type=spec.content_type)
        yield Step(world.put(spec.target, made))
        return
    source = world.find(spec.source)
    if source is None:
        yield Step(world, answer=Failure("NoSuchKey", 404))
    elif spec.etag is not None and source.etag != spec.etag:
        yield Step(world, answer=Failure("PreconditionFailed", 412))
    else:
        yield Step(world, progress=source.body, is_over=False)


def _put(world: World, _: Any, key: str, etag: str | None, made: Object) -> Iterator[Step]:
    found = world.find(key)
    if etag is not None and found is None:
        yield Step(world, answer=Failure("NoSuchKey", 404))
    elif etag is not None and found is not None and found.etag != etag:
        yield Step(world, answer=Failure("PreconditionFailed", 412))
    else:
        yield Step(world.put(key, made))


def _delete(world: World, progress: Any, *keys: str) -> Iterator[Step]:
    remaining: tuple[str, ...] = keys if progress is None else progress
    for key in remaining:
        rest = tuple(other for other in remaining if other != key)
        yield Step(world.remove(key), progress=rest, is_over=not rest)


def _list(world: World, _: Any, prefix: str, after: str) -> Iterator[Step]:
    found = [entry for entry in world.objects if entry[0].startswith(prefix) and entry[0] > after]
    yield Step(world, answer=(tuple(found[:PAGE]), len(found) > PAGE))


def _get_item(world: World, _: Any, username: str) -> Iterator[Step]:
    yield Step(world, answer=next((row for row in world.rows if row[0] == username), None))


def _update_item(world: World, _: Any, username: str, avatar: str, condition: str | None) -> Iterator[Step]:
    if condition not in {FORWARD, None}:
        raise NotImplementedError(condition)
    row = next((row for row in world.rows if row[0] == username), None)
    if condition and (row is None or (row[1] is not None and row[1] >= avatar)):
        yield Step(world, answer=Failure("ConditionalCheckFailedException", item=row))
    else:
        yield Step(world.point(username, avatar), answer=row[1] if row else None)


def _scan(world: World, _: Any, after: str) -> Iterator[Step]:
    found = [row for row in world.rows if row[0] > after]
    yield Step(world, answer=(tuple(found[:PAGE]), len(found) > PAGE))


_OPERATIONS: Mapping[str, Any] = {
    "GetObject": _get,
    "HeadObject": _head,
    "GetObjectTagging": _get,
    "CopyObject": _copy,
    "PutObject": _put,
    "DeleteObjects": _delete,
    "ListObjectsV2": _list,
    "GetItem": _get_item,
    "UpdateItem": _update_item,
    "Scan": _scan,
}


@dataclass
class Now:
    """A world for code that runs in it alone, each call carried out at once."""

    world: World
    calls: list[Call] = field(default_factory=list[Call])

    def call(self, call: Call) -> Any:
        self.calls.append(call)
        progress = None
        while True:
            step = next(take_step(self.world, call, progress))
            self.world, progress = step.world, step.progress
            if step.is_over:
                return step.answer
