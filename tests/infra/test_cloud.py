"""The account in memory refuses what AWS refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.infra.cloud import Cloud, RefusedError, find_zones

if TYPE_CHECKING:
    from tests.infra.stacks import Stack


BUCKET = "aws:s3/bucket:Bucket"


@pytest.mark.parametrize(
    ("type_", "name", "user"),
    [
        ("aws:ec2/vpc:Vpc", "network", "Subnet network-0"),
        ("aws:ec2/subnet:Subnet", "network-0", "LoadBalancer edge"),
        ("aws:ec2/routeTable:RouteTable", "network", "RouteTableAssociation network-0"),
        ("aws:ec2/internetGateway:InternetGateway", "network", "mapped public addresses"),
        ("aws:ec2/securityGroup:SecurityGroup", "task", "Service auth"),
        ("aws:lb/targetGroup:TargetGroup", "auth", "ListenerRule auth"),
        ("aws:ecs/cluster:Cluster", "cluster", "Service auth"),
        ("aws:iam/role:Role", "auth", "RolePolicy auth"),
    ],
)
def test_what_is_in_use_is_not_deleted(live: Stack, type_: str, name: str, user: str) -> None:
    with pytest.raises(RefusedError, match=user):
        live.cloud.delete_by_hand(type_, name)


@pytest.mark.parametrize(
    ("type_", "name", "protection"),
    [
        (BUCKET, "storage", {"forceDestroy": False}),
        ("aws:ecr/repository:Repository", "auth", {"forceDelete": False}),
        ("aws:dynamodb/table:Table", "storage", {"deletionProtectionEnabled": True}),
        ("aws:lb/loadBalancer:LoadBalancer", "edge", {"enableDeletionProtection": True}),
    ],
)
def test_what_is_protected_is_not_deleted(live: Stack, type_: str, name: str, protection: dict[str, bool]) -> None:
    live.cloud.change_by_hand(type_, name, **protection)
    if type_ == BUCKET:
        picture = {"bucket": live.cloud.one(BUCKET, "storage").id, "key": "avatars/1"}
        live.cloud.add("urn:pulumi:demo::demo::aws:s3/bucketObjectv2:BucketObjectv2::picture", "1", picture, picture)
    with pytest.raises(RefusedError):
        live.cloud.delete_by_hand(type_, name)


def test_a_name_is_given_once(live: Stack) -> None:
    for type_, name in (("aws:s3/bucket:Bucket", "storage"), ("aws:iam/role:Role", "auth")):
        made = live.cloud.one(type_, name)
        with pytest.raises(RefusedError, match="already exists"):
            live.cloud.create(made.urn + "-2", made.inputs)


def test_a_block_of_addresses_is_given_once(live: Stack) -> None:
    subnet = live.cloud.one("aws:ec2/subnet:Subnet", "network-0")
    with pytest.raises(RefusedError, match=r"InvalidSubnet\.Conflict"):
        live.cloud.create(subnet.urn + "-2", subnet.inputs)


def test_a_bucket_is_deleted_with_its_configuration(live: Stack) -> None:
    bucket = live.cloud.one(BUCKET, "storage").id
    live.cloud.delete_by_hand(BUCKET, "storage")
    assert not [each for each in live.cloud.resources() if each.inputs.get("bucket") == bucket]


def test_each_task_definition_of_a_family_is_a_new_revision(live: Stack) -> None:
    task = live.cloud.one("aws:ecs/taskDefinition:TaskDefinition", "auth")
    made = live.cloud.create(task.urn, task.inputs)
    assert task.outputs["arn"].endswith(":1")
    assert made.outputs["arn"].endswith(":2")
    assert made.id == task.id


@pytest.mark.parametrize(
    ("region", "zone", "identity"),
    [
        ("eu-central-1", "eu-central-1a", "euc1-az2"),
        ("us-east-1", "us-east-1e", "use1-az3"),
        ("ap-northeast-1", "ap-northeast-1c", "apne1-az1"),
        ("us-gov-west-1", "us-gov-west-1b", "usgw1-az3"),
    ],
)
def test_zones_have_ids_as_in_aws(region: str, zone: str, identity: str) -> None:
    assert find_zones(region)[zone] == identity
    excluded = Cloud().invoke("aws:index:getAvailabilityZones", {"region": region, "excludeZoneIds": [identity]})
    assert identity not in excluded["zoneIds"]
    assert zone not in excluded["names"]
