from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.frontend.cursor import InvalidCursorError, encode_cursor
from services.frontend.listing import Entry, Listing
from tests.unit.conftest import InlineExecutor

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


NOW = 1_795_000_000.0


@dataclass
class FakeS3:
    """Lists as S3 does: ascending, with an end to each answer."""

    keys: set[str]
    calls: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def list_objects_v2(self, **asked: Any) -> dict[str, Any]:
        self.calls.append(asked)
        keys = sorted(key for key in self.keys if key.startswith(asked["Prefix"]))
        start = bisect_right(keys, asked["StartAfter"])
        end = start + asked["MaxKeys"]
        return {"IsTruncated": end < len(keys), "Contents": [{"Key": key, "Size": len(key)} for key in keys[start:end]]}


def make_listing(s3: FakeS3, batch: int = 1000) -> Listing:
    return Listing(cast("S3Client", s3), "pictures", InlineExecutor(), lambda: NOW, batch)


def turn(listing: Listing, limit: int, cursor: str | None, *prefixes: str) -> tuple[list[str], str | None]:
    page = listing.list_page(limit, cursor, prefixes or ("avatars/", "pending/"))
    assert all(entry.size == len(entry.key) for entry in page.entries)
    return [entry.key for entry in page.entries], page.cursor


def order(key: str) -> tuple[str, str]:
    prefix, _, name = key.partition("/")
    return name, prefix


names = st.text("0af7-~ ß", max_size=5) | st.uuids(version=4).map(str)
keys = st.builds(str.__add__, st.sampled_from(["avatars/", "pending/"]), names)
batches = st.integers(5, 9)


@given(st.sets(keys), st.integers(1, 4), batches)
def test_the_pages_are_all_keys_in_descending_order_of_their_names(present: set[str], limit: int, batch: int) -> None:
    listing = make_listing(FakeS3(present), batch)
    seen, cursor = turn(listing, limit, None)
    while cursor:
        page, cursor = turn(listing, limit, cursor)
        assert page
        seen += page
    assert seen == sorted(present, key=order, reverse=True)


@given(st.sets(keys), st.lists(st.tuples(keys, st.booleans()), max_size=30), st.integers(1, 4), batches)
def test_what_is_there_throughout_is_on_one_page(
    lasting: set[str], changes: list[tuple[str, bool]], limit: int, batch: int
) -> None:
    s3 = FakeS3({*lasting})
    listing = make_listing(s3, batch)
    seen, cursor = turn(listing, limit, None)
    while cursor:
        for key, is_added in changes[:3]:
            s3.keys = s3.keys | {key} if is_added else s3.keys - ({key} - lasting)
        del changes[:3]
        page, cursor = turn(listing, limit, cursor)
        seen += page
    assert seen == sorted(set(seen), key=order, reverse=True)
    assert lasting <= set(seen)


def test_an_object_and_its_copy_are_both_listed_and_the_pending_one_first() -> None:
    listing = make_listing(FakeS3({"pending/1", "avatars/1", "pending/2"}))
    assert turn(listing, 3, None)[0] == ["pending/2", "pending/1", "avatars/1"]
    first, cursor = turn(listing, 2, None)
    assert first == ["pending/2", "pending/1"]
    assert turn(listing, 2, cursor) == (["avatars/1"], None)


def test_one_prefix_can_be_listed_alone() -> None:
    s3 = FakeS3({"pending/1", "avatars/2", "pending/3"})
    assert turn(make_listing(s3), 5, None, "pending/") == (["pending/3", "pending/1"], None)
    assert [call["Prefix"] for call in s3.calls] == ["pending/"]


def test_what_is_not_the_service_s_is_left_out() -> None:
    s3 = FakeS3({"avatars/1", "logs/2", "avatarsque", "pending", "zoo"})
    assert turn(make_listing(s3), 5, None) == (["avatars/1"], None)


def test_an_entry_has_its_size() -> None:
    assert make_listing(FakeS3({"avatars/1"})).list_page(1, None).entries == [Entry("avatars/1", 9)]


FEW, MANY = 3, 3000


@pytest.mark.parametrize("count", [FEW, 100, 1000, MANY])
def test_each_page_is_one_call_for_each_prefix_however_many_keys_there_are(count: int) -> None:
    latest = int(NOW * 1000) >> 16
    ids = [f"{latest - age:08x}-0000-7000-8000-000000000000" for age in range(count)]
    s3 = FakeS3({f"avatars/{name}" for name in ids} | {f"pending/{name}" for name in ids[::50]})
    listing = make_listing(s3)
    turn(listing, 20, None)
    assert len(s3.calls) == (2 if count <= 1000 else 3)
    s3.calls.clear()
    cursor = None
    for page in range(1, 10):
        _, cursor = turn(listing, 20, cursor)
        assert len(s3.calls) == 2 * page
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
def test_a_cursor_that_is_none_of_ours_is_refused(mark: str) -> None:
    s3 = FakeS3(set())
    with pytest.raises(InvalidCursorError):
        make_listing(s3).list_page(1, encode_cursor(mark))
    assert s3.calls == []


@given(st.dictionaries(st.sampled_from(["avatars/", "pending/", ""]), st.text(max_size=40)))
def test_a_hint_that_somebody_made_up_changes_nothing(hints: dict[str, str]) -> None:
    s3 = FakeS3({f"avatars/{number:02}" for number in range(30)})
    cursor = encode_cursor(msgspec.json.encode(["avatars/20", hints]).decode())
    assert turn(make_listing(s3, batch=10), 3, cursor)[0] == ["avatars/19", "avatars/18", "avatars/17"]
    for call in s3.calls:
        assert call["StartAfter"].isprintable()
        assert len(call["StartAfter"]) < 60
