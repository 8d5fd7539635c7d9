"""The exact DynamoDB requests of both `Users`, and how they read responses and errors: hence Stubber, no fake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from services.auth import users as auth
from services.store.table import UnknownUserError
from services.uploads.objects import Reference
from services.uploads.users import NotForwardError, Users

if TYPE_CHECKING:
    from botocore.stub import Stubber
    from types_boto3_dynamodb import DynamoDBClient

OLD, NEW, LATER = "avatars/1", "avatars/2", "avatars/3"


@pytest.fixture
def users(dynamodb_client: DynamoDBClient) -> Users:
    return Users(dynamodb_client, "users")


@pytest.fixture
def login_users(dynamodb_client: DynamoDBClient) -> auth.Users:
    return auth.Users(dynamodb_client, "users")


def fail_the_condition(stub: Stubber, row: dict[str, Any]) -> None:
    stub.add_client_error(
        "update_item", "ConditionalCheckFailedException", http_status_code=400, modeled_fields={"Item": row}
    )


@pytest.mark.parametrize(
    ("row", "avatar"), [({"Avatar": {"S": OLD}}, OLD), ({}, None)], ids=["with avatar", "without avatar"]
)
def test_the_avatar_is_read_consistently(
    users: Users, dynamodb_stub: Stubber, row: dict[str, Any], avatar: str | None
) -> None:
    expected = {
        "TableName": "users",
        "Key": {"Username": {"S": "ada"}},
        "ProjectionExpression": "Avatar",
        "ConsistentRead": True,
    }
    dynamodb_stub.add_response("get_item", {"Item": row}, expected)
    assert users.find_avatar("ada") == avatar


def test_a_user_without_a_row_is_unknown(users: Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_response("get_item", {})
    with pytest.raises(UnknownUserError):
        users.find_avatar("ada")


@pytest.mark.parametrize(
    ("before", "replaced"), [({"Avatar": {"S": OLD}}, OLD), ({}, None)], ids=["one before", "the first"]
)
def test_a_later_avatar_replaces_the_row_s_and_the_old_one_is_returned(
    users: Users, dynamodb_stub: Stubber, before: dict[str, Any], replaced: str | None
) -> None:
    expected = {
        "TableName": "users",
        "Key": {"Username": {"S": "ada"}},
        "UpdateExpression": "SET Avatar = :new",
        "ConditionExpression": "attribute_exists(Username) AND (attribute_not_exists(Avatar) OR Avatar < :new)",
        "ExpressionAttributeValues": {":new": {"S": NEW}},
        "ReturnValues": "UPDATED_OLD",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    dynamodb_stub.add_response("update_item", {"Attributes": before} if before else {}, expected)
    assert users.advance("ada", NEW) == replaced


@pytest.mark.parametrize("avatar", [NEW, LATER])
def test_an_avatar_that_is_not_later_is_refused_with_the_row_s(
    users: Users, dynamodb_stub: Stubber, avatar: str
) -> None:
    fail_the_condition(dynamodb_stub, {"Username": {"S": "ada"}, "Avatar": {"S": avatar}})
    with pytest.raises(NotForwardError) as caught:
        users.advance("ada", NEW)
    assert caught.value.avatar == avatar


def test_a_user_without_a_row_gets_none(users: Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_client_error("update_item", "ConditionalCheckFailedException", http_status_code=400)
    with pytest.raises(UnknownUserError):
        users.advance("ada", NEW)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ThrottlingException"])
def test_any_other_error_of_dynamodb_surfaces(
    users: Users, login_users: auth.Users, dynamodb_stub: Stubber, code: str
) -> None:
    for method in ("get_item", "update_item", "get_item"):
        dynamodb_stub.add_client_error(method, code, http_status_code=400)
    with pytest.raises(ClientError, match=code):
        users.find_avatar("ada")
    with pytest.raises(ClientError, match=code):
        users.advance("ada", NEW)
    with pytest.raises(ClientError, match=code):
        login_users.require("ada")


def expect_scan(
    stub: Stubber, rows: list[dict[str, Any]], *, last: str | None = None, after: str | None = None
) -> None:
    expected: dict[str, Any] = {
        "TableName": "users",
        "ProjectionExpression": "Username, Avatar",
        "ConsistentRead": True,
    }
    if after:
        expected["ExclusiveStartKey"] = {"Username": {"S": after}}
    answer: dict[str, Any] = {"Items": rows}
    if last:
        answer["LastEvaluatedKey"] = {"Username": {"S": last}}
    stub.add_response("scan", answer, expected)


def make_row(username: str, avatar: str | None) -> dict[str, Any]:
    return {"Username": {"S": username}} | ({"Avatar": {"S": avatar}} if avatar is not None else {})


def test_all_rows_with_an_avatar_are_read_consistently(users: Users, dynamodb_stub: Stubber) -> None:
    expect_scan(dynamodb_stub, [make_row("ada", OLD), make_row("bob", None)], last="bob")
    # An empty page need not be the last one.
    expect_scan(dynamodb_stub, [], last="bea", after="bob")
    expect_scan(dynamodb_stub, [make_row("cleo", NEW), make_row("dan", ""), make_row("eve", OLD)], after="bea")
    assert list(users.list_references()) == [Reference(OLD, "ada"), Reference(NEW, "cleo"), Reference(OLD, "eve")]


def test_a_table_without_rows_has_no_references(users: Users, dynamodb_stub: Stubber) -> None:
    expect_scan(dynamodb_stub, [])
    assert list(users.list_references()) == []


@pytest.mark.parametrize("code", ["AccessDeniedException", "ProvisionedThroughputExceededException"])
def test_an_error_on_a_later_page_of_the_scan_surfaces(users: Users, dynamodb_stub: Stubber, code: str) -> None:
    expect_scan(dynamodb_stub, [make_row("ada", OLD)], last="ada")
    dynamodb_stub.add_client_error("scan", code, http_status_code=400)
    references = users.list_references()
    assert next(references) == Reference(OLD, "ada")
    with pytest.raises(ClientError, match=code):
        next(references)


def test_a_user_with_a_row_may_log_in(login_users: auth.Users, dynamodb_stub: Stubber) -> None:
    expected = {"TableName": "users", "Key": {"Username": {"S": "ada"}}, "ProjectionExpression": "Username"}
    dynamodb_stub.add_response("get_item", {"Item": {"Username": {"S": "ada"}}}, expected)
    login_users.require("ada")


def test_a_user_without_a_row_may_not_log_in(login_users: auth.Users, dynamodb_stub: Stubber) -> None:
    dynamodb_stub.add_response("get_item", {})
    with pytest.raises(UnknownUserError):
        login_users.require("ada")


@pytest.mark.usefixtures("dynamodb_stub")  # which fails on every call
@pytest.mark.parametrize("username", ["", " ", "ada\n", "a" * 65, "ada/..", "é"])
def test_an_invalid_username_is_refused_without_a_call(login_users: auth.Users, username: str) -> None:
    with pytest.raises(UnknownUserError):
        login_users.require(username)
