"""S3 and DynamoDB in memory for code that runs alone: each call is carried out at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from services.store.kinds import AVATAR, Kind
from services.uploads.bucket import Bucket
from services.uploads.users import Users
from tests.fake.clients import S3, DynamoDB
from tests.fake.world import WRITES, Call, Failure, Object, World, take_step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Hook = Callable[[Call], Any]

_NAMED = {"CopyObject": 2, "PutObject": 1, "UpdateItem": 2}
"""How many of a call's parameters `Aws.writes` shows."""


def do_nothing(_: Call) -> None:
    pass


@dataclass
class Aws:
    world: World
    before: Hook = do_nothing
    """Runs before each call is carried out. It can change the world, raise, or return a `Failure` as the response."""
    calls: list[Call] = field(default_factory=list[Call])
    """Every call that was made, in order, whatever its response."""

    def call(self, call: Call) -> Any:
        self.calls.append(call)
        response = self.before(call)
        return self.carry_out(call) if response is None else response

    def carry_out(self, call: Call) -> Any:
        progress = None
        while True:
            step = next(take_step(self.world, call, progress))
            self.world, progress = step.world, step.progress
            if step.is_over:
                return step.answer

    @property
    def s3(self) -> Any:
        return S3(self.call)

    @property
    def dynamodb(self) -> Any:
        return DynamoDB(self.call)

    @property
    def bucket(self) -> Bucket:
        return Bucket(self.s3, "pictures")

    @property
    def users(self) -> Users:
        return Users(self.dynamodb, "users")

    @property
    def writes(self) -> list[tuple[str, ...]]:
        """The calls that change something: each operation with its keys, or with the user and the avatar."""
        return [
            (call.operation, *call.given[: _NAMED.get(call.operation)])
            for call in self.calls
            if call.operation in WRITES
        ]

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]

    @property
    def objects(self) -> Mapping[str, Object]:
        return dict(self.world.objects)

    @property
    def avatars(self) -> Mapping[str, str | None]:
        """By username."""
        return {row.username: row.avatar for row in self.world.rows}

    @property
    def now(self) -> float:
        return self.world.now

    def wait(self, seconds: float) -> None:
        self.world = replace(self.world, now=self.now + seconds)

    def put(self, key: str, stored: Object, modified: float | None = None) -> None:
        """Store the object, now or at another time."""
        at = replace(self.world, now=self.now if modified is None else modified).put(key, stored)
        self.world = replace(at, now=self.now)

    def remove(self, *keys: str) -> None:
        for key in keys:
            self.world = self.world.remove(key)

    def point(self, username: str, key: str | None, kind: Kind = AVATAR) -> None:
        self.world = self.world.point(username, key, kind)

    def remove_rows(self) -> None:
        self.world = replace(self.world, rows=())


def once(operation: str, act: Callable[[], Any]) -> Hook:
    """Acts before the first call of this operation. It is over by then, so that it can make calls of its own."""
    left = [act]

    def hook(call: Call) -> Any:
        return left.pop()() if call.operation == operation and left else None

    return hook


def refuse(operation: str, about: str | None = None) -> Hook:
    """The response to each call of this operation, or to each that has this key or username, is `AccessDenied`."""

    def hook(call: Call) -> Failure | None:
        is_refused = call.operation == operation and (about is None or about in call.given)
        return Failure("AccessDenied", 403) if is_refused else None

    return hook


def fail(operation: str, error: BaseException) -> Hook:
    """The first call of this operation raises the error and is not carried out."""

    def act() -> None:
        raise error

    return once(operation, act)
