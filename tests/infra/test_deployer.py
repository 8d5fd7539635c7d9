"""docs/deployer/ has every permission that `pulumi up` and `pulumi destroy` need, and no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import parliament
import pytest

from infra.documents.deployer import FOLDER, NETWORK_TYPES, POLICIES, SERVICE_TYPES, draw_deployer_policy
from tests.infra.resource_types import RESOURCE_TYPES

if TYPE_CHECKING:
    from tests.infra.stacks import Stack

KNOWN = NETWORK_TYPES | SERVICE_TYPES
FREE = {"getCallerIdentity", "getPartition"}
"""Functions of pulumi-aws that need no permission (AWS: GetCallerIdentity)."""


@pytest.mark.parametrize("name", POLICIES)
def test_the_file_is_what_the_code_writes(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == draw_deployer_policy(name), (
        "Run `python -m infra.documents.deployer`."
    )


@pytest.mark.parametrize("name", POLICIES)
def test_a_deployer_policy_is_valid_and_fits_into_a_managed_policy(name: str) -> None:
    text = draw_deployer_policy(name)
    # White space does not count (AWS: "IAM and AWS STS quotas").
    assert len("".join(text.split())) <= 6144
    report: Any = parliament.analyze_policy_string(text)
    serious = {"UNKNOWN_ACTION", "UNKNOWN_PREFIX", "MALFORMED", "RESOURCE_MISMATCH", "UNKNOWN_CONDITION_FOR_ACTION"}
    assert not [f"{each.issue} {each.detail}" for each in report.findings if each.issue in serious]
    for statement in json.loads(text)["Statement"]:
        actions = statement["Action"]
        assert "*" not in "".join(actions)


def test_the_deployer_policy_covers_every_resource_of_the_program(first_up: Stack) -> None:
    assert {each.type for each in first_up.cloud.resources()} <= KNOWN.keys()
    invoked = {token.rpartition(":")[2] for token, _ in first_up.cloud.invokes}
    assert {f"invoke {name}" for name in invoked - FREE} <= KNOWN.keys()


def test_the_deployer_policy_has_no_unknown_resource() -> None:
    types = {name for name in KNOWN if not name.startswith(("invoke ", "command "))}
    assert types <= RESOURCE_TYPES.keys()


def test_a_resource_can_be_created_read_and_deleted() -> None:
    """Each API has its own verbs; every type has at least one for each of the three."""
    # They exist only as a part of another resource, or AWS deletes them with it.
    parts = {
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy",
        "docker-build:index:Image",
    }
    verbs = (
        ("Create", "Put", "Register", "Request", "Associate", "Authorize", "Change", "POST"),
        ("Get", "Describe", "List", "GET"),
        ("Delete", "Put", "Deregister", "Schedule", "Disassociate", "Revoke", "Change", "DELETE"),
    )
    for name in {each for each in KNOWN if ":" in each} - parts:
        called = [action.partition(":")[2] for action in KNOWN[name]]
        for choice in verbs:
            assert any(action.startswith(choice) for action in called), f"{name} has no action {choice}"
