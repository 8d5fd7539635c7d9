from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from services.frontend.cursor import InvalidCursorError, encode_cursor
from services.frontend.people import People, PeoplePage
from services.store.table import Row, UnknownUserError

if TYPE_CHECKING:
    from botocore.stub import Stubber
    from types_boto3_dynamodb import DynamoDBClient

ADA = Row("ada", "Ada L", "avatars/1")
BOB = Row("bob", "Bob M", None)
ADAS_ROW = {"Username": {"S": "ada"}, "Name": {"S": "Ada L"}, "Avatar": {"S": "avatars/1"}}
BOBS_ROW = {"Username": {"S": "bob"}, "Name": {"S": "Bob M"}}


@pytest.fixture
def people(dynamodb_client: DynamoDBClient) -> People:
    return People(dynamodb_client, "users")


def make_request(*usernames: str) -> dict[str, Any]:
    keys = [{"Username": {"S": username}} for username in usernames]
    return {"RequestItems": {"users": {"Keys": keys, "ConsistentRead": True}}}


@pytest.mark.parametrize(("row", "person"), [(ADAS_ROW, ADA), (BOBS_ROW, BOB)])
def test_a_user_is_found(people: People, dynamodb_stub: Stubber, row: dict[str, Any], person: Row) -> None:
    expected = {"TableName": "users", "Key": {"Username": row["Username"]}, "ConsistentRead": True}
    dynamodb_stub.add_response("get_item", {"Item": row}, expected)
    assert people.find(person.username) == person


def test_a_user_without_row_is_unknown(people: People, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_response("get_item", {})
    with pytest.raises(UnknownUserError):
        people.find("ada")


@pytest.mark.usefixtures("dynamodb_stub")  # which lets no call out
def test_a_name_that_no_row_can_have_is_unknown(people: People) -> None:
    # DynamoDB refuses keys of more than 2048 bytes as an invalid call, which would be answered as an error of ours.
    with pytest.raises(UnknownUserError):
        people.find("a" * 2049)


def test_pages_follow_each_other(people: People, dynamodb_stub: Stubber) -> None:
    begin = {"TableName": "users", "Limit": 1, "ConsistentRead": True}
    last = {"Username": {"S": "ada"}}
    dynamodb_stub.add_response("scan", {"Items": [ADAS_ROW], "LastEvaluatedKey": last}, begin)
    dynamodb_stub.add_response("scan", {"Items": [BOBS_ROW]}, begin | {"ExclusiveStartKey": last})
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
def test_a_page_holds_the_shorter_ones_with_the_same_beginning(count: int, first: PeoplePage) -> None:
    assert PeoplePage([ADA, BOB], "next").first(count) == first


@pytest.mark.usefixtures("dynamodb_stub")  # which lets no call out
@pytest.mark.parametrize("cursor", ["", "?", "ö"])
def test_a_cursor_that_is_none_of_ours_is_refused(people: People, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        people.list_page(1, cursor)


def test_avatars_are_found_at_once_and_each_user_is_asked_for_once(people: People, dynamodb_stub: Stubber) -> None:
    answer = {"Responses": {"users": [ADAS_ROW, BOBS_ROW]}, "UnprocessedKeys": {}}
    dynamodb_stub.add_response("batch_get_item", answer, make_request("ada", "bob", "nobody"))
    assert people.find_avatars(["bob", "ada", "nobody", "ada"]) == {"ada": "avatars/1", "bob": None}


def test_keys_that_were_not_processed_are_asked_for_again(people: People, dynamodb_stub: Stubber) -> None:
    left = make_request("bob")["RequestItems"]
    first = {"Responses": {"users": [ADAS_ROW]}, "UnprocessedKeys": left}
    second = {"Responses": {"users": [BOBS_ROW]}, "UnprocessedKeys": {}}
    dynamodb_stub.add_response("batch_get_item", first, make_request("ada", "bob"))
    dynamodb_stub.add_response("batch_get_item", second, make_request("bob"))
    assert people.find_avatars(["ada", "bob"]) == {"ada": "avatars/1", "bob": None}


def test_no_call_asks_for_more_than_a_hundred(people: People, dynamodb_stub: Stubber) -> None:
    usernames = [f"user{number:03}" for number in range(201)]
    for start in (0, 100, 200):
        rows = [{"Username": {"S": name}, "Name": {"S": name}} for name in usernames[start : start + 100]]
        answer = {"Responses": {"users": rows}, "UnprocessedKeys": {}}
        dynamodb_stub.add_response("batch_get_item", answer, make_request(*usernames[start : start + 100]))
    assert set(people.find_avatars(usernames)) == set(usernames)


@pytest.mark.usefixtures("dynamodb_stub")
def test_nobody_s_avatars_are_no_call(people: People) -> None:
    assert people.find_avatars([]) == {}


def test_a_refusal_surfaces(people: People, dynamodb_stub: Stubber) -> None:
    for method in ("get_item", "scan", "batch_get_item"):
        dynamodb_stub.add_client_error(method, "AccessDeniedException", http_status_code=400)
    with pytest.raises(ClientError, match="AccessDenied"):
        people.find("ada")
    with pytest.raises(ClientError, match="AccessDenied"):
        people.list_page(1, None)
    with pytest.raises(ClientError, match="AccessDenied"):
        people.find_avatars(["ada"])
