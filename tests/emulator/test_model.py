"""The fake of S3 and DynamoDB (`tests/fake`) gives the same results as the emulator, call by call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.documents.table import table_definition
from services.store.clients import error_code
from services.store.keys import PENDING_PREFIX, PENDING_TAG
from services.store.table import UnknownUserError
from services.uploads.bucket import Bucket, ChangedError, MissingObjectError
from services.uploads.objects import Copy, Stored
from services.uploads.users import NotForwardError, Users
from tests.fake.aws import Aws as FakeAws
from tests.fake.world import BODIES, Object, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.local.clients import Aws
    from tests.emulator.conftest import S3

KEYS = st.sampled_from(["avatars/1", "avatars/2", f"{PENDING_PREFIX}1"])
BODY_NAMES = st.sampled_from(sorted(BODIES))
USERNAMES = st.sampled_from(["ada", "eve", "nobody"])
METADATA = {"username": "ada"}
TABLE = "model"

ETAGS = {f'"{hashlib.md5(body).hexdigest()}"': f'"{name}"' for name, body in BODIES.items()}  # noqa: S324 - S3's ETag
"""ETags of S3, with those of the fake."""

Step = tuple[Any, ...]
"""The name of a method of `Side`, and its arguments."""


@dataclass
class Side:
    """The emulator or the fake, behind the product's `Bucket` and `Users`. `etags`: its ETags, by those of the fake."""

    bucket: Bucket
    users: Users
    post: Callable[[str, str, bool], None]
    etags: dict[str, str] = field(default_factory=dict[str, str])

    def take(self, step: Step) -> Any:
        """The result or the error of this step, with the ETags of the fake."""
        name, *arguments = step
        try:
            return getattr(self, name)(*arguments)
        except (ChangedError, MissingObjectError, UnknownUserError) as error:
            return type(error).__name__
        except NotForwardError as error:
            return error.avatar
        except ClientError as error:
            return error_code(error)

    def inspect(self, key: str) -> Any:
        stored = self.bucket.inspect(key)
        if stored is None:
            return None
        etag = next((name for name, spelled in self.etags.items() if spelled == stored.etag), stored.etag)
        return etag, stored.size, stored.metadata, stored.format, stored.tagged

    def find_owner(self, key: str) -> str | None:
        return self.bucket.find_owner(key)

    def read_tags(self, key: str) -> Any:
        return self.bucket.read_tags(key)

    def copy(self, source: str, target: str, body: str) -> None:
        self.bucket.copy(Copy(source, target, self._spell(body), "image/png", METADATA, "no-cache"))

    def blank(self, key: str, body: str) -> None:
        self.bucket.blank(key, Stored(self._spell(body), 1, "image/png", METADATA, None, None))

    def delete(self, keys: list[str]) -> None:
        self.bucket.delete(keys)

    def list_objects(self, prefix: str) -> list[str]:
        return [entry.key for entry in self.bucket.list_objects(prefix)]

    def find_avatar(self, username: str) -> str | None:
        return self.users.find_avatar(username)

    def advance(self, username: str, avatar: str) -> str | None:
        return self.users.advance(username, avatar)

    def list_references(self) -> list[tuple[str, str]]:
        return sorted((reference.username, reference.avatar) for reference in self.users.list_references())

    def _spell(self, name: str) -> str:
        return self.etags.get(f'"{name}"', f'"{name}"')


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("post"), KEYS, BODY_NAMES, st.booleans()),
    st.tuples(st.just("inspect"), KEYS),
    st.tuples(st.just("find_owner"), KEYS),
    st.tuples(st.just("read_tags"), KEYS),
    st.tuples(st.just("copy"), KEYS, KEYS, BODY_NAMES),
    st.tuples(st.just("blank"), KEYS, BODY_NAMES),
    st.tuples(st.just("delete"), st.lists(KEYS, min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("list_objects"), st.sampled_from(["avatars/", PENDING_PREFIX])),
    st.tuples(st.just("find_avatar"), USERNAMES),
    st.tuples(st.just("advance"), USERNAMES, KEYS),
    st.tuples(st.just("list_references")),
)


@pytest.fixture
def table(emulator: Aws) -> str:
    """A table, which the reset of the emulator after the test deletes."""
    emulator.dynamodb.create_table(TableName=TABLE, **table_definition())
    return TABLE


def make_fake() -> Side:
    aws = FakeAws(World(0).point("ada", None).point("eve", "avatars/1"))

    def post(key: str, body: str, tagged: bool) -> None:  # noqa: FBT001
        tags = (PENDING_TAG,) if tagged else ()
        aws.put(key, Object(body, tuple(METADATA.items()), tags))

    return Side(aws.bucket, aws.users, post)


def make_real(s3: S3, table: str) -> Side:
    """The emulator, without the objects and rows of the example before."""
    bucket, users = Bucket(s3.root.s3, s3.bucket), Users(s3.root.dynamodb, table)
    if left := s3.keys():
        bucket.delete(left)
    s3.root.dynamodb.put_item(TableName=table, Item={"Username": {"S": "ada"}})
    s3.root.dynamodb.put_item(TableName=table, Item={"Username": {"S": "eve"}, "Avatar": {"S": "avatars/1"}})

    def post(key: str, body: str, tagged: bool) -> None:  # noqa: FBT001
        name, value = PENDING_TAG
        tagging = f"<Tagging><TagSet><Tag><Key>{name}</Key><Value>{value}</Value></Tag></TagSet></Tagging>"
        pinned = {"Content-Type": "image/png", "x-amz-meta-username": "ada"} | ({"tagging": tagging} if tagged else {})
        s3.post(key, BODIES[body], pinned).raise_for_status()

    spelled = {name: etag for etag, name in ETAGS.items()}
    return Side(bucket, users, post, spelled)


@settings(
    max_examples=120,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=5, max_size=25))
@example(
    steps=[("post", "avatars/1", "good", True), ("copy", "avatars/1", "avatars/1", "good"), ("read_tags", "avatars/1")]
)
@example(steps=[("blank", "avatars/1", "good"), ("post", "avatars/1", "bad", True), ("blank", "avatars/1", "bad")])
@example(steps=[("advance", "ada", "avatars/1"), ("advance", "ada", "avatars/1"), ("advance", "nobody", "avatars/1")])
def test_the_fake_gives_the_results_of_the_emulator(s3: S3, table: str, steps: list[Step]) -> None:
    fake, real = make_fake(), make_real(s3, table)
    for step in steps:
        assert fake.take(step) == real.take(step), f"at {step} of {steps}"
