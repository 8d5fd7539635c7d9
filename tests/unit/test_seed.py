from __future__ import annotations

import re
from itertools import islice

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra.seed.people import PORTRAITS, Person, invent_people
from infra.seed.seeds import PAUSE_SECONDS, seed
from services.store.keys import USERNAME_PATTERN
from services.store.table import USERNAME, make_key


@pytest.fixture(scope="module")
def crowd() -> list[Person]:
    return list(invent_people(10_000))


def test_each_user_has_an_own_name_and_username(crowd: list[Person]) -> None:
    assert len(crowd) == 10_000
    assert len({person.username for person in crowd}) == 10_000
    assert all(re.fullmatch(USERNAME_PATTERN, person.username) for person in crowd)
    assert all(person.name.strip() for person in crowd)


def test_the_users_are_the_same_every_time_whatever_their_number(crowd: list[Person]) -> None:
    assert list(invent_people(50)) == crowd[:50]
    assert list(islice(invent_people(1_000_000), 50)) == crowd[:50]


def test_the_first_three_have_portraits_that_differ(crowd: list[Person]) -> None:
    assert [person.portrait for person in crowd[:3]] == list(PORTRAITS)
    assert len({portrait.read_bytes() for portrait in PORTRAITS}) == 3
    assert not any(person.portrait for person in crowd[3:])


def test_zero_users_are_none() -> None:
    assert list(invent_people(0)) == []


def test_no_existing_user_is_overwritten() -> None:
    """DynamoDB returns the second key unprocessed first, and somebody adds the third user at the same time."""
    aws = boto3.Session("x", "x", region_name="eu-central-1")
    s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
    first, second, third = [make_key(person.username) for person in invent_people(3)]
    unprocessed = {"users": {"Keys": [second], "ProjectionExpression": USERNAME}}
    codes = [{"Code": "None"}, {"Code": "ConditionalCheckFailed"}]
    with Stubber(s3) as stored, Stubber(dynamodb) as table:
        table.add_response("batch_get_item", {"Responses": {"users": []}, "UnprocessedKeys": unprocessed})
        table.add_response(
            "batch_get_item", {"Responses": {"users": [second]}, "UnprocessedKeys": {}}, {"RequestItems": unprocessed}
        )
        for _ in (first, third):
            stored.add_response("put_object", {})
        table.add_client_error(
            "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": codes}
        )
        put = {"TableName": "users", "Item": ANY, "ConditionExpression": "attribute_not_exists(Username)"}
        table.add_response("transact_write_items", {}, {"TransactItems": [{"Put": put}]})
        pauses: list[float] = []
        assert seed(s3, dynamodb, "bucket", "users", 3, pauses.append) == 1
        assert pauses == [PAUSE_SECONDS]
        stored.assert_no_pending_responses()
        table.assert_no_pending_responses()
