"""The page's users over the fake of DynamoDB (`tests/fake`)."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from services.frontend.cursor import InvalidCursorError, encode_cursor
from services.frontend.people import PAUSE_SECONDS, People, PeoplePage, RecentRows
from services.store.clients import is_transient
from services.store.kinds import AVATAR
from services.store.responses import IncompleteResponseError
from services.store.table import Row, UnknownUserError
from tests.fake.aws import Aws, refuse
from tests.fake.world import PAGE, World
from tests.rows import make_row

if TYPE_CHECKING:
    from collections.abc import Callable

ADA = make_row("ada", "Ada L", "avatars/1")
BOB = make_row("bob", "Bob M", None)


@pytest.fixture
def aws() -> Aws:
    return Aws(World(0, rows=(ADA, BOB)))


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def people(aws: Aws, pauses: list[float]) -> People:
    return People(aws.dynamodb, "users", pauses.append)


@pytest.mark.parametrize("row", [ADA, BOB])
def test_a_user_is_found(people: People, row: Row) -> None:
    assert people.find(row.username) == row


def test_a_user_without_a_row_is_unknown(people: People) -> None:
    with pytest.raises(UnknownUserError):
        people.find("nobody")


def test_a_username_that_no_row_can_have_is_unknown_without_a_call(people: People, aws: Aws) -> None:
    # DynamoDB refuses keys of more than 2048 bytes with a ValidationException, which would become status 500.
    with pytest.raises(UnknownUserError):
        people.find("a" * 2049)
    assert not aws.calls


def test_pages_follow_each_other(people: People) -> None:
    first = people.list_page(1, None)
    assert first == PeoplePage([ADA], encode_cursor("ada"))
    assert people.list_page(1, first.cursor) == PeoplePage([BOB], None)


@pytest.mark.parametrize(
    ("count", "first"),
    [
        (1, PeoplePage([ADA], encode_cursor("ada"))),
        (2, PeoplePage([ADA, BOB], "next")),
        (3, PeoplePage([ADA, BOB], "next")),
    ],
)
def test_the_first_users_of_a_page_are_a_shorter_page(count: int, first: PeoplePage) -> None:
    assert PeoplePage([ADA, BOB], "next").first(count) == first


@pytest.mark.parametrize("cursor", ["", "?", "ö"])
def test_a_cursor_that_the_list_did_not_issue_is_refused_without_a_call(people: People, aws: Aws, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        people.list_page(1, cursor)
    assert not aws.calls


def test_rows_are_found_in_one_call_that_names_each_user_once(people: People, aws: Aws) -> None:
    assert people.find_all(["bob", "ada", "ada"]) == {"ada": ADA, "bob": BOB}
    assert [call.given for call in aws.calls] == [("ada", "bob")]


def test_users_without_a_row_have_no_entry(people: People) -> None:
    assert people.find_all(["ada", "nobody"]) == {"ada": ADA}


def test_unprocessed_keys_are_requested_again_after_a_pause(people: People, aws: Aws, pauses: list[float]) -> None:
    cy = make_row("cy", "Cy N", "avatars/2")
    aws.world = replace(aws.world, rows=(ADA, BOB, cy))
    assert people.find_all(["ada", "bob", "cy"]) == {"ada": ADA, "bob": BOB, "cy": cy}
    assert [call.given for call in aws.calls] == [("ada", "bob", "cy"), ("cy",)]
    assert pauses == [PAUSE_SECONDS]


def test_the_pauses_double_while_no_key_is_processed_and_then_the_request_ends(pauses: list[float]) -> None:
    people = People(ThrottledTable(), "users", pauses.append)  # pyright: ignore[reportArgumentType]
    with pytest.raises(IncompleteResponseError, match="2 keys are unprocessed") as raised:
        people.find_all(["ada", "bob"])
    assert is_transient(raised.value)
    assert pauses == [2 * PAUSE_SECONDS, 4 * PAUSE_SECONDS, 8 * PAUSE_SECONDS, 16 * PAUSE_SECONDS]


class ThrottledTable:
    """DynamoDB that processes no key."""

    def batch_get_item(self, **asked: Any) -> dict[str, Any]:
        return {"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}


def test_no_call_names_more_than_a_hundred_users(people: People, aws: Aws) -> None:
    usernames = [f"user{number:03}" for number in range(201)]
    aws.world = replace(aws.world, rows=tuple(make_row(username, username) for username in usernames))
    assert people.find_all(usernames).keys() == set(usernames)
    # The fake leaves all keys of a call but the first `PAGE` unprocessed.
    sizes = [len(call.given) for call in aws.calls]
    assert sizes == [*range(100, 0, -PAGE), *range(100, 0, -PAGE), 1]


def test_the_rows_of_no_users_take_no_call(people: People, aws: Aws) -> None:
    assert people.find_all([]) == {}
    assert not aws.calls


@pytest.mark.parametrize(
    ("operation", "read"),
    [
        ("GetItem", methodcaller("find", "ada")),
        ("Scan", methodcaller("list_page", 1, None)),
        ("BatchGetItem", methodcaller("find_all", ["ada"])),
    ],
)
def test_an_error_of_dynamodb_surfaces(
    people: People, aws: Aws, operation: str, read: Callable[[People], object]
) -> None:
    aws.before = refuse(operation)
    with pytest.raises(ClientError, match="AccessDenied"):
        read(people)


def test_the_cached_rows_have_no_names() -> None:
    recent = RecentRows()
    count, length = 100, 100_000
    tracemalloc.start()
    for number in range(count):
        recent.add(make_row(f"user{number}", f"{number}".ljust(length), "avatars/1"))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert recent.has("user0", AVATAR, "avatars/1")
    assert size < count * length / 2
