"""A stack without the demo: no page, no login by name and no inspector. And what a stack with the demo says of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.documents.routing import find_service
from tests.infra.checks import CHECKS
from tests.infra.cloud import Cloud
from tests.infra.reach import INTERNET, find_hops, find_ways
from tests.infra.stacks import deploy
from tests.infra.test_issuer import LOGIN, environment

if TYPE_CHECKING:
    from tests.infra.deployment import Deployment
    from tests.infra.stacks import Stack

WITHOUT_DEMO = LOGIN | {"demo": "false"}


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy(WITHOUT_DEMO, Cloud())


def test_all_checks_find_nothing(deployment: Deployment) -> None:
    assert {check.__name__: check(deployment) for check in CHECKS} == {check.__name__: [] for check in CHECKS}


def test_uploads_and_the_sweep_are_deployed_and_nothing_else(deployment: Deployment, up: Deployment) -> None:
    names = {str(each) for each in deployment.registrations}
    assert names <= {str(each) for each in up.registrations}
    assert not [name for name in names if name.split()[1].startswith(("auth", "frontend", "signing"))]
    assert [each.name for each in deployment.of("aws:ecs/service:Service")] == ["uploads"]
    assert {each.name for each in deployment.of("aws:ecs/taskDefinition:TaskDefinition")} == {"uploads", "sweep"}
    assert {each.name for each in deployment.of("aws:scheduler/schedule:Schedule")} == {"sweep"}
    assert find_ways(find_hops(deployment), INTERNET, "Service uploads")


def test_no_path_leads_to_the_page_the_users_the_inspector_or_a_login(deployment: Deployment) -> None:
    [rule] = deployment.of("aws:lb/listenerRule:ListenerRule")
    assert rule.inputs["conditions"] == [{"pathPattern": {"values": ["/uploads/*"]}}]
    listener = deployment.one("aws:lb/listener:Listener", "edge")
    assert [action["fixedResponse"]["statusCode"] for action in listener.inputs["defaultActions"]] == ["404"]
    running = {each.name for each in deployment.of("aws:ecs/service:Service")}
    for path in ("/", "/users", "/inspector/objects", "/inspector/users", "/static/page.js", "/auth/login"):
        assert find_service(path, running) is None
    assert find_service("/uploads/avatar", running) == "uploads"


def test_the_outputs_offer_no_demo_users_and_no_logs_of_missing_services(deployment: Deployment) -> None:
    assert deployment.exports.keys().isdisjoint({"demo", "seed", "authLogs", "frontendLogs", "signingKeys"})
    assert deployment.exports.keys() >= {"url", "sweep", "remove", "uploadsLogs", "sweepLogs", "dashboard"}
    assert deployment.exports["images"].keys() == deployment.exports["running"].keys() == {"uploads"}


def test_no_role_may_read_all_rows_but_that_of_the_sweep(deployment: Deployment) -> None:
    policies = {each.name: json.loads(each.inputs["policy"]) for each in deployment.of("aws:iam/rolePolicy:RolePolicy")}
    scanning = {
        name
        for name, policy in policies.items()
        for statement in policy["Statement"]
        if "dynamodb:Scan" in statement["Action"]
    }
    assert policies.keys() >= {"uploads", "sweep"}
    assert scanning == {"sweep"}


def test_a_live_stack_drops_the_demo_and_takes_it_up_again_without_replacing_data(live: Stack) -> None:
    steps = live.up(WITHOUT_DEMO).steps
    assert steps["delete"] >= {"Service frontend", "Service auth", "Repository frontend", "ListenerRule frontend"}
    assert steps["replace"] == {"TaskDefinition uploads"}
    kept = {each.type for each in live.cloud.resources()}
    assert {"aws:s3/bucket:Bucket", "aws:dynamodb/table:Table"} <= kept
    assert live.up().steps == {}
    back = live.up(dict.fromkeys(WITHOUT_DEMO)).steps
    assert back["create"] >= {"Service frontend", "Service auth"}
    assert not [name for name in back.get("replace", ()) if name.startswith(("Bucket", "Table"))]


def test_a_stack_with_the_demo_says_that_anybody_can_log_in(up: Deployment) -> None:
    said = up.exports["demo"]
    assert said.startswith("Anybody on the internet can log in as any user, without a password,")
    assert "the list of the bucket" in said


def test_allowed_origins_and_addresses_reach_each_service_and_the_bucket() -> None:
    origins, addresses = "https://app.example.com,https://www.example.com", "203.0.113.0/24,2001:db8::/32"
    deployment = deploy({"allowedOrigins": origins, "allowedAddresses": addresses}, Cloud())
    for name in ("auth", "uploads", "frontend"):
        told = environment(deployment, name)
        assert (told["ALLOWED_ORIGINS"], told["ALLOWED_ADDRESSES"]) == (origins, addresses)
    [rule] = deployment.one("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration", "storage").inputs["corsRules"]
    assert rule["allowedOrigins"] == [deployment.exports["url"], *origins.split(",")]
    assert deployment.exports["demo"].startswith(f"Anybody with an address in {addresses} can log in")
