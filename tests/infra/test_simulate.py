from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.policies import documents_of
from tests.infra.simulate import Decision, UnknownRuleError, decide, is_allowed

if TYPE_CHECKING:
    from tests.infra.deployment import Deployment

ROLE = "aws:iam/role:Role"
ALLOWED, DENIED, NOT_ALLOWED = Decision.ALLOWED, Decision.DENIED, Decision.NOT_ALLOWED


def make_document(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"} | elements
    return {"Version": "2012-10-17", "Statement": [statement]}


def test_a_role_with_a_policy_of_somebody_else_is_not_judged(faulty: Deployment) -> None:
    with pytest.raises(LookupError, match="doesn't spell out"):
        documents_of(faulty, faulty.one(ROLE, "manager"))


@pytest.mark.parametrize(
    ("elements", "action", "resource", "decision"),
    [
        ({}, "s3:GetObject", "arn:aws:s3:::b/1", ALLOWED),
        ({}, "S3:getobject", "arn:aws:s3:::b/1", ALLOWED),
        ({}, "s3:GetObject", "arn:aws:s3:::B/1", NOT_ALLOWED),
        ({}, "s3:GetObject", "arn:aws:s3:::b", NOT_ALLOWED),
        ({}, "s3:GetObjectTagging", "arn:aws:s3:::b/1", NOT_ALLOWED),
        ({"Action": "s3:Get*"}, "s3:GetObjectTagging", "arn:aws:s3:::b/1", ALLOWED),
        ({"Resource": ["arn:aws:s3:::c", "arn:aws:s3:::b/?"]}, "s3:GetObject", "arn:aws:s3:::b/1", ALLOWED),
        ({"Resource": "arn:aws:s3:::b.c"}, "s3:GetObject", "arn:aws:s3:::bxc", NOT_ALLOWED),
        ({"Effect": "Deny"}, "s3:GetObject", "arn:aws:s3:::b/1", DENIED),
    ],
)
def test_actions_and_resources_are_matched_as_iam_does(
    elements: dict[str, Any], action: str, resource: str, decision: Decision
) -> None:
    assert decide([make_document(**elements)], action, resource) is decision


def test_a_denial_outweighs_any_permission() -> None:
    documents = [make_document(), make_document("Deny", Action="s3:*", Resource="*")]
    assert decide(documents, "s3:GetObject", "arn:aws:s3:::b/1") is DENIED


def test_what_is_excepted_from_a_denial_is_allowed() -> None:
    denial: dict[str, Any] = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Deny", "NotAction": "s3:Get*", "NotResource": "arn:aws:s3:::c/*"},
    }
    everything = make_document(Action="s3:*", Resource="*")
    assert decide([everything, denial], "s3:GetObject", "arn:aws:s3:::b/1") is ALLOWED
    assert decide([everything, denial], "s3:PutObject", "arn:aws:s3:::c/1") is ALLOWED
    assert decide([everything, denial], "s3:PutObject", "arn:aws:s3:::b/1") is DENIED


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:SecureTransport": "false"}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, {"aws:securetransport": "true"}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, {}, False),
        ({"BoolIfExists": {"aws:SecureTransport": "false"}}, {}, True),
        ({"StringEquals": {"aws:SourceAccount": ["1", "2"]}}, {"aws:SourceAccount": "2"}, True),
        ({"StringEquals": {"aws:SourceAccount": "1"}}, {"aws:SourceAccount": "2"}, False),
        ({"StringNotEquals": {"aws:SourceAccount": "1"}}, {}, True),
        ({"StringLike": {"s3:prefix": "avatars/*"}}, {"s3:prefix": "avatars/1"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:*:1:*"}}, {"aws:SourceArn": "arn:aws:ecs:eu:1:task/a"}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:ecs:*:1:*"}}, {"aws:SourceArn": "arn:aws:ecs:eu:2:task/a"}, False),
        ({"Null": {"aws:TokenIssueTime": "true"}}, {}, True),
        ({"NumericGreaterThan": {"s3:signatureAge": "300000"}}, {"s3:signatureAge": "400000"}, True),
    ],
)
def test_conditions_hold_as_in_iam(condition: dict[str, Any], context: dict[str, str], holds: bool) -> None:  # noqa: FBT001
    document = make_document(Condition=condition)
    assert is_allowed([document], "s3:GetObject", "arn:aws:s3:::b/1", context=context) is holds


@pytest.mark.parametrize(
    "elements",
    [
        {"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}},
        {"Resource": "arn:aws:s3:::b/${aws:username}/*"},
        {"NotPrincipal": {"AWS": "*"}},
    ],
    ids=["an operator", "a variable", "an element"],
)
def test_what_is_not_simulated_is_an_error(elements: dict[str, Any]) -> None:
    with pytest.raises(UnknownRuleError):
        decide([make_document(**elements)], "s3:GetObject", "arn:aws:s3:::b/1")


@pytest.mark.parametrize(
    ("named", "principal", "decision"),
    [
        ("*", "ecs-tasks.amazonaws.com", ALLOWED),
        ({"Service": "ecs-tasks.amazonaws.com"}, "ecs-tasks.amazonaws.com", ALLOWED),
        ({"Service": "ecs-tasks.amazonaws.com"}, "lambda.amazonaws.com", NOT_ALLOWED),
        ({"AWS": "arn:aws:iam::1:root"}, "arn:aws:iam::1:role/a", ALLOWED),
        ({"AWS": "arn:aws:iam::1:role/a"}, "arn:aws:iam::1:role/b", NOT_ALLOWED),
        ({"AWS": "arn:aws:iam::1:role/a"}, None, NOT_ALLOWED),
    ],
)
def test_the_policy_of_a_resource_is_for_its_principals(named: Any, principal: str | None, decision: Decision) -> None:
    document = make_document(Principal=named)
    assert decide([document], "s3:GetObject", "arn:aws:s3:::b/1", principal=principal) is decision
