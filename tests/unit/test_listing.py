"""The listing of the bucket over the fake of S3 (`tests/fake`)."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.frontend.cursor import InvalidCursorError, encode_cursor
from services.frontend.listing import PREFIXES, Listing
from services.store.kinds import AVATAR
from tests.fake.aws import Aws
from tests.fake.executors import Eager
from tests.fake.world import BODIES, Object, World

NOW = 1_795_000_000.0


SIZES = ("good", "other", "bad", "empty")
"""Names of bodies of different sizes."""


def choose_body(key: str) -> str:
    return SIZES[len(key) % len(SIZES)]


def make_aws(*keys: str) -> Aws:
    objects = ((key, Object(choose_body(key), ())) for key in sorted(keys))
    return Aws(World(NOW, tuple(objects)))


def make_listing(aws: Aws, batch: int = 1000) -> Listing:
    return Listing(aws.s3, "pictures", Eager(), lambda: aws.now, batch)


def read_page(listing: Listing, limit: int, cursor: str | None, *prefixes: str) -> tuple[list[str], str | None]:
    page = listing.list_page(limit, cursor, prefixes or ("avatars/", AVATAR.pending_prefix))
    assert all(entry.size == len(BODIES[choose_body(entry.key)]) for entry in page.entries)
    return [entry.key for entry in page.entries], page.cursor


def order(key: str) -> tuple[str, str]:
    prefix, _, name = key.partition("/")
    return name, prefix


names = st.text("0af7-~ ß", max_size=5) | st.uuids(version=4).map(str)
keys = st.builds(str.__add__, st.sampled_from(["avatars/", AVATAR.pending_prefix]), names)
batches = st.integers(5, 9)


@given(st.sets(keys), st.integers(1, 4), batches)
def test_the_pages_together_hold_all_keys_in_descending_order_of_their_names(
    present: set[str], limit: int, batch: int
) -> None:
    listing = make_listing(make_aws(*present), batch)
    seen, cursor = read_page(listing, limit, None)
    while cursor:
        page, cursor = read_page(listing, limit, cursor)
        assert page
        seen += page
    assert seen == sorted(present, key=order, reverse=True)


@given(st.sets(keys), st.lists(st.tuples(keys, st.booleans()), max_size=30), st.integers(1, 4), batches)
def test_an_object_that_exists_throughout_is_on_one_page(
    lasting: set[str], changes: list[tuple[str, bool]], limit: int, batch: int
) -> None:
    aws = make_aws(*lasting)
    listing = make_listing(aws, batch)
    seen, cursor = read_page(listing, limit, None)
    while cursor:
        for key, is_added in changes[:3]:
            if is_added:
                aws.put(key, Object(choose_body(key), ()))
            elif key not in lasting:
                aws.remove(key)
        del changes[:3]
        page, cursor = read_page(listing, limit, cursor)
        seen += page
    assert seen == sorted(set(seen), key=order, reverse=True)
    assert lasting <= set(seen)


def test_a_pending_object_is_listed_before_its_copy() -> None:
    listing = make_listing(make_aws(f"{AVATAR.pending_prefix}1", "avatars/1", f"{AVATAR.pending_prefix}2"))
    assert read_page(listing, 3, None)[0] == [f"{AVATAR.pending_prefix}2", f"{AVATAR.pending_prefix}1", "avatars/1"]
    first, cursor = read_page(listing, 2, None)
    assert first == [f"{AVATAR.pending_prefix}2", f"{AVATAR.pending_prefix}1"]
    assert read_page(listing, 2, cursor) == (["avatars/1"], None)


def test_one_prefix_can_be_listed_alone() -> None:
    aws = make_aws(f"{AVATAR.pending_prefix}1", "avatars/2", f"{AVATAR.pending_prefix}3")
    assert read_page(make_listing(aws), 5, None, AVATAR.pending_prefix) == (
        [f"{AVATAR.pending_prefix}3", f"{AVATAR.pending_prefix}1"],
        None,
    )
    assert [call.given[0] for call in aws.calls] == [AVATAR.pending_prefix]


def test_objects_under_other_prefixes_are_left_out() -> None:
    aws = make_aws("avatars/1", "logs/2", "avatarsque", "pending", "zoo")
    assert read_page(make_listing(aws), 5, None) == (["avatars/1"], None)


FEW, MANY = 3, 3000


@pytest.mark.parametrize("count", [FEW, 100, 1000, MANY])
def test_each_page_takes_one_call_for_each_prefix_whatever_the_number_of_keys(count: int) -> None:
    latest = int(NOW * 1000) >> 16
    ids = [f"{latest - age:08x}-0000-7000-8000-000000000000" for age in range(count)]
    aws = make_aws(*(f"avatars/{name}" for name in ids), *(f"{AVATAR.pending_prefix}{name}" for name in ids[::50]))
    listing = make_listing(aws)
    read_page(listing, 20, None)
    assert len(aws.calls) == (2 if count <= 1000 else 3)
    aws.calls.clear()
    cursor = None
    for page in range(1, 10):
        _, cursor = read_page(listing, 20, cursor)
        assert len(aws.calls) == 2 * page
        if cursor is None:
            break


@pytest.mark.parametrize(
    "mark",
    [
        "avatars/1",
        "[]",
        "{}",
        '["avatars/1"]',
        '["elsewhere/1",{}]',
        '["avatars/1",[]]',
        '["avatars/1",{"avatars/":1}]',
        "[1,{}]",
        "x" * 9000,
    ],
)
def test_a_cursor_that_the_list_did_not_issue_is_refused_without_a_call(mark: str) -> None:
    aws = make_aws()
    with pytest.raises(InvalidCursorError):
        make_listing(aws).list_page(1, encode_cursor(mark))
    assert not aws.calls


@given(st.dictionaries(st.sampled_from(["avatars/", AVATAR.pending_prefix, ""]), st.text(max_size=40)))
def test_forged_hints_in_a_cursor_change_nothing(hints: dict[str, str]) -> None:
    aws = make_aws(*(f"avatars/{number:02}" for number in range(30)))
    cursor = encode_cursor(msgspec.json.encode(["avatars/20", hints]).decode())
    assert read_page(make_listing(aws, batch=10), 3, cursor)[0] == ["avatars/19", "avatars/18", "avatars/17"]
    for call in aws.calls:
        _, after, _ = call.given
        assert after.isprintable()
        assert len(after) < 60


def test_the_page_s_link_to_later_pages_fits_into_the_header_section_of_an_http_api() -> None:
    """An HTTP API refuses a request line and headers of more than 10,240 bytes (AWS: "Quotas for HTTP APIs")."""
    token_and_browser_headers = 4000
    longest_keys = [prefix + f"{number}".ljust(1024 - len(prefix), '"') for prefix in PREFIXES for number in range(9)]
    _, objects = read_page(make_listing(make_aws(*longest_keys), batch=5), 3, None)
    users = rows = encode_cursor("u" * 64)
    query = urlencode({"users": users, "objects": objects, "rows": rows, "object_state": "pending", "row_state": "all"})
    assert len(query) > 2 * len(users) + 1024
    assert len(query) + token_and_browser_headers <= 10_240
