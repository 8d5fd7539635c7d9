"""The upgrade of a stack that the program of an earlier commit has made, on Pulumi's engine (`former_stack.py`).

`applied/test_upgrade.py` shows that its data stay.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.infra import former_stack
from tests.infra.cloud import Cloud

if TYPE_CHECKING:
    from tests.infra.conftest import MakeStack
    from tests.infra.stacks import Stack

SUBNET, LINK = "aws:ec2/subnet:Subnet", "aws:apigatewayv2/vpcLink:VpcLink"
IMAGES = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


@pytest.fixture
def former(make_stack: MakeStack) -> Stack:
    stack = make_stack(cloud=Cloud(account=former_stack.ACCOUNT))
    stack.load(json.loads(former_stack.read_state()))
    return stack


def test_an_upgrade_keeps_the_subnets_and_replaces_the_policies_of_the_images(former: Stack) -> None:
    network = {each.id for each in former.cloud.resources(SUBNET, LINK)}
    assert len(former.cloud.resources(IMAGES)) == 3
    former.up()
    # Zones had names in the former program. These are their ids.
    assert {each.id for each in former.cloud.resources(SUBNET, LINK)} == network
    policies = [json.loads(each.inputs["policy"]) for each in former.cloud.resources(IMAGES)]
    assert [each["rules"][0]["selection"]["countNumber"] for each in policies] == [100, 100, 100]
    former.up()  # removes the seeded users from the state (decision 28)
    assert former.up().steps == {}
