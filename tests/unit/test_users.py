"""The exact DynamoDB requests of both `Users`, and how they read responses and errors: hence Stubber, no fake."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError

from services.auth import users as auth
from services.store.clients import is_transient
from services.store.kinds import AVATAR, KINDS, Kind
from services.store.table import Row, UnknownUserError, Value
from services.uploads.rows import NotForwardError
from services.uploads.users import Users
from tests.rows import make_row, make_upload

if TYPE_CHECKING:
    from botocore.stub import Stubber
    from types_boto3_dynamodb import DynamoDBClient

OLD, NEW, LATER = (make_upload(f"019b0000-0000-7000-8000-00000000000{number}") for number in (1, 2, 3))
ROWS = [
    pytest.param(make_row("ada", "Ada"), id="without avatar"),
    pytest.param(make_row("ada", "Ada", OLD.permanent_key), id="with avatar"),
    pytest.param(make_row("ada", "Ada", removed=OLD.id.text), id="with a removal"),
    pytest.param(make_row("ada", "Ada", NEW.permanent_key, OLD.id.text), id="with both"),
]


@pytest.fixture
def users(dynamodb_client: DynamoDBClient) -> Users:
    return Users(dynamodb_client, "users")


@pytest.fixture
def login_users(dynamodb_client: DynamoDBClient) -> auth.Users:
    return auth.Users(dynamodb_client, "users")


def make_item(row: Row) -> dict[str, Any]:
    item = {"Username": row.username, "Name": row.name}
    for kind in KINDS.values():
        item |= {kind.attribute: row.of(kind).key or "", kind.removed_attribute: row.of(kind).removed or ""}
    return {name: {"S": value} for name, value in item.items() if value}


def fail_the_condition(stub: Stubber, row: Row) -> None:
    stub.add_client_error(
        "update_item",
        "ConditionalCheckFailedException",
        http_status_code=400,
        modeled_fields={"Item": make_item(row)},
    )


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_read_consistently(users: Users, dynamodb_stub: Stubber, row: Row) -> None:
    expected = {"TableName": "users", "Key": {"Username": {"S": "ada"}}, "ConsistentRead": True}
    dynamodb_stub.add_response("get_item", {"Item": make_item(row)}, expected)
    assert users.find_row("ada") == row


def test_a_user_without_a_row_is_unknown(users: Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_response("get_item", {})
    with pytest.raises(UnknownUserError):
        users.find_row("ada")


def expect_update(stub: Stubber, before: Row | None, kind: Kind = AVATAR, **expected: Any) -> None:
    """Expect an update with these expressions, and respond as DynamoDB does: with the item before it."""
    stub.add_response(
        "update_item",
        {"Attributes": make_item(before)} if before else {},
        {
            "TableName": "users",
            "Key": {"Username": {"S": "ada"}},
            "ExpressionAttributeNames": {"#key": kind.attribute, "#removed": kind.removed_attribute},
            "ReturnValues": "ALL_OLD",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **expected,
        },
    )


@pytest.mark.parametrize("before", ROWS)
def test_a_later_avatar_replaces_the_row_s_and_the_old_one_is_returned(
    users: Users, dynamodb_stub: Stubber, before: Row
) -> None:
    expect_update(
        dynamodb_stub,
        before,
        UpdateExpression="SET #key = :new",
        ConditionExpression=(
            "attribute_exists(Username) AND (attribute_not_exists(#key) OR #key < :new)"
            " AND (attribute_not_exists(#removed) OR #removed < :id)"
        ),
        ExpressionAttributeValues={":new": {"S": LATER.permanent_key}, ":id": {"S": LATER.id.text}},
    )
    assert users.advance("ada", LATER) == before.of(AVATAR)


NEW_FORWARD = "(attribute_not_exists(#key) OR #key < :new) AND (attribute_not_exists(#removed) OR #removed < :id)"
NEW_WITHOUT_PICTURE = "attribute_not_exists(#key) AND (attribute_not_exists(#removed) OR #removed <= :id)"


class TestNewUsers:
    """A user without a row gets one."""

    @pytest.fixture
    def users(self, dynamodb_client: DynamoDBClient) -> Users:
        return Users(dynamodb_client, "users", creates=True)

    def test_a_user_without_a_row_has_nothing(self, users: Users, dynamodb_stub: Stubber) -> None:
        dynamodb_stub.add_response("get_item", {})
        assert users.find_row("ada") == Row("ada", "")

    def test_the_first_confirm_creates_the_row(self, users: Users, dynamodb_stub: Stubber) -> None:
        expect_update(
            dynamodb_stub,
            None,
            UpdateExpression="SET #key = :new",
            ConditionExpression=NEW_FORWARD,
            ExpressionAttributeValues={":new": {"S": LATER.permanent_key}, ":id": {"S": LATER.id.text}},
        )
        assert users.advance("ada", LATER) == Value()

    def test_the_first_removal_creates_the_row(self, users: Users, dynamodb_stub: Stubber) -> None:
        expect_update(
            dynamodb_stub,
            None,
            UpdateExpression="SET #removed = :id REMOVE #key",
            ConditionExpression=NEW_WITHOUT_PICTURE,
            ExpressionAttributeValues={":id": {"S": NEW.id.text}},
        )
        users.remove("ada", AVATAR, NEW.id.text, None)

    def test_a_row_that_exists_is_returned(self, users: Users, dynamodb_stub: Stubber) -> None:
        before = make_row("ada", "Ada", OLD.permanent_key)
        expect_update(
            dynamodb_stub,
            before,
            UpdateExpression="SET #key = :new",
            ConditionExpression=NEW_FORWARD,
            ExpressionAttributeValues={":new": {"S": LATER.permanent_key}, ":id": {"S": LATER.id.text}},
        )
        assert users.advance("ada", LATER) == before.of(AVATAR)


MARK = {
    "TableName": "users",
    "Key": {"Username": {"S": "ada"}},
    "UpdateExpression": "SET #told = :id",
    "ConditionExpression": "attribute_exists(Username) AND (attribute_not_exists(#told) OR #told < :id)",
    "ExpressionAttributeNames": {"#told": "Told"},
    "ExpressionAttributeValues": {":id": {"S": NEW.id.text}},
}


def test_a_row_is_marked_as_told_if_it_is_not_told_later(users: Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_response("update_item", {}, MARK)
    users.mark_told("ada", AVATAR, NEW.id.text)


def test_a_row_that_was_told_later_is_left_as_it_is(users: Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_client_error("update_item", "ConditionalCheckFailedException", http_status_code=400)
    users.mark_told("ada", AVATAR, NEW.id.text)


def test_another_error_of_the_mark_is_raised(users: Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_client_error("update_item", "AccessDeniedException", http_status_code=400)
    with pytest.raises(ClientError):
        users.mark_told("ada", AVATAR, NEW.id.text)


def test_an_avatar_is_removed_with_the_id_of_the_removal(users: Users, dynamodb_stub: Stubber) -> None:
    expect_update(
        dynamodb_stub,
        make_row("ada", "Ada", OLD.permanent_key),
        UpdateExpression="SET #removed = :id REMOVE #key",
        ConditionExpression="#key = :old AND (attribute_not_exists(#removed) OR #removed <= :id)",
        ExpressionAttributeValues={":id": {"S": NEW.id.text}, ":old": {"S": OLD.permanent_key}},
    )
    users.remove("ada", AVATAR, NEW.id.text, OLD.permanent_key)


def test_a_removal_without_an_avatar_requires_a_row_without_one(users: Users, dynamodb_stub: Stubber) -> None:
    expect_update(
        dynamodb_stub,
        make_row("ada", "Ada"),
        UpdateExpression="SET #removed = :id REMOVE #key",
        ConditionExpression=(
            "attribute_exists(Username) AND attribute_not_exists(#key)"
            " AND (attribute_not_exists(#removed) OR #removed <= :id)"
        ),
        ExpressionAttributeValues={":id": {"S": NEW.id.text}},
    )
    users.remove("ada", AVATAR, NEW.id.text, None)


Change = Callable[[Users], object]


def advance(users: Users) -> object:
    return users.advance("ada", NEW)


def remove(users: Users) -> object:
    return users.remove("ada", AVATAR, NEW.id.text, OLD.permanent_key)


def remove_nothing(users: Users) -> object:
    return users.remove("ada", AVATAR, NEW.id.text, None)


each_change = pytest.mark.parametrize("change", [advance, remove, remove_nothing])


@each_change
@pytest.mark.parametrize("row", ROWS)
def test_an_update_whose_condition_fails_raises_with_the_row(
    users: Users, dynamodb_stub: Stubber, change: Change, row: Row
) -> None:
    fail_the_condition(dynamodb_stub, row)
    with pytest.raises(NotForwardError) as caught:
        change(users)
    assert caught.value.row == row


@each_change
def test_a_user_without_a_row_gets_none(users: Users, dynamodb_stub: Stubber, change: Change) -> None:
    dynamodb_stub.add_client_error("update_item", "ConditionalCheckFailedException", http_status_code=400)
    with pytest.raises(UnknownUserError):
        change(users)


@each_change
def test_an_update_response_without_the_row_is_transient(users: Users, dynamodb_stub: Stubber, change: Change) -> None:
    # Without the row the confirm would not know which avatar it replaced.
    dynamodb_stub.add_response("update_item", {})
    with pytest.raises(HTTPClientError) as raised:
        change(users)
    assert is_transient(raised.value)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ThrottlingException"])
def test_any_other_error_of_dynamodb_surfaces(
    users: Users, login_users: auth.Users, dynamodb_stub: Stubber, code: str
) -> None:
    for method in ("get_item", "update_item", "update_item", "get_item"):
        dynamodb_stub.add_client_error(method, code, http_status_code=400)
    with pytest.raises(ClientError, match=code):
        users.find_row("ada")
    for change in (advance, remove):
        with pytest.raises(ClientError, match=code):
            change(users)
    with pytest.raises(ClientError, match=code):
        login_users.require("ada")


def expect_scan(stub: Stubber, rows: list[Row], *, last: str | None = None, after: str | None = None) -> None:
    expected: dict[str, Any] = {"TableName": "users", "ConsistentRead": True}
    if after:
        expected["ExclusiveStartKey"] = {"Username": {"S": after}}
    answer: dict[str, Any] = {"Items": [make_item(row) for row in rows]}
    if last:
        answer["LastEvaluatedKey"] = {"Username": {"S": last}}
    stub.add_response("scan", answer, expected)


def test_all_rows_are_read_consistently(users: Users, dynamodb_stub: Stubber) -> None:
    ada, bob = make_row("ada", "Ada", OLD.permanent_key), make_row("bob", "Bob")
    cleo, dan = make_row("cleo", "Cleo", removed=OLD.id.text), make_row("dan", "Dan", NEW.permanent_key, OLD.id.text)
    expect_scan(dynamodb_stub, [ada, bob], last="bob")
    # An empty page need not be the last one.
    expect_scan(dynamodb_stub, [], last="bea", after="bob")
    expect_scan(dynamodb_stub, [cleo, dan], after="bea")
    assert list(users.list_rows()) == [ada, bob, cleo, dan]


def test_a_table_without_rows_has_none(users: Users, dynamodb_stub: Stubber) -> None:
    expect_scan(dynamodb_stub, [])
    assert list(users.list_rows()) == []


@pytest.mark.parametrize("code", ["AccessDeniedException", "ProvisionedThroughputExceededException"])
def test_an_error_on_a_later_page_of_the_scan_surfaces(users: Users, dynamodb_stub: Stubber, code: str) -> None:
    ada = make_row("ada", "Ada", OLD.permanent_key)
    expect_scan(dynamodb_stub, [ada], last="ada")
    dynamodb_stub.add_client_error("scan", code, http_status_code=400)
    rows = users.list_rows()
    assert next(rows) == ada
    with pytest.raises(ClientError, match=code):
        next(rows)


def test_a_user_with_a_row_may_log_in(login_users: auth.Users, dynamodb_stub: Stubber) -> None:
    expected = {"TableName": "users", "Key": {"Username": {"S": "ada"}}, "ProjectionExpression": "Username"}
    dynamodb_stub.add_response("get_item", {"Item": {"Username": {"S": "ada"}}}, expected)
    login_users.require("ada")


def test_a_user_without_a_row_may_not_log_in(login_users: auth.Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_response("get_item", {})
    with pytest.raises(UnknownUserError):
        login_users.require("ada")


@pytest.mark.usefixtures("dynamodb_stub")  # which fails on every call
@pytest.mark.parametrize("username", ["", " ", "ada\n", "a" * 129, "ada/..", "é"])
def test_an_invalid_username_is_refused_without_a_call(login_users: auth.Users, username: str) -> None:
    with pytest.raises(UnknownUserError):
        login_users.require(username)
