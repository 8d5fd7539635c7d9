"""The page and `GET /changes` show the same with a cache as without one, whatever changes between two requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.frontend.changes import Changes
from services.frontend.cursor import decode_cursor
from services.frontend.inspector import Inspector
from services.frontend.listing import PREFIXES, Listing
from services.frontend.object_cache import MAX_AGE_SECONDS, MIN_OBJECT_AGE_SECONDS, ObjectCache
from services.frontend.people import RECENT_SECONDS, People, RecentRows
from services.frontend.view import ROWS, Query, View
from services.store.keys import PENDING_TAG, USERNAME_FIELD
from services.store.kinds import AVATAR, BANNER, KINDS, Kind
from services.web.callers.identity import Caller
from tests.fake import clients
from tests.fake.aws import Aws
from tests.fake.executors import Eager
from tests.fake.world import Object, World
from tests.rows import every_kind

NOW = 1_795_000_000.4
USERS = ("ada", "bob", "cy")
MIN_BATCH = ROWS + 1
"""The fewest keys in one listing with which a page can be found."""


class S3(clients.S3):
    """The fake with the headers of S3 that a cache depends on: times without fractions of a second, and `Date`."""

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws.call)
        self._aws = aws

    def get_object(self, *, Bucket: str, Key: str, Range: str = "") -> dict[str, Any]:  # noqa: N803
        assert Range == "bytes=0-0"
        return self._add_date(super().get_object(Bucket=Bucket, Key=Key))

    def head_object(self, *, Bucket: str, Key: str, ChecksumMode: str = "") -> dict[str, Any]:  # noqa: N803
        return self._add_date(super().head_object(Bucket=Bucket, Key=Key, ChecksumMode=ChecksumMode))

    def _add_date(self, response: dict[str, Any]) -> dict[str, Any]:
        date = format_datetime(datetime.fromtimestamp(int(self._aws.now), UTC), usegmt=True)
        modified = response["LastModified"].replace(microsecond=0)
        return response | {"LastModified": modified, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}


def make_inspector(aws: Aws, batch: int) -> Inspector:
    def read_clock() -> float:
        return aws.now

    people = People(aws.dynamodb, "users", recent=RecentRows(read_clock))
    listing = Listing(S3(aws), "pictures", Eager(), read_clock, batch)  # pyright: ignore[reportArgumentType]
    cache = ObjectCache(read_clock)
    return Inspector(S3(aws), "pictures", people, Eager(), listing, "tag", cache)  # pyright: ignore[reportArgumentType]


def make_view(inspector: Inspector) -> View:
    return View(inspector.people, inspector, Eager(), "tag", {}, local_demo=False)


def make_new_view(aws: Aws, batch: int) -> View:
    """A view without anything in its cache."""
    return make_view(make_inspector(aws, batch))


def gather(view: View, query: Query, username: str | None = None) -> dict[str, Any]:
    return asyncio.run(view.gather(Caller(username) if username else None, query))


def gather_changes(inspector: Inspector, usernames: list[str], keys: list[str]) -> dict[str, Any]:
    return asyncio.run(Changes(inspector, has_login=True).gather(None, usernames, keys))


@dataclass
class Place:
    """A bucket and a table that change."""

    aws: Aws = field(default_factory=lambda: Aws(World(NOW)))
    count: int = 0

    def put(self, key: str, username: str, body: str, tags: tuple[tuple[str, str], ...]) -> None:
        self.aws.put(key, Object(body, ((USERNAME_FIELD, username),), tags))
        self.count += 1

    def find_key(self, username: str, kind: Kind) -> str | None:
        return next((row.of(kind).key for row in self.aws.world.rows if row.username == username), None)

    def confirm(self, username: str, kind: Kind = AVATAR) -> None:
        """A confirm under `prefix`, which makes another object the user's picture and deletes the old one."""
        old = self.find_key(username, kind)
        key = f"{kind.permanent_prefix}{self.count:04}"
        self.put(key, username, "good", ())
        self.aws.point(username, key, kind)
        self.aws.remove(*([old] if old else []))

    def post(self, username: str, prefix: str) -> None:
        self.put(f"{prefix}{self.count:04}", username, "good", (PENDING_TAG,))

    def copy_onto_itself(self, index: int) -> None:
        """A confirm under `tag`, which removes the tag."""
        key, stored = self.choose(index)
        self.aws.put(key, replace(stored, tags=()))

    def overwrite(self, index: int) -> None:
        key, stored = self.choose(index)
        self.aws.put(key, replace(stored, body="bad", content_type="text/html"))

    def remove_picture(self, username: str, kind: Kind) -> None:
        old = self.find_key(username, kind)
        self.aws.point(username, None, kind)
        self.aws.remove(*([old] if old else []))

    def retag(self, index: int) -> None:
        """A change that leaves no trace in a listing."""
        key, stored = self.choose(index)
        self.aws.put(key, replace(stored, tags=() if stored.tags else (("Colour", "red"),)), modified=stored.modified)
        self.aws.wait(MAX_AGE_SECONDS)

    def delete(self, index: int) -> None:
        """A deletion by somebody else, which can leave a row without its object outside of the listing."""
        key, _ = self.choose(index)
        self.aws.remove(key)
        self.aws.wait(MAX_AGE_SECONDS)

    def choose(self, index: int) -> tuple[str, Object]:
        keys = sorted(self.aws.objects, key=lambda key: key.partition("/")[::-2], reverse=True)
        key = keys[index % len(keys)]
        return key, self.aws.objects[key]


@lru_cache
def fill_world() -> World:
    """Each user has a picture of each kind. There are enough newer objects that a small listing does not contain it."""
    place = Place()
    for username in USERS:
        for kind in KINDS.values():
            place.confirm(username, kind)
    for _ in range(2 * MIN_BATCH):
        place.put(f"avatars/{place.count:04}", "ada", "other", ())
    place.aws.wait(MAX_AGE_SECONDS)
    return place.aws.world


def make_place() -> Place:
    world = fill_world()
    return Place(Aws(world), len(world.objects))


users = st.sampled_from(USERS)
kinds = st.sampled_from([*KINDS.values()])
indexes = st.integers(0, 30)
steps = st.one_of(
    st.tuples(st.just(Place.confirm), users, kinds),
    st.tuples(st.just(Place.post), users, st.sampled_from(PREFIXES)),
    st.tuples(st.just(Place.copy_onto_itself), indexes),
    st.tuples(st.just(Place.overwrite), indexes),
    st.tuples(st.just(Place.remove_picture), users, kinds),
    st.tuples(st.just(Place.retag), indexes),
    st.tuples(st.just(Place.delete), indexes),
)
pauses = st.sampled_from([0, 0.1, 0.5, 1, MIN_OBJECT_AGE_SECONDS, MAX_AGE_SECONDS])
queries = st.builds(Query, object_state=st.sampled_from([None, "pending", "live"]))


def read_last_key(shown: dict[str, Any]) -> str | None:
    """The key in the cursor to the next objects, without its hints."""
    cursor = shown["bucket"].cursor
    return msgspec.json.decode(decode_cursor(cursor, 8192))[0] if cursor else None


@settings(max_examples=40)
@given(st.lists(st.tuples(steps, pauses, queries, st.none() | users), max_size=8), st.sampled_from([MIN_BATCH, 1000]))
def test_a_view_with_a_cache_equals_one_without(
    changes: list[tuple[tuple[Any, ...], float, Query, str | None]], batch: int
) -> None:
    place = make_place()
    inspector = make_inspector(place.aws, batch)
    view = make_view(inspector)
    gather(view, Query())
    for (act, *given_to_it), pause, query, username in changes:
        act(place, *given_to_it)
        place.aws.wait(pause)
        shown, fresh = gather(view, query, username), gather(make_new_view(place.aws, batch), query, username)
        assert read_last_key(shown) == read_last_key(fresh)
        shown["bucket"] = replace(shown["bucket"], cursor=fresh["bucket"].cursor)
        assert shown == fresh
        asked = ([username or "ada", "nobody"], sorted(place.aws.objects)[:5])
        assert gather_changes(inspector, *asked) == gather_changes(make_inspector(place.aws, batch), *asked)


@pytest.mark.parametrize("batch", [MIN_BATCH, 1000])
def test_a_repeated_view_takes_one_call_for_each_prefix_and_two_for_the_table(batch: int) -> None:
    place = make_place()
    view = make_new_view(place.aws, batch)
    for _ in range(2):  # the first view lists more objects than the next one, to find the newest
        gather(view, Query(), "ada")
    place.aws.calls.clear()
    gather(view, Query(), "ada")
    # The fake returns a few rows for each BatchGetItem and Scan.
    others = [operation for operation in place.aws.operations if operation not in {"BatchGetItem", "Scan"}]
    assert others == ["ListObjectsV2"] * len(PREFIXES)


def test_an_object_is_read_again_if_it_was_replaced_within_the_second_of_its_upload() -> None:
    place = make_place()
    view = make_new_view(place.aws, 1000)
    place.post("ada", "avatars/")
    assert gather(view, Query())["bucket"].objects[0].tags == dict([PENDING_TAG])
    place.aws.wait(0.1)
    place.copy_onto_itself(0)
    assert gather(view, Query())["bucket"].objects[0].tags == {}


def test_an_object_is_read_again_if_s3_did_not_say_the_time() -> None:
    class S3WithoutDate(S3):
        def _add_date(self, response: dict[str, Any]) -> dict[str, Any]:
            return super()._add_date(response) | {"ResponseMetadata": {"HTTPHeaders": {}}}

    place = make_place()
    s3: Any = S3WithoutDate(place.aws)
    inspector = replace(make_inspector(place.aws, 1000), s3=s3)
    for _ in range(2):
        place.aws.calls.clear()
        assert len(gather(make_view(inspector), Query())["bucket"].objects) == ROWS
        assert place.aws.operations.count("GetObject") == ROWS


def test_a_changed_tag_is_shown_after_the_maximum_age() -> None:
    place = make_place()
    view = make_new_view(place.aws, 1000)
    gather(view, Query())
    place.retag(0)
    assert gather(view, Query())["bucket"].objects[0].tags == {"Colour": "red"}


def test_the_cache_drops_the_least_recently_used_object() -> None:
    cache = ObjectCache(maximum=2)
    for key in ("avatars/1", "avatars/2"):
        cache.add_existing(key)
    assert cache.is_known("avatars/1")
    cache.add_existing("avatars/3")
    assert [cache.is_known(f"avatars/{number}") for number in (1, 2, 3)] == [True, False, True]


def test_repeated_changes_read_no_object_again() -> None:
    place = make_place()
    inspector = make_inspector(place.aws, 1000)
    gather_changes(inspector, ["ada"], ["avatars/0045"])
    place.aws.calls.clear()
    assert len(gather_changes(inspector, ["ada"], ["avatars/0045"])["objects"]) == len(KINDS) + 1
    assert {*place.aws.operations} == {"GetItem", "ListObjectsV2", "BatchGetItem"}


def test_changes_list_no_key_that_is_longer_than_s3_allows() -> None:
    place = make_place()
    inspector = make_inspector(place.aws, 1000)
    prefix = AVATAR.permanent_prefix
    allowed, too_long = (prefix + "€" * 300 + "x" * (count - len(prefix) - 900) for count in (1024, 1025))
    place.aws.calls.clear()
    gather_changes(inspector, [], [allowed, too_long])
    assert place.aws.operations.count("ListObjectsV2") == 1


def test_changes_show_that_an_object_was_deleted_though_a_page_has_shown_it() -> None:
    place = make_place()
    inspector = make_inspector(place.aws, MIN_BATCH)
    gather(make_view(inspector), Query())
    key = place.find_key("ada", AVATAR)
    assert key
    place.aws.remove(key)
    [row] = gather_changes(inspector, ["ada"], [])["rows"]
    assert row.states["avatar"] == "dangling"


def make_people(place: Place) -> People:
    return People(place.aws.dynamodb, "users", recent=RecentRows(lambda: place.aws.now))


@every_kind
def test_an_expected_picture_that_was_read_shortly_before_takes_no_call(kind: Kind) -> None:
    place = make_place()
    people = make_people(place)
    key = people.find_picture("ada", kind, None)
    assert key == place.find_key("ada", kind)
    place.aws.calls.clear()
    assert people.find_picture("ada", kind, key) == key
    assert not place.aws.calls
    place.confirm("ada", kind)
    assert people.find_picture("ada", kind, None) == place.find_key("ada", kind) != key
    # The service knows the new one now.
    assert people.find_picture("ada", kind, key) == place.find_key("ada", kind)


def test_an_expected_picture_of_another_kind_is_ignored() -> None:
    place = make_place()
    people = make_people(place)
    avatar = people.find_picture("ada", AVATAR, None)
    assert people.find_picture("ada", BANNER, avatar) == place.find_key("ada", BANNER)


def test_an_expected_picture_is_not_trusted_after_a_while() -> None:
    place = make_place()
    people = make_people(place)
    avatar = people.find_picture("ada", AVATAR, None)
    place.confirm("ada")
    place.aws.wait(RECENT_SECONDS)
    assert people.find_picture("ada", AVATAR, avatar) == place.find_key("ada", AVATAR)


@pytest.mark.parametrize("expected", ["avatars/0001", f"{AVATAR.pending_prefix}1", "", "logs/1"])
def test_a_client_cannot_choose_the_picture(expected: str) -> None:
    place = make_place()
    people = make_people(place)
    people.list_page(ROWS, None)
    assert people.find_picture("ada", AVATAR, expected) == place.find_key("ada", AVATAR)
