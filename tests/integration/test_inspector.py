"""The inspectors of the bucket and the table: newest first, filtered by state, with few AWS calls."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import uuid_utils

from services.frontend.inspector import Inspector
from services.frontend.listing import PREFIXES, Listing
from services.frontend.object_cache import ObjectCache
from services.frontend.people import People
from services.frontend.view import ROWS, Query, View
from services.store.keys import USERNAME_FIELD
from services.store.states import State
from services.store.table import make_key
from services.web.callers.identity import Caller
from tests import web
from tests.conftest import POSTED_PREFIXES, make_user
from tests.pictures import make_picture
from tests.rows import make_upload
from tests.targets import Trait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.local.stack import Stack
    from services.settings.limits import PendingStrategy
    from tests.conftest import Bucket, User


pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]


def find_row(stack: Stack, username: str) -> dict[str, Any]:
    cursor = None
    while True:
        given = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        page = web.get(f"{stack.origin}/inspector/users", params=given).raise_for_status().json()
        for row in page["rows"]:
            if row["Username"] == username:
                return row
        cursor = page["cursor"]
        assert cursor, "There is no such row."


def test_a_row_whose_object_is_missing_is_dangling(stack: Stack, user: User) -> None:
    assert user.avatar
    assert find_row(stack, user.username)["state"] == "live"
    stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=user.avatar)
    try:
        row = find_row(stack, user.username)
        assert (row["Avatar"], row["state"]) == (user.avatar, "dangling")
    finally:
        # Tests that check the whole table must not find a dangling row.
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=make_key(user.username))


def list_objects(stack: Stack, **given: str | int) -> Iterator[dict[str, Any]]:
    """The pages of the object list, in order."""
    cursor = None
    while True:
        asked = given | ({"cursor": cursor} if cursor else {})
        page = web.get(f"{stack.origin}/inspector/objects", params=asked).raise_for_status().json()
        yield page
        cursor = page["cursor"]
        if cursor is None:
            return


@dataclass(frozen=True)
class Uploads:
    """The keys of one user's objects; pending keys are in order of creation."""

    replaced: str
    live: str
    pending: list[str]


@pytest.fixture
def uploads(stack: Stack, user: User) -> Iterator[Uploads]:
    """An orphan, the live avatar and three pending uploads of a user, and two keys that are no uploads."""
    picture = make_picture()
    replaced = make_upload(str(uuid_utils.uuid7(nanoseconds=time.time_ns()))).permanent_key
    own: Any = {"Bucket": stack.resources.bucket, "Body": picture, "Metadata": {USERNAME_FIELD: user.username}}
    stack.aws.s3.put_object(**own, Key=replaced)
    user.confirm(user.upload_unconfirmed("image/png", picture)).raise_for_status()
    pending = [user.upload_unconfirmed("image/png", picture)["key"] for _ in range(3)]
    foreign = ["avatars/foo bar+é.jpg", "elsewhere/foo.jpg"]
    for key in foreign:
        stack.aws.s3.put_object(**own, Key=key)
    yield Uploads(replaced, user.avatar or "", pending)
    for key in (*foreign, replaced):
        stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=key)


def test_all_objects_are_listed_once_newest_first(stack: Stack, bucket: Bucket, uploads: Uploads) -> None:
    pages = [*list_objects(stack, limit=2)]
    keys = [entry["key"] for page in pages for entry in page["objects"]]
    # Other names are sorted as text: "f" sorts after the digit that ids begin with.
    newest = ["avatars/foo bar+é.jpg", *reversed(uploads.pending), uploads.live, uploads.replaced]
    assert keys[: len(newest)] == newest
    assert keys == sorted(keys, key=lambda key: key.partition("/")[::-2], reverse=True)
    there = stack.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    present = {entry.get("Key", "") for page in there for entry in page.get("Contents", [])}
    assert sorted(keys) == sorted(present - {"elsewhere/foo.jpg"})
    assert all(page["looked_at"] == 2 for page in pages[:-1])


@pytest.mark.parametrize("state", ["pending", "live", "orphan"])
def test_a_state_filter_lists_exactly_the_objects_in_that_state(stack: Stack, uploads: Uploads, state: str) -> None:
    every = [entry for page in list_objects(stack, limit=100) for entry in page["objects"]]
    assert [entry for entry in every if entry["key"] in {uploads.live, uploads.replaced, *uploads.pending}] == every[
        1:6
    ]
    pages = [*list_objects(stack, limit=2, state=state)]
    chosen = [entry["key"] for page in pages for entry in page["objects"]]
    assert chosen == [entry["key"] for entry in every if entry["state"] == state]
    assert {"pending": uploads.pending[0], "live": uploads.live, "orphan": uploads.replaced}[state] in chosen
    assert all(len(page["objects"]) <= page["looked_at"] <= 2 for page in pages)


def test_a_state_filter_reads_only_objects_that_can_have_the_state(
    stack: Stack, uploads: Uploads, strategy: str, counted_view: CountedView
) -> None:
    """The local demo reads all objects, since it has those of both strategies."""
    page = counted_view.inspector.list_page(100, None, State.PENDING)
    whole = sum(shown["looked_at"] for shown in list_objects(stack, limit=100))
    assert page.cursor is None
    assert {entry.key for entry in page.objects} >= {*uploads.pending}
    assert page.looked_at == (len(page.objects) if strategy == "prefix" else whole)


def test_a_cursor_works_with_another_state_filter(stack: Stack, uploads: Uploads) -> None:
    first = next(list_objects(stack, limit=2))
    _, newest = (entry["key"] for entry in first["objects"])
    assert newest == uploads.pending[-1]
    given = {"cursor": first["cursor"], "state": "live", "limit": 100}
    found = web.get(f"{stack.origin}/inspector/objects", params=given).json()["objects"]
    assert found[0]["key"] == uploads.live


@pytest.mark.parametrize("state", ["live", "dangling", "all"])
def test_a_state_filter_lists_exactly_the_rows_in_that_state(
    stack: Stack, user: User, other_user: User, state: str
) -> None:
    assert user.avatar
    stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=user.avatar)
    try:
        seen: dict[str, str] = {}
        asked: dict[str, str | int] = {"limit": 3, "state": state}
        while True:
            page = web.get(f"{stack.origin}/inspector/users", params=asked).raise_for_status().json()
            assert len(page["rows"]) <= page["looked_at"] <= 3
            seen |= {row["Username"]: row["state"] for row in page["rows"]}
            if page["cursor"] is None:
                break
            asked["cursor"] = page["cursor"]
    finally:
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=make_key(user.username))
    assert (user.username in seen) == (state != "live")
    assert (other_user.username in seen) == (state != "dangling")
    assert state == "all" or set(seen.values()) == {state}


@pytest.mark.one_aws
@pytest.mark.parametrize(
    "path",
    [
        "/inspector/objects?state=",
        "/inspector/objects?state=dangling",
        "/inspector/objects?state=Live",
        "/inspector/users?state=",
        "/inspector/users?state=orphan",
        "/?object_state=",
        "/?object_state=lost",
        "/?row_state=",
        "/?row_state=pending",
    ],
)
def test_an_unknown_state_is_refused(stack: Stack, path: str) -> None:
    answer = web.get(stack.origin + path)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:problem:invalid-request")


@pytest.mark.one_aws
def test_the_page_shows_objects_of_the_chosen_state_only(stack: Stack, uploads: Uploads) -> None:
    page = web.get(stack.origin, params={"object_state": "live", "row_state": "live"}).raise_for_status().text
    assert f'data-key="{uploads.live}"' in page
    assert uploads.replaced not in page
    everything = web.get(stack.origin, params={"object_state": "all", "row_state": "all"}).raise_for_status().text
    assert uploads.replaced in everything


BATCH = 200
"""The number of keys that the listing reads at once: less than in production, so that the test needs fewer objects."""

FEWEST_CALLS = len(PREFIXES) + 2
"""The number of calls of a view for which everything else is cached: a listing of each prefix, a scan and a batch of
rows.
"""


@dataclass(frozen=True)
class CountedView:
    """A view of the page that counts its AWS calls."""

    view: View
    inspector: Inspector
    calls: Counter[str]

    def gather(self, caller: Caller | None = None, objects: str | None = None) -> dict[str, Any]:
        self.calls.clear()
        return asyncio.run(self.view.gather(caller, Query(objects=objects)))


@pytest.fixture
def counted_view(stack: Stack, strategy: PendingStrategy) -> Iterator[CountedView]:
    aws = replace(stack.aws)  # with new clients, whose calls are counted
    calls: Counter[str] = Counter()

    def record(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    for client in (aws.s3, aws.dynamodb):
        client.meta.events.register("before-call", record)
    with ThreadPoolExecutor() as executor:
        people = People(aws.dynamodb, stack.resources.table)
        listing = Listing(aws.s3, stack.resources.bucket, executor, time.time, BATCH)
        cache = ObjectCache(min_object_age_seconds=-math.inf)  # caches new objects, also after a test has let days pass
        inspector = Inspector(aws.s3, stack.resources.bucket, people, executor, listing, strategy, cache)
        yield CountedView(View(people, inspector, executor, strategy, {}, local_demo=False), inspector, calls)


@pytest.mark.one_aws
def test_a_page_view_makes_a_bounded_number_of_aws_calls(
    stack: Stack, counted_view: CountedView, bucket: Bucket, strategy: str
) -> None:
    known: set[str] = set()

    def check_calls(shown: dict[str, Any]) -> None:
        calls, objects, rows = counted_view.calls, shown["bucket"].objects, shown["table"].rows
        seen = {entry.key for entry in objects}
        unseen = [row for row in rows if row.row.avatar and row.row.avatar not in seen]
        assert calls["HeadObject"] <= len(unseen)
        new = [entry for entry in objects if entry.key not in known]
        known.update(seen)
        assert calls == Counter(
            Scan=1,
            ListObjectsV2=len(PREFIXES),
            GetObject=len(new),
            GetObjectTagging=sum(bool(entry.tags) for entry in new),
            BatchGetItem=1,
            HeadObject=calls["HeadObject"],
        )

    with make_user(stack) as owner, ThreadPoolExecutor(8) as threads:
        owner.upload_unconfirmed("image/png", make_picture())
        check_calls(counted_view.gather())
        picture: Any = {"Bucket": bucket.name, "Body": b"x", "Metadata": {USERNAME_FIELD: owner.username}}
        # With one time the ids are evenly distributed, so the listing needs one call for each prefix. It needs more if
        # this process was interrupted while it made them.
        now = time.time_ns()
        keys = sorted(POSTED_PREFIXES[strategy] + str(uuid_utils.uuid7(nanoseconds=now)) for _ in range(2 * BATCH))
        try:
            for putting in [threads.submit(stack.aws.s3.put_object, **picture, Key=key) for key in keys]:
                putting.result()
            found = counted_view.gather()  # the first view finds the newest keys
            known.update(entry.key for entry in found["bucket"].objects)
            check_calls(counted_view.gather())
            shown = counted_view.gather()
            check_calls(shown)
            assert counted_view.calls.total() == FEWEST_CALLS
            assert [entry.key for entry in shown["bucket"].objects] == keys[: -ROWS - 1 : -1]
            check_calls(counted_view.gather(objects=shown["bucket"].cursor))
        finally:
            stack.aws.s3.delete_objects(Bucket=bucket.name, Delete={"Objects": [{"Key": key} for key in keys]})


@pytest.mark.one_aws
def test_the_current_users_row_costs_one_more_call(stack: Stack, counted_view: CountedView) -> None:
    with contextlib.ExitStack() as users:
        latest = [users.enter_context(make_user(stack)).username for _ in range(ROWS + 1)]
        listed = {row.row.username for row in counted_view.gather()["table"].rows}
        outside = next(username for username in latest if username not in listed)
        shown = counted_view.gather(Caller(outside))
        assert counted_view.calls["GetItem"] == 1
        first, *_ = shown["table"].rows
        assert (first.row.username, first.states) == (outside, {"avatar": "live"})
