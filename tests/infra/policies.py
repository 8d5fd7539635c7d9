"""Policy documents, wherever they are in the inputs, and what is wrong with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import parliament

from tests.infra.walk import parse_document, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.deployment import Deployment, Registration

WITHOUT_RESOURCE = {
    "ecr:GetAuthorizationToken": "a token is for the registry as a whole",
    "cloudwatch:PutMetricData": "a metric is no resource",
    "ec2:DescribeNetworkInterfaces": "lists are not narrowed",
    "xray:PutTraceSegments": "a trace is no resource",
    "xray:PutTelemetryRecords": "likewise",
}
"""Actions that can be allowed on "*" alone, each with the reason."""

CONFUSED_DEPUTIES = frozenset({"ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"})
"""Services that act for any account that asks them to, and say for which: a role's trust names its own."""

_SOURCES = {"aws:sourceaccount", "aws:sourcearn"}
_KEYS = {"aws:kms/key:Key", "aws:kms/keyPolicy:KeyPolicy"}
_ROLE_POLICY, _ATTACHMENT = "aws:iam/rolePolicy:RolePolicy", "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
_POLICY = "aws:iam/policy:Policy"


@dataclass(frozen=True)
class Document:
    """`identity` is what a role may do, `trust` who may take it on, `resource` who may do what to the owner."""

    owner: Registration
    path: str
    kind: Literal["identity", "trust", "resource"]
    body: dict[str, Any]

    @property
    def statements(self) -> list[dict[str, Any]]:
        return as_list(self.body.get("Statement"))

    def __str__(self) -> str:
        return f"{self.owner}{self.path}"


def find_documents(deployment: Deployment) -> list[Document]:
    return [
        Document(each, path, _kind(path, document), document)
        for each in deployment.resources()
        for path, value in walk(each.inputs, "")
        # A text is looked into, and what is found inside it is the same document again.
        if isinstance(document := parse_document(value) if isinstance(value, str) else None, dict)
        and "Statement" in document
    ]


def documents_of(deployment: Deployment, role: Registration) -> list[dict[str, Any]]:
    """All that this role may do. What AWS itself manages can't be seen from here, and is an error."""
    names = {role.id, role.outputs.get("name"), role.outputs.get("arn")}
    inline = [each for each in deployment.of(_ROLE_POLICY) if each.inputs["role"] in names]
    attached = [each for each in deployment.of(_ATTACHMENT) if each.inputs["role"] in names]
    managed = [deployment.by_value(each.inputs["policyArn"], _POLICY) for each in attached]
    if None in managed:
        raise LookupError(f"{role} has a policy that the program doesn't spell out.")
    return [json.loads(each.inputs["policy"]) for each in [*inline, *filter(None, managed)]]


def find_policy_faults(deployment: Deployment) -> list[str]:
    managed = [
        f"{each}: {each.inputs['policyArn']} is AWS's to change"
        for each in deployment.of(_ATTACHMENT)
        if ":aws:policy/" in str(each.inputs["policyArn"])
    ]
    return managed + [f"{each}: {fault}" for each in find_documents(deployment) for fault in _judge(each)]


def _judge(document: Document) -> Iterator[str]:
    for statement in document.statements:
        if statement.get("Effect") != "Allow":
            continue
        actions = [str(action) for action in as_list(statement.get("Action"))]
        yield from (f"allows by {element}" for element in ("NotAction", "NotResource") if element in statement)
        if not _is_default_of_key(document, statement):
            yield from (f"allows {action}" for action in actions if "*" in action or "?" in action)
        # In the policy of a key, "*" is that key.
        if "*" in as_list(statement.get("Resource")) and document.owner.type not in _KEYS:
            yield from (f"allows {action} on *" for action in actions if action not in WITHOUT_RESOURCE)
        if document.kind == "trust":
            yield from _judge_trust(statement, actions)
        # The policy of a VPC endpoint limits what others allow.
        limits = document.owner.type == "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy"
        if document.kind == "resource" and _is_anybody(statement) and not statement.get("Condition") and not limits:
            yield "allows it to anybody"
    if document.kind != "trust":
        report: Any = parliament.analyze_policy_string(json.dumps(document.body))
        yield from (f"{each.issue} {each.detail}" for each in report.findings if not _is_mistaken(document, each.issue))
    sids = [statement["Sid"] for statement in document.statements if "Sid" in statement]
    yield from (f"says {sid} twice" for sid in {sid for sid in sids if sids.count(sid) > 1})


def _judge_trust(statement: dict[str, Any], actions: list[str]) -> Iterator[str]:
    if actions != ["sts:AssumeRole"]:
        yield f"a trust allows sts:AssumeRole, not {', '.join(actions)}"
    principal = statement.get("Principal")
    services = (
        as_list(principal.get("Service")) if isinstance(principal, dict) and len(cast("Any", principal)) == 1 else []
    )
    if not services:
        yield f"trusts {principal!r}, which is no service"
    conditions = cast("dict[str, dict[str, Any]]", statement.get("Condition", {}))
    keys = {key.lower() for operator in conditions.values() for key in operator}
    if not CONFUSED_DEPUTIES.isdisjoint(services) and keys.isdisjoint(_SOURCES):
        yield f"trusts {', '.join(services)} on behalf of any account"


def _is_default_of_key(document: Document, statement: dict[str, Any]) -> bool:
    """What AWS gives a key by default: its account's own policies say who may do what with it."""
    principal = statement.get("Principal")
    accounts = as_list(cast("dict[str, Any]", principal).get("AWS")) if isinstance(principal, dict) else []
    own = bool(accounts) and all(str(each).endswith(":root") for each in accounts)
    return document.owner.type in _KEYS and own and statement.get("Action") == "kms:*"


def _is_mistaken(document: Document, issue: str) -> bool:
    """Parliament takes the "*" in the policy of a key for any resource."""
    return document.owner.type in _KEYS and issue == "RESOURCE_STAR"


def _is_anybody(statement: dict[str, Any]) -> bool:
    return statement.get("Principal") in ("*", {"AWS": "*"})


def _kind(path: str, document: dict[str, Any]) -> Literal["identity", "trust", "resource"]:
    if path.endswith(".assumeRolePolicy"):
        return "trust"
    named = any({"Principal", "NotPrincipal"} & set(statement) for statement in as_list(document["Statement"]))
    return "resource" if named else "identity"


def as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return cast("list[Any]", value) if isinstance(value, list) else [value]
