"""The exact S3 requests of `Inspector`, and how it reads S3's responses and errors: hence Stubber, no fake."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest
from botocore.exceptions import ClientError

from services.frontend.inspector import InspectedObject, InspectedRow, Inspector, read_expiry
from services.frontend.listing import PREFIXES, Listing
from services.frontend.people import PeoplePage
from services.store.kinds import AVATAR, PENDING_PREFIXES, PERMANENT_PREFIXES
from services.store.states import State
from tests.rows import make_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from botocore.stub import Stubber
    from types_boto3_s3 import S3Client

    from services.frontend.people import People
    from services.settings.limits import PendingStrategy
    from services.store.table import Row

MODIFIED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
EXPIRES = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass
class FakePeople:
    avatars: dict[str, str | None]
    asked: list[list[str]] = field(default_factory=list[list[str]])

    def find(self, username: str) -> Row:
        return make_row(username, "Ada L", self.avatars[username])

    def find_all(self, usernames: Iterable[str]) -> Mapping[str, Row]:
        self.asked.append(list(usernames))
        return {username: self.find(username) for username in self.avatars}


class MakeInspector(Protocol):
    def __call__(self, strategy: PendingStrategy) -> Inspector: ...


@pytest.fixture
def people() -> FakePeople:
    return FakePeople({"ada": "avatars/1"})


@pytest.fixture
def make_inspector(s3_client: S3Client, people: FakePeople, executor: Executor) -> MakeInspector:
    def make(strategy: PendingStrategy) -> Inspector:
        listing = Listing(s3_client, "pictures", executor, lambda: 0.0)
        return Inspector(s3_client, "pictures", cast("People", people), executor, listing, strategy)

    return make


@pytest.fixture
def inspector(make_inspector: MakeInspector) -> Inspector:
    return make_inspector("prefix")


def list_keys(stub: Stubber, *keys: str, prefixes: Sequence[str] = PREFIXES, size: int = 500) -> None:
    for prefix in prefixes:
        found = [{"Key": key, "Size": size} for key in keys if key.startswith(prefix)]
        stub.add_response(
            "list_objects_v2",
            {"IsTruncated": False, **({"Contents": found} if found else {})},
            {"Bucket": "pictures", "Prefix": prefix, "MaxKeys": 1000, "StartAfter": ""},
        )


def describe(stub: Stubber, key: str, **more: Any) -> None:
    answer = {
        "Body": io.BytesIO(b"x"),
        "ContentType": "image/png",
        "LastModified": MODIFIED,
        "Metadata": {"username": "ada"},
        **more,
    }
    stub.add_response("get_object", answer, {"Bucket": "pictures", "Key": key, "Range": "bytes=0-0"})


def test_an_object_is_shown_with_its_metadata_tags_and_expiry(inspector: Inspector, s3_stub: Stubber) -> None:
    list_keys(s3_stub, "avatars/1", "avatars/2", f"{AVATAR.pending_prefix}3")
    describe(
        s3_stub,
        f"{AVATAR.pending_prefix}3",
        Expiration='expiry-date="Tue, 24 Nov 2026 00:00:00 GMT", rule-id="pending"',
    )
    describe(s3_stub, "avatars/2", TagCount=1)
    tagging = {"TagSet": [{"Key": "Colour", "Value": "red"}]}
    s3_stub.add_response("get_object_tagging", tagging, {"Bucket": "pictures", "Key": "avatars/2"})
    describe(s3_stub, "avatars/1")
    found = inspector.list_page(10, None)
    same: dict[str, Any] = {
        "size": 500,
        "content_type": "image/png",
        "last_modified": MODIFIED,
        "metadata": {"username": "ada"},
    }
    assert found.objects == [
        InspectedObject(key=f"{AVATAR.pending_prefix}3", tags={}, expires=EXPIRES, state=State.PENDING, **same),
        InspectedObject(key="avatars/2", tags={"Colour": "red"}, expires=None, state=State.ORPHAN, **same),
        InspectedObject(key="avatars/1", tags={}, expires=None, state=State.LIVE, **same),
    ]
    assert (found.cursor, found.looked_at) == (None, 3)


def test_an_object_is_live_by_the_row_of_its_own_user(
    inspector: Inspector, s3_stub: Stubber, people: FakePeople
) -> None:
    list_keys(s3_stub, "avatars/1", "avatars/2")
    describe(s3_stub, "avatars/2", Metadata={})
    describe(s3_stub, "avatars/1", Metadata={"username": "bob"})
    assert [entry.state for entry in inspector.list_page(10, None).objects] == [State.ORPHAN, State.ORPHAN]
    assert people.asked == [["bob"]]


def test_pages_follow_each_other(inspector: Inspector, s3_stub: Stubber) -> None:
    list_keys(s3_stub, "avatars/1", f"{AVATAR.pending_prefix}2")
    describe(s3_stub, f"{AVATAR.pending_prefix}2")
    list_keys(s3_stub, "avatars/1", f"{AVATAR.pending_prefix}2")
    describe(s3_stub, "avatars/1")
    first = inspector.list_page(1, None)
    assert [entry.key for entry in first.objects] == [f"{AVATAR.pending_prefix}2"]
    second = inspector.list_page(1, first.cursor)
    assert [entry.key for entry in second.objects] == ["avatars/1"]
    assert second.cursor is None


@pytest.mark.parametrize(
    ("strategy", "state", "prefixes", "shown"),
    [
        ("prefix", None, PREFIXES, [f"{AVATAR.pending_prefix}4", "avatars/3", "avatars/2", "avatars/1"]),
        ("prefix", State.PENDING, PENDING_PREFIXES, [f"{AVATAR.pending_prefix}4"]),
        ("prefix", State.LIVE, PERMANENT_PREFIXES, ["avatars/1"]),
        ("prefix", State.ORPHAN, PERMANENT_PREFIXES, ["avatars/2"]),
        ("tag", None, PREFIXES, [f"{AVATAR.pending_prefix}4", "avatars/3", "avatars/2", "avatars/1"]),
        ("tag", State.PENDING, PREFIXES, [f"{AVATAR.pending_prefix}4", "avatars/3"]),
        ("tag", State.LIVE, PERMANENT_PREFIXES, ["avatars/1"]),
        ("tag", State.ORPHAN, PERMANENT_PREFIXES, ["avatars/2"]),
    ],
)
def test_a_page_holds_only_objects_of_the_requested_state(
    make_inspector: MakeInspector,
    s3_stub: Stubber,
    strategy: PendingStrategy,
    state: State | None,
    prefixes: Sequence[str],
    shown: list[str],
) -> None:
    list_keys(s3_stub, "avatars/1", "avatars/2", "avatars/3", f"{AVATAR.pending_prefix}4", prefixes=prefixes)
    looked_at = [
        key
        for key in (f"{AVATAR.pending_prefix}4", "avatars/3", "avatars/2", "avatars/1")
        if key.startswith(tuple(prefixes))
    ]
    for key in looked_at:
        describe(s3_stub, key, TagCount=int(key == "avatars/3"))
        if key == "avatars/3":
            s3_stub.add_response("get_object_tagging", {"TagSet": [{"Key": "Status", "Value": "Pending"}]})
    found = make_inspector(strategy).list_page(10, None, state)
    assert [entry.key for entry in found.objects] == shown
    assert found.looked_at == len(looked_at)


def test_a_page_without_objects_of_the_state_has_a_cursor(inspector: Inspector, s3_stub: Stubber) -> None:
    list_keys(s3_stub, "avatars/1", "avatars/2", prefixes=PERMANENT_PREFIXES)
    describe(s3_stub, "avatars/2")
    found = inspector.list_page(1, None, State.LIVE)
    assert (found.objects, found.looked_at) == ([], 1)
    list_keys(s3_stub, "avatars/1", "avatars/2", prefixes=PERMANENT_PREFIXES)
    describe(s3_stub, "avatars/1")
    assert [entry.key for entry in inspector.list_page(1, found.cursor, State.LIVE).objects] == ["avatars/1"]


def test_an_empty_bucket_is_an_empty_page(inspector: Inspector, s3_stub: Stubber) -> None:
    list_keys(s3_stub)
    assert inspector.list_page(10, None).objects == []


def test_an_object_that_is_deleted_after_the_listing_is_left_out(inspector: Inspector, s3_stub: Stubber) -> None:
    list_keys(s3_stub, "avatars/0", "avatars/1", "avatars/2", "avatars/3")
    describe(s3_stub, "avatars/3", TagCount=1)
    s3_stub.add_client_error("get_object_tagging", "NoSuchKey", http_status_code=404)
    describe(s3_stub, "avatars/2")
    s3_stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    found = inspector.list_page(3, None)
    assert [entry.key for entry in found.objects] == ["avatars/2"]
    list_keys(s3_stub, "avatars/0", "avatars/1")
    describe(s3_stub, "avatars/0")
    assert [entry.key for entry in inspector.list_page(3, found.cursor).objects] == ["avatars/0"]


def test_an_empty_object_is_read_by_head(inspector: Inspector, s3_stub: Stubber) -> None:
    list_keys(s3_stub, "avatars/1", size=0)
    head: dict[str, Any] = {"ContentType": "text/plain", "LastModified": MODIFIED, "Metadata": {}}
    s3_stub.add_response("head_object", head, {"Bucket": "pictures", "Key": "avatars/1"})
    [entry] = inspector.list_page(10, None).objects
    assert (entry.size, entry.state) == (0, State.ORPHAN)


def test_an_empty_object_that_is_deleted_after_the_listing_is_left_out(inspector: Inspector, s3_stub: Stubber) -> None:
    list_keys(s3_stub, "avatars/1", size=0)
    s3_stub.add_client_error(
        "head_object", "404", http_status_code=404
    )  # a response to HEAD has no body with another code
    assert inspector.list_page(10, None).objects == []


@pytest.mark.parametrize("method", ["list_objects_v2", "get_object", "get_object_tagging"])
def test_an_error_of_s3_surfaces(inspector: Inspector, s3_stub: Stubber, method: str) -> None:
    if method != "list_objects_v2":
        list_keys(s3_stub, "avatars/1")
    if method == "get_object_tagging":
        describe(s3_stub, "avatars/1", TagCount=1)
    s3_stub.add_client_error(method, "AccessDenied", http_status_code=403)
    with pytest.raises(ClientError, match="AccessDenied"):
        inspector.list_page(10, None)


@pytest.mark.parametrize(
    ("header", "expires"),
    [
        ('expiry-date="Tue, 24 Nov 2026 00:00:00 GMT", rule-id="pending-prefix"', EXPIRES),
        ('rule-id="expiry-date", expiry-date="Tue, 24 Nov 2026 00:00:00 GMT"', EXPIRES),
        (None, None),
        ("", None),
        ('rule-id="pending-prefix"', None),
    ],
)
def test_the_expiry_is_read_from_the_header(header: str | None, expires: datetime | None) -> None:
    assert read_expiry(header) == expires


def ask_for(stub: Stubber, key: str, *, is_there: bool) -> None:
    request = {"Bucket": "pictures", "Key": key}
    if is_there:
        stub.add_response("head_object", {}, request)
    else:
        stub.add_client_error("head_object", "404", http_status_code=404, expected_params=request)


def inspect_row(inspector: Inspector, avatar: str | None) -> InspectedRow:
    found = inspector.inspect_rows(PeoplePage([make_row("ada", "Ada L", avatar)], "next"))
    assert found.cursor == "next"
    (row,) = found.rows
    return row


def test_a_row_is_live_if_its_object_exists_and_dangles_otherwise(inspector: Inspector, s3_stub: Stubber) -> None:
    ask_for(s3_stub, "avatars/1", is_there=True)
    assert inspect_row(inspector, "avatars/1").states == {"avatar": State.LIVE}
    ask_for(s3_stub, "avatars/1", is_there=False)
    assert inspect_row(inspector, "avatars/1").states == {"avatar": State.DANGLING}


@pytest.mark.usefixtures("s3_stub")
def test_a_row_that_refers_to_no_avatar_takes_no_call(inspector: Inspector, people: FakePeople) -> None:
    assert inspect_row(inspector, None).states == {}
    people.avatars["ada"] = f"{AVATAR.pending_prefix}1"
    assert inspect_row(inspector, f"{AVATAR.pending_prefix}1").states == {"avatar": State.DANGLING}


def test_a_row_that_was_updated_after_it_was_read_is_shown_updated(
    inspector: Inspector, s3_stub: Stubber, people: FakePeople
) -> None:
    people.avatars["ada"] = "avatars/2"
    ask_for(s3_stub, "avatars/1", is_there=False)
    ask_for(s3_stub, "avatars/2", is_there=True)
    assert inspect_row(inspector, "avatars/1") == InspectedRow(
        make_row("ada", "Ada L", "avatars/2"), {"avatar": State.LIVE}
    )


@pytest.mark.usefixtures("s3_stub")
def test_an_object_of_the_listing_is_not_read_again(inspector: Inspector) -> None:
    person = make_row("ada", "Ada L", "avatars/1")
    assert [*inspector.inspect_all([person], {"avatars/1"})] == [InspectedRow(person, {"avatar": State.LIVE})]


@pytest.mark.parametrize(
    ("state", "shown"), [(None, ["ada", "bob", "cy"]), (State.LIVE, ["ada"]), (State.DANGLING, ["bob"])]
)
def test_a_page_holds_only_rows_of_the_requested_state(
    inspector: Inspector, s3_stub: Stubber, people: FakePeople, state: State | None, shown: list[str]
) -> None:
    people.avatars |= {"bob": "avatars/2"}
    ask_for(s3_stub, "avatars/1", is_there=True)
    ask_for(s3_stub, "avatars/2", is_there=False)
    rows = [make_row("ada", "Ada L", "avatars/1"), make_row("bob", "Ada L", "avatars/2"), make_row("cy", "Cy", None)]
    found = inspector.inspect_rows(PeoplePage(rows, "next"), state)
    assert [row.row.username for row in found.rows] == shown
    assert (found.cursor, found.looked_at) == ("next", 3)


def test_an_error_of_head_object_for_a_row_surfaces(inspector: Inspector, s3_stub: Stubber) -> None:
    s3_stub.add_client_error("head_object", "403", http_status_code=403)
    with pytest.raises(ClientError):
        inspect_row(inspector, "avatars/1")
