"""The kinds of upload: what an entry of the table must fulfil, and that each kind goes all ways of an avatar."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from PIL import Image

from services.pictures.formats import CONTENT_TYPES
from services.settings.limits import MaxBytes
from services.store.keys import DIGEST_FIELD, PENDING_TAG, TOKEN_FIELD, USERNAME_FIELD
from services.store.kinds import AVATAR, KINDS, PENDING_PREFIXES, PERMANENT_PREFIXES, Kind
from services.store.table import NAME, USERNAME, Value
from services.uploads.bucket import BLANK
from services.uploads.confirm import Confirmer
from services.uploads.decision import Facts, Limits, check_forward, decide
from services.uploads.objects import Declared, Stored
from services.uploads.picture import check_declared, limit_kinds
from services.uploads.refusals import (
    RemovedError,
    SupersededError,
    TooLargeError,
    TooManyPixelsError,
    TypeNotAllowedError,
)
from services.uploads.removal import Remover
from services.uploads.restoration import Restorer
from services.uploads.strategies import STRATEGIES, Prefix, hash_token, is_of_some_strategy, parse_upload
from services.uploads.sweep.plan import MIN_DELETIONS
from services.uploads.sweep.report import Outcome
from services.uploads.sweep.sweeper import Sweeper
from tests.fake.aws import Aws
from tests.fake.world import DIGESTS, Object, World
from tests.rows import every_kind, make_row, make_upload

if TYPE_CHECKING:
    from concurrent.futures import Executor

LIMITS = Limits(limit_kinds(5_000_000, 4200, 4200), form_seconds=300, confirm_seconds=3600)
EARLIER, UPLOAD, LATER = (f"019b0000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))
NOW = make_upload(UPLOAD).id.created + 60
DAY = 86_400
OTHERS = pytest.mark.parametrize(("kind", "other"), [*itertools.permutations(KINDS.values(), 2)], ids=str)
STRATEGY = pytest.mark.parametrize("strategy", STRATEGIES)


def post(aws: Aws, strategy: str, kind: Kind, text: str = UPLOAD, body: str = "good") -> str:
    """Store what a form of this kind puts into the bucket, and return its key."""
    chosen = STRATEGIES[strategy]
    metadata = {USERNAME_FIELD: "ada", DIGEST_FIELD: DIGESTS["good"], TOKEN_FIELD: hash_token("secret")}
    tags = (PENDING_TAG,) if chosen.with_token else ()
    key = chosen.posted_key(make_upload(text, kind))
    aws.put(key, Object(body, tuple(sorted(metadata.items())), tags))
    return key


@pytest.fixture
def aws() -> Aws:
    """Ada has a row without pictures."""
    aws = Aws(World(NOW))
    aws.point("ada", None)
    return aws


def make_confirmer(aws: Aws, strategy: str, executor: Executor) -> Confirmer:
    return Confirmer(aws.bucket, aws.users, STRATEGIES[strategy], LIMITS, lambda: aws.now, executor)


def make_sweeper(aws: Aws, executor: Executor) -> Sweeper:
    return Sweeper(aws.bucket, aws.users, LIMITS.pictures, 7200, 1000, 0.1, lambda: aws.now, executor, full=True)


# The table


def test_no_prefix_is_the_beginning_of_another_one() -> None:
    for one, other in itertools.permutations([*PENDING_PREFIXES, *PERMANENT_PREFIXES], 2):
        assert not other.startswith(one)


@every_kind
def test_a_prefix_names_one_folder(kind: Kind) -> None:
    for prefix in (*kind.pending_prefixes, kind.permanent_prefix):
        assert re.fullmatch(r"[a-z][a-z-]*/", prefix)


def test_no_attribute_of_a_row_has_two_meanings() -> None:
    attributes = [name for kind in KINDS.values() for name in (kind.attribute, kind.removed_attribute)]
    names = [USERNAME, NAME, *attributes]
    assert len(set(names)) == len(names)
    # An expression attribute name may be any text; letters alone are the same in placeholders (AWS: DynamoDB).
    assert all(name.isalpha() for name in names)


@every_kind
def test_a_name_is_one_path_segment_that_no_other_route_has(kind: Kind) -> None:
    assert re.fullmatch(r"[a-z]+", kind.name)
    assert KINDS[kind.name] is kind
    assert kind.name not in {"presign", "confirm", "healthz", "schema"}


@every_kind
def test_limits_allow_known_formats_and_the_blank_picture(kind: Kind) -> None:
    limits = kind.limits
    assert limits.content_types
    assert {*limits.content_types} <= {*CONTENT_TYPES}
    assert msgspec.convert(limits.max_bytes, MaxBytes) == limits.max_bytes
    with Image.open(BLANK) as blank:
        assert blank.width <= limits.max_width
        assert blank.height <= limits.max_height


def test_settings_limit_the_avatar_and_no_other_kind() -> None:
    limited = limit_kinds(10_000, 2, 3)
    assert limited["avatar"] == replace(AVATAR.limits, max_bytes=10_000, max_width=2, max_height=3)
    assert all(limited[name] == kind.limits for name, kind in KINDS.items() if kind != AVATAR)


# One kind


@every_kind
@STRATEGY
def test_a_key_belongs_to_the_kind_of_its_prefix(kind: Kind, strategy: str) -> None:
    upload = make_upload(UPLOAD, kind)
    chosen = STRATEGIES[strategy]
    assert parse_upload(chosen.posted_key(upload), chosen) == upload
    assert is_of_some_strategy(upload.pending_key)
    assert is_of_some_strategy(upload.permanent_key)
    for prefix in (*PENDING_PREFIXES, *PERMANENT_PREFIXES):
        found = parse_upload(prefix + UPLOAD, chosen)
        assert (found == upload) == (prefix == chosen.posted_prefix(kind))


@every_kind
@STRATEGY
def test_a_kind_is_confirmed_replaced_and_removed(aws: Aws, kind: Kind, strategy: str, executor: Executor) -> None:
    confirmer = make_confirmer(aws, strategy, executor)
    first, second = make_upload(EARLIER, kind), make_upload(UPLOAD, kind)
    for upload in (first, second):
        key = post(aws, strategy, kind, upload.id.text)
        for _ in range(2):
            confirmed = confirmer.confirm("ada", key, "secret")
            assert confirmed.upload == upload
            aws.bucket.discard(confirmed.leftovers)
    assert aws.world.rows == (make_row("ada", "Ada", second.permanent_key, kind=kind),)
    assert aws.objects.keys() == {second.permanent_key}
    late = post(aws, strategy, kind, EARLIER)
    with pytest.raises(SupersededError, match=kind.name):
        confirmer.confirm("ada", late, "secret")
    removed = Remover(aws.users, lambda: aws.now).remove("ada", kind).keys
    assert removed == (second.permanent_key,)
    aws.bucket.discard(removed)
    again = post(aws, strategy, kind, UPLOAD)
    with pytest.raises(RemovedError, match=kind.name):
        confirmer.confirm("ada", again, "secret")
    assert aws.world.find_value("ada", kind).key is None
    assert not aws.objects


@every_kind
def test_a_confirm_takes_the_calls_of_an_avatar(aws: Aws, kind: Kind, executor: Executor) -> None:
    confirmer = make_confirmer(aws, "prefix", executor)
    aws.bucket.discard(confirmer.confirm("ada", post(aws, "prefix", kind)).leftovers)
    assert sorted(aws.operations) == ["CopyObject", "DeleteObjects", "GetItem", "GetObject", "UpdateItem"]


@every_kind
def test_a_sweep_deletes_orphans_and_repairs_live_pictures_of_a_kind(aws: Aws, kind: Kind, executor: Executor) -> None:
    orphan, live = make_upload(EARLIER, kind).permanent_key, post(aws, "tag", kind)
    aws.point("ada", live, kind)
    aws.put(orphan, replace(aws.objects[live], tags=()), NOW - 10 * DAY)
    aws.wait(DAY)
    report = make_sweeper(aws, executor).sweep()
    assert (report.counts[Outcome.DELETED], report.counts[Outcome.RESTORED]) == (1, 1)
    assert {key: stored.tags for key, stored in aws.objects.items()} == {live: ()}


def test_a_sweep_lists_each_prefix_once(aws: Aws, executor: Executor) -> None:
    make_sweeper(aws, executor).sweep()
    listed = [call.given[0] for call in aws.calls if call.operation == "ListObjectsV2"]
    assert listed == [*PERMANENT_PREFIXES, *PENDING_PREFIXES]
    assert aws.operations.count("Scan") == 1


@every_kind
def test_many_objects_of_one_kind_do_not_hide_that_all_of_another_are_orphans(
    aws: Aws, kind: Kind, executor: Executor
) -> None:
    live = Object("good", ((USERNAME_FIELD, "eve"),))
    other = next(other for other in KINDS.values() if other != kind)
    for number in range(20 * MIN_DELETIONS):
        key = other.permanent_prefix + f"019b0000-0000-7000-9000-{number:012}"
        aws.put(key, live, NOW - 10 * DAY)
        aws.point(f"user{number}", key, other)
    for number in range(MIN_DELETIONS + 1):
        aws.put(kind.permanent_prefix + f"019b0000-0000-7000-a000-{number:012}", live, NOW - 10 * DAY)
    aws.wait(DAY)
    report = make_sweeper(aws, executor).sweep()
    assert f"of the kind {kind.name} are more than MAX_DELETED_SHARE" in (report.excess or "")
    assert report.counts[Outcome.DELETED] == 0


@every_kind
def test_a_lost_value_is_restored_from_the_newest_object_of_the_kind(aws: Aws, kind: Kind, executor: Executor) -> None:
    for text in (EARLIER, UPLOAD):
        aws.put(make_upload(text, kind).permanent_key, Object("good", ((USERNAME_FIELD, "ada"),)))
    restored = Restorer(aws.bucket, aws.users, None, {}, lambda: aws.now, executor).restore(dry_run=True)
    [change] = restored.changes
    assert change.after == make_row("ada", "Ada", make_upload(UPLOAD, kind).permanent_key, kind=kind)
    at = make_upload(LATER, kind).id.created + 1
    logged = Restorer(aws.bucket, aws.users, None, {("ada", kind.name): at}, lambda: aws.now, executor)
    [change] = logged.restore(dry_run=True).changes
    assert change.after.of(kind).key is None


@every_kind
def test_each_limit_of_a_kind_is_applied(kind: Kind) -> None:
    limits = LIMITS.pictures[kind.name]
    upload, row = make_upload(UPLOAD, kind), make_row("ada", "Ada")
    good = Stored(
        '"1"', 10, "image/png", {USERNAME_FIELD: "ada", DIGEST_FIELD: "d="}, "d=", "image/png", (limits.max_width, 1)
    )
    check_declared(Declared("image/png", limits.max_bytes, "d="), kind, limits)
    decide(upload, Facts(NOW, row, good), LIMITS, Prefix())
    with pytest.raises(TooLargeError):
        check_declared(Declared("image/png", limits.max_bytes + 1, "d="), kind, limits)
    for dimensions in ((limits.max_width + 1, 1), (1, limits.max_height + 1)):
        with pytest.raises(TooManyPixelsError):
            decide(upload, Facts(NOW, row, replace(good, dimensions=dimensions)), LIMITS, Prefix())
    for content_type in {*CONTENT_TYPES, "image/svg+xml"} - {*limits.content_types}:
        with pytest.raises(TypeNotAllowedError, match=f"The {kind.name} must be one of"):
            check_declared(Declared(content_type, 10, "d="), kind, limits)
    for content_type in {*CONTENT_TYPES} - {*limits.content_types}:
        # The types of the kind may have changed since the presign.
        stored = replace(good, content_type=content_type, format=content_type)
        with pytest.raises(TypeNotAllowedError):
            decide(upload, Facts(NOW, row, stored), LIMITS, Prefix())


# Two kinds


@OTHERS
def test_a_row_moves_forward_for_each_kind_alone(kind: Kind, other: Kind) -> None:
    row = make_row("ada", "Ada", make_upload(LATER, other).permanent_key, LATER, kind=other)
    check_forward(make_upload(UPLOAD, kind), row)
    with pytest.raises(SupersededError):
        check_forward(make_upload(UPLOAD, other), row)


@OTHERS
@STRATEGY
def test_a_confirm_changes_one_kind(aws: Aws, kind: Kind, other: Kind, strategy: str, executor: Executor) -> None:
    untouched = make_upload(LATER, other).permanent_key
    aws.put(untouched, Object("good", ((USERNAME_FIELD, "ada"),)))
    aws.world = aws.world.set_value("ada", other, Value(untouched, EARLIER))
    confirmed = make_confirmer(aws, strategy, executor).confirm("ada", post(aws, strategy, kind), "secret")
    aws.bucket.discard(confirmed.leftovers)
    assert aws.world.find_value("ada", other) == Value(untouched, EARLIER)
    assert aws.world.find_value("ada", kind) == Value(confirmed.upload.permanent_key, None)
    assert aws.objects.keys() == {untouched, confirmed.upload.permanent_key}


@OTHERS
def test_a_removal_changes_one_kind(aws: Aws, kind: Kind, other: Kind) -> None:
    for each in (kind, other):
        aws.point("ada", make_upload(UPLOAD, each).permanent_key, each)
    removed = Remover(aws.users, lambda: aws.now).remove("ada", kind)
    assert removed.keys == (make_upload(UPLOAD, kind).permanent_key,)
    assert aws.world.find_value("ada", other) == Value(make_upload(UPLOAD, other).permanent_key, None)


@OTHERS
def test_a_row_that_refers_to_an_object_of_another_kind_dangles(
    aws: Aws, kind: Kind, other: Kind, executor: Executor
) -> None:
    key = make_upload(UPLOAD, other).permanent_key
    aws.put(key, Object("good", ((USERNAME_FIELD, "ada"),)))
    aws.point("ada", key, kind)
    report = make_sweeper(aws, executor).sweep()
    assert report.names[Outcome.DANGLING] == [f"ada -> {key}"]
