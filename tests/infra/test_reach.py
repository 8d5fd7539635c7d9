from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.reach import INTERNET, Ports, find_hops, find_ways

if TYPE_CHECKING:
    from tests.infra.deployment import Deployment

RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"


def test_a_rule_that_admits_the_internet_is_found(up: Deployment) -> None:
    """The program as it is has one way in (test_program.py)."""
    rules = {
        name: replace(each, inputs=_open_to_the_internet(each.inputs))
        for name in ("link-to-balancer", "balancer-to-task")
        for each in [up.one(RULE, name)]
    }
    to_service = up.with_changed(rules["balancer-to-task"])
    assert (INTERNET, "Service auth") in find_ways(find_hops(to_service), INTERNET, "Service auth")
    to_balancer = up.with_changed(rules["link-to-balancer"])
    way = (INTERNET, "LoadBalancer edge", "Service auth")
    assert way in find_ways(find_hops(to_balancer), INTERNET, "Service auth")


def _open_to_the_internet(inputs: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in inputs.items() if key != "referencedSecurityGroupId"} | {
        "cidrIpv4": "0.0.0.0/0"
    }


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        (Ports("tcp", 80, 80), Ports("tcp", 0, 1000), "tcp 80"),
        (Ports("tcp", 80, 443), Ports("tcp", 100, 1000), "tcp 100-443"),
        (Ports("-1", 0, 65535), Ports("tcp", 80, 80), "tcp 80"),
        (Ports("-1", 0, 65535), Ports("-1", 0, 65535), "all"),
        (Ports("tcp", 80, 80), Ports("udp", 80, 80), None),
        (Ports("tcp", 80, 80), Ports("tcp", 81, 90), None),
    ],
)
def test_two_rules_allow_what_both_allow(one: Ports, other: Ports, common: str | None) -> None:
    both = one & other
    assert (str(both) if both else None) == common
