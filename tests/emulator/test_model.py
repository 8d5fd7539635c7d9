"""The fake of S3 and DynamoDB (`tests/fake`) gives the same results as the emulator, call by call."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.documents.table import table_definition
from services.store.clients import error_code
from services.store.keys import PENDING_TAG, Upload
from services.store.kinds import AVATAR
from services.store.table import Row, UnknownUserError, Value, write_row
from services.uploads.bucket import Bucket, ChangedError, MissingObjectError, OtherBytesError
from services.uploads.deadline import Deadline
from services.uploads.objects import Copy, Described, Stored
from services.uploads.rows import NotForwardError
from services.uploads.users import Users
from tests.fake.aws import Aws as FakeAws
from tests.fake.world import BODIES, DIGESTS, TWINS, Object, World
from tests.rows import make_row, make_upload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.local.clients import Aws
    from tests.emulator.conftest import S3

ONE, TWO, THREE = (make_upload(f"019b0000-0000-7000-8000-00000000000{number}") for number in (1, 2, 3))
IDS = st.sampled_from([ONE, TWO, THREE])
KEYS = st.sampled_from([ONE.permanent_key, TWO.permanent_key, ONE.pending_key])
BODY_NAMES = st.sampled_from(sorted(BODIES.keys() - TWINS.keys()))
"""Without twins: the emulator computes a different MD5 digest for each."""

USERNAMES = st.sampled_from(["ada", "eve", "nobody"])
ROWS = (make_row("ada", "Ada"), make_row("eve", "Eve", ONE.permanent_key))
METADATA = {"username": "ada", "sha256": DIGESTS["good"]}
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
    post: Callable[[str, str, bool, bool], None]
    etags: dict[str, str] = field(default_factory=dict[str, str])

    def take(self, step: Step) -> Any:
        """The result or the error of this step, with the ETags of the fake."""
        name, *arguments = step
        try:
            return getattr(self, name)(*arguments)
        except (ChangedError, OtherBytesError, MissingObjectError, UnknownUserError) as error:
            return type(error).__name__
        except NotForwardError as error:
            return error.row
        except ClientError as error:
            return error_code(error)

    def inspect(self, key: str, max_bytes: int) -> Stored | None:
        stored = self.bucket.inspect(key, max_bytes, Deadline.after(math.inf, time.time))
        if stored is None:
            return None
        etag = next((name for name, spelled in self.etags.items() if spelled == stored.etag), stored.etag)
        return replace(stored, etag=etag)

    def describe(self, key: str) -> Described:
        return self.bucket.describe(key)

    def read_tags(self, key: str) -> Mapping[str, str]:
        return self.bucket.read_tags(key)

    def copy(self, source: str, target: str, body: str, verified: str, if_absent: bool) -> None:  # noqa: FBT001
        """Copy on condition of the ETag of `body`, and compare the digest of `verified`."""
        etag, sha256 = self._spell(body), DIGESTS[verified]
        self.bucket.copy(Copy(source, target, etag, sha256, "image/png", METADATA, "no-cache", if_absent))

    def blank(self, key: str, body: str) -> None:
        self.bucket.blank(key, self._spell(body), METADATA)

    def delete(self, keys: list[str]) -> None:
        self.bucket.delete(keys)

    def list_objects(self, prefix: str) -> list[str]:
        return [entry.key for entry in self.bucket.list_objects(prefix)]

    def find_row(self, username: str) -> Row:
        return self.users.find_row(username)

    def advance(self, username: str, upload_id: Upload) -> Value:
        return self.users.advance(username, upload_id)

    def remove(self, username: str, removed: Upload, avatar: Upload | None) -> None:
        self.users.remove(username, AVATAR, removed.id.text, avatar.permanent_key if avatar else None)

    def list_rows(self) -> list[Row]:
        return sorted(self.users.list_rows(), key=lambda row: row.username)

    def _spell(self, name: str) -> str:
        return self.etags.get(f'"{name}"', f'"{name}"')


STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("post"), KEYS, BODY_NAMES, st.booleans(), st.booleans()),
    st.tuples(st.just("inspect"), KEYS, st.sampled_from([0, 500, 5000])),
    st.tuples(st.just("describe"), KEYS),
    st.tuples(st.just("read_tags"), KEYS),
    st.tuples(st.just("copy"), KEYS, KEYS, BODY_NAMES, BODY_NAMES, st.booleans()),
    BODY_NAMES.flatmap(
        lambda body: st.tuples(st.just("copy"), KEYS, KEYS, st.just(body), st.just(body), st.booleans())
    ),
    st.tuples(st.just("blank"), KEYS, BODY_NAMES),
    st.tuples(st.just("delete"), st.lists(KEYS, min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("list_objects"), st.sampled_from(["avatars/", AVATAR.pending_prefix])),
    st.tuples(st.just("find_row"), USERNAMES),
    st.tuples(st.just("advance"), USERNAMES, IDS),
    st.tuples(st.just("remove"), USERNAMES, IDS, st.none() | IDS),
    st.tuples(st.just("list_rows")),
)


@pytest.fixture
def table(emulator: Aws) -> str:
    """A table, which the reset of the emulator after the test deletes."""
    emulator.dynamodb.create_table(TableName=TABLE, **table_definition())
    return TABLE


def make_fake() -> Side:
    aws = FakeAws(World(0, rows=ROWS))

    def post(key: str, body: str, tagged: bool, has_checksum: bool) -> None:  # noqa: FBT001
        tags = (PENDING_TAG,) if tagged else ()
        metadata = (("sha256", DIGESTS[body]), ("username", "ada"))
        aws.put(key, Object(body, metadata, tags, has_checksum=has_checksum))

    return Side(aws.bucket, aws.users, post)


def make_real(s3: S3, table: str) -> Side:
    """The emulator, without the objects and rows of the example before."""
    bucket, users = Bucket(s3.root.s3, s3.bucket), Users(s3.root.dynamodb, table)
    if left := s3.keys():
        bucket.delete(left)
    for row in ROWS:
        s3.root.dynamodb.put_item(TableName=table, Item=write_row(row))

    def post(key: str, body: str, tagged: bool, has_checksum: bool) -> None:  # noqa: FBT001
        name, value = PENDING_TAG
        tagging = f"<Tagging><TagSet><Tag><Key>{name}</Key><Value>{value}</Value></Tag></TagSet></Tagging>"
        checksum = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": DIGESTS[body]}
        pinned = {
            "Content-Type": "image/png",
            "x-amz-meta-username": "ada",
            "x-amz-meta-sha256": DIGESTS[body],
            **({"tagging": tagging} if tagged else {}),
            **(checksum if has_checksum else {}),
        }
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
    steps=[
        ("post", ONE.permanent_key, "good", True, True),
        ("copy", ONE.permanent_key, ONE.permanent_key, "good", "good", False),
        ("read_tags", ONE.permanent_key),
    ]
)
@example(
    steps=[
        ("blank", ONE.permanent_key, "good"),
        ("post", ONE.permanent_key, "bad", True, False),
        ("describe", ONE.permanent_key),
        ("blank", ONE.permanent_key, "bad"),
        ("describe", ONE.permanent_key),
        ("inspect", ONE.permanent_key, 5000),
    ]
)
@example(
    steps=[
        ("post", ONE.pending_key, "good", False, False),
        ("copy", ONE.pending_key, ONE.permanent_key, "good", "good", True),
        ("describe", ONE.permanent_key),
        # A copy that an earlier try made is accepted, one of other bytes is not, and neither is overwritten.
        ("copy", ONE.pending_key, ONE.permanent_key, "good", "good", True),
        ("post", ONE.pending_key, "other", False, True),
        ("copy", ONE.pending_key, ONE.permanent_key, "other", "other", True),
        ("inspect", ONE.permanent_key, 5000),
        # The target exists, and the source is missing.
        ("delete", [ONE.pending_key]),
        ("copy", ONE.pending_key, ONE.permanent_key, "other", "other", True),
    ]
)
@example(
    steps=[
        ("post", ONE.pending_key, "good", False, True),
        # The bytes have the ETag and not the digest that were verified.
        ("copy", ONE.pending_key, ONE.permanent_key, "good", "other", True),
        ("inspect", ONE.permanent_key, 5000),
        ("describe", ONE.permanent_key),
    ]
)
@example(
    steps=[
        ("advance", "ada", ONE),
        ("advance", "ada", ONE),
        ("remove", "ada", THREE, TWO),
        ("remove", "ada", TWO, ONE),
        ("find_row", "ada"),
        ("remove", "ada", ONE, None),
        ("remove", "ada", TWO, None),
        ("advance", "ada", TWO),
        ("advance", "ada", THREE),
        ("remove", "ada", ONE, THREE),
        ("remove", "ada", THREE, None),
        ("list_rows",),
        ("advance", "nobody", ONE),
        ("remove", "nobody", ONE, ONE),
        ("remove", "nobody", ONE, None),
    ]
)
def test_the_fake_gives_the_results_of_the_emulator(s3: S3, table: str, steps: list[Step]) -> None:
    fake, real = make_fake(), make_real(s3, table)
    for step in steps:
        assert fake.take(step) == real.take(step), f"at {step} of {steps}"
