"""Availability Zones, the domain and the names of a stack, on Pulumi's engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.cloud import Cloud
from tests.infra.stacks import OperationError

if TYPE_CHECKING:
    from tests.infra.conftest import MakeStack
    from tests.infra.stacks import Stack

SUBNET, BUCKET, TABLE = "aws:ec2/subnet:Subnet", "aws:s3/bucket:Bucket", "aws:dynamodb/table:Table"
API, DOMAIN = "aws:apigatewayv2/api:Api", "aws:apigatewayv2/domainName:DomainName"
RECORD, CORS = "aws:route53/record:Record", "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration"
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
VALIDATION = {
    "domainName": "pictures.example.com",
    "resourceRecordName": "_proof.pictures.example.com.",
    "resourceRecordType": "CNAME",
    "resourceRecordValue": "_value.acm-validations.aws.",
}
OUTPUTS: dict[str, Any] = {"aws:acm/certificate:Certificate": {"domainValidationOptions": [VALIDATION]}}


def subnets(stack: Stack) -> dict[str, str]:
    """Zone ids of the subnets, by their blocks of addresses."""
    return {each.inputs["cidrBlock"]: each.inputs["availabilityZoneId"] for each in stack.cloud.resources(SUBNET)}


def read_origins(stack: Stack) -> set[str]:
    """All origins for which the stack accepts requests: of the services and of the bucket."""
    tasks = stack.deployment().of("aws:ecs/taskDefinition:TaskDefinition")
    containers = [json.loads(task.inputs["containerDefinitions"])[0] for task in tasks]
    variables = [variable for container in containers for variable in container["environment"]]
    [rule] = stack.cloud.one(CORS, "storage").inputs["corsRules"]
    return {variable["value"] for variable in variables if variable["name"] == "ORIGIN"} | {*rule["allowedOrigins"]}


def has_own_endpoint(stack: Stack) -> bool:
    return not stack.cloud.one(API, "edge").inputs["disableExecuteApiEndpoint"]


def test_a_zone_that_lacks_vpc_links_is_left_out(make_stack: MakeStack) -> None:
    zones = {"us-east-1a": "use1-az3", "us-east-1b": "use1-az4", "us-east-1c": "use1-az6", "us-east-1d": "use1-az1"}
    stack = make_stack(cloud=Cloud(region="us-east-1", zones=zones))
    stack.up({"region": "us-east-1"})
    assert subnets(stack) == {"10.0.1.0/24": "use1-az4", "10.0.2.0/24": "use1-az6"}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "region must be another one, since us-west-1 has fewer than 2 zones"),
        ({"zones": '["usw1-az1", "usw1-az9"]'}, "zones must be some of usw1-az2, usw1-az1"),
    ],
)
def test_too_few_zones_are_refused_before_anything_is_made(
    make_stack: MakeStack, config: dict[str, str], said: str
) -> None:
    stack = make_stack(cloud=Cloud(region="us-west-1", zones={"us-west-1a": "usw1-az2", "us-west-1b": "usw1-az1"}))
    with pytest.raises(OperationError, match=said) as raised:
        stack.up({"region": "us-west-1", **config})
    assert "Traceback" not in str(raised.value)
    assert not stack.cloud.resources()


def test_other_zones_replace_only_their_subnets_and_the_vpc_link(live: Stack) -> None:
    assert subnets(live) == {"10.0.0.0/24": "euc1-az2", "10.0.1.0/24": "euc1-az3"}
    done = live.up({"zones": '["euc1-az3", "euc1-az1"]'})
    assert subnets(live) == {"10.0.1.0/24": "euc1-az3", "10.0.2.0/24": "euc1-az1"}
    assert done.steps["create"] == {"Subnet network-2", "RouteTableAssociation network-2"}
    assert done.steps["delete"] >= {"Subnet network-0", "RouteTableAssociation network-0"}
    replaced = {name for operation, names in done.steps.items() if "replace" in operation for name in names}
    assert replaced == {"VpcLink edge"}
    assert live.up().steps == {}


def test_a_domain_with_a_certificate_gives_the_target_of_its_record(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.up({"domain": "pictures.example.com", "certificate": CERTIFICATE})
    domain = stack.cloud.one(DOMAIN, "edge-domain")
    assert domain.inputs["domainNameConfiguration"]["certificateArn"] == CERTIFICATE
    assert not stack.cloud.resources(RECORD)
    assert "cname" in stack.outputs
    assert stack.outputs["url"] == "https://pictures.example.com"
    assert read_origins(stack) == {"https://pictures.example.com"}
    assert has_own_endpoint(stack)
    # Before this, the operator creates the record.
    assert stack.up().steps == {"update": {"Api edge"}}
    assert not has_own_endpoint(stack)
    stack.destroy()
    assert not stack.cloud.resources()


def test_a_domain_with_a_hosted_zone_gets_its_certificate_and_records(make_stack: MakeStack) -> None:
    stack = make_stack(cloud=Cloud(outputs=OUTPUTS))
    stack.up({"domain": "pictures.example.com", "hostedZone": "Z0123456789"})
    certificate = stack.cloud.one("aws:acm/certificate:Certificate", "edge-domain")
    domain = stack.cloud.one(DOMAIN, "edge-domain")
    assert certificate.inputs["domainName"] == "pictures.example.com"
    assert domain.inputs["domainNameConfiguration"]["certificateArn"] == certificate.outputs["arn"]
    validation = stack.cloud.one(RECORD, "edge-domain-validation").inputs
    assert (validation["name"], validation["records"]) == (
        VALIDATION["resourceRecordName"],
        [VALIDATION["resourceRecordValue"]],
    )
    assert stack.cloud.one(RECORD, "edge-domain").inputs["zoneId"] == "Z0123456789"
    stack.destroy()
    assert not stack.cloud.resources()


def test_a_live_stack_moves_to_a_domain_and_back_without_replacing_data(live: Stack) -> None:
    api_origin = live.outputs["url"]
    done = live.up({"domain": "pictures.example.com", "certificate": CERTIFICATE})
    assert read_origins(live) == {"https://pictures.example.com"}
    live.up({"domain": None, "certificate": None})
    assert read_origins(live) == {api_origin}
    assert not live.cloud.resources(DOMAIN)
    touched = {name for operation, names in done.steps.items() if operation != "update" for name in names}
    assert not touched & {"Bucket storage", "Table storage", "Key signing", "Api edge"}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("aws:acm/certificateValidation:CertificateValidation", "timeout while waiting for state to become 'ISSUED'"),
        (DOMAIN, "TooManyRequestsException"),
        (RECORD, "AccessDenied: not authorized to perform: route53:ChangeResourceRecordSets"),
        ("aws:apigatewayv2/apiMapping:ApiMapping", "TooManyRequestsException"),
    ],
)
def test_a_live_stack_keeps_its_origin_until_its_domain_works(live: Stack, kind: str, error: str) -> None:
    live.cloud.outputs = OUTPUTS
    live.cloud.fail(kind, "edge-domain", error)
    api_origin = live.outputs["url"]
    with pytest.raises(OperationError, match=error):
        live.up({"domain": "pictures.example.com", "hostedZone": "Z0123456789"})
    assert has_own_endpoint(live)
    assert read_origins(live) == {api_origin}
    # Once the cause is mended, the next update completes the change, and another one disables the former address.
    done = live.up()
    assert has_own_endpoint(live)
    assert read_origins(live) == {"https://pictures.example.com"}
    assert "until the next `pulumi up`" in done.printed
    assert live.up().steps == {"update": {"Api edge"}}
    assert not has_own_endpoint(live)
    assert live.up().steps == {}
