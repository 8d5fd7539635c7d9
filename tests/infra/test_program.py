"""The project's own program, as Pulumi's engine would be told of it."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
import pulumi_aws as aws
import pytest

from infra.documents.zones import VPC_LINK_REGIONS
from infra.settings import ROLE_KEYS, InvalidConfigurationError, read_settings
from services.auth.settings import Settings as AuthSettings
from services.frontend.settings import Settings as FrontendSettings
from services.settings.environment import METRICS_NAMESPACE
from services.settings.environment import read_settings as read_environment
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.settings import Settings as SweepSettings
from services.web.rate_limits import CLIENT_ADDRESS_HEADER
from tests.infra.checks import CHECKS
from tests.infra.conftest import CONFIGURED
from tests.infra.order import find_missing_dependencies, find_surprises
from tests.infra.policies import documents_of
from tests.infra.reach import INTERNET, find_hops, find_ports, find_ways
from tests.infra.simulate import Decision, decide, is_allowed
from tests.infra.stacks import OperationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.deployment import Deployment, Registration
    from tests.infra.stacks import Stack

SERVICES = ("auth", "uploads", "frontend")
TASKS = (*SERVICES, "sweep")
KINDS: dict[str, type[msgspec.Struct]] = {
    "auth": AuthSettings,
    "uploads": UploadsSettings,
    "frontend": FrontendSettings,
    "sweep": SweepSettings,
}
CERTIFICATE = "arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"


def container(deployment: Deployment, name: str) -> dict[str, Any]:
    definition = deployment.one("aws:ecs/taskDefinition:TaskDefinition", name)
    (only,) = json.loads(definition.inputs["containerDefinitions"])
    return only


def environment(deployment: Deployment, name: str) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in container(deployment, name)["environment"]}


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__ for check in CHECKS])
def test_a_check_finds_nothing(
    check: Callable[[Deployment], list[str]], up: Deployment, preview: Deployment, configured: Deployment
) -> None:
    assert check(preview) == check(up) == check(configured) == []


def test_a_preview_tells_what_an_up_will_do(preview: Deployment, up: Deployment) -> None:
    assert find_surprises(preview, up) == []


def test_nothing_runs_before_what_it_needs(up: Deployment) -> None:
    assert find_missing_dependencies(up) == []


@pytest.mark.parametrize("service", SERVICES)
def test_there_is_one_way_in(up: Deployment, service: str) -> None:
    hops = find_hops(up)
    way = (INTERNET, "Api edge", "VpcLink edge", "LoadBalancer edge", f"Service {service}")
    assert find_ways(hops, INTERNET, f"Service {service}") == {way}
    assert find_ports(hops, "LoadBalancer edge", f"Service {service}") == {"tcp 8000"}
    assert find_ports(hops, f"Service {service}", INTERNET) == {"tcp 443"}


def test_the_services_are_told_who_calls_by_the_edge_alone(up: Deployment) -> None:
    mapped = up.one("aws:apigatewayv2/integration:Integration", "edge").inputs["requestParameters"]
    assert mapped == {f"overwrite:header.{CLIENT_ADDRESS_HEADER.lower()}": "$context.identity.sourceIp"}


def test_nobody_calls_the_sweep(up: Deployment) -> None:
    assert not [way for way in find_ways(find_hops(up), INTERNET, "Schedule sweep") if len(way) < 5]
    assert not up.one("aws:scheduler/schedule:Schedule", "sweep").inputs["target"].get("loadBalancers")


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_told_what_its_settings_want(up: Deployment, name: str) -> None:
    told = environment(up, name)
    known = {field.name.upper() for field in msgspec.structs.fields(KINDS[name])}
    assert told.keys() - {"AWS_DEFAULT_REGION"} <= known
    read_environment(KINDS[name], told)


def test_the_webhooks_secret_is_in_secrets_manager_only(configured: Deployment) -> None:
    arn = CONFIGURED["confirmedSecretArn"]
    for name in TASKS:
        secrets = container(configured, name).get("secrets", [])
        documents = documents_of(configured, configured.one("aws:iam/role:Role", f"{name}-execution"))
        is_sender = name in {"uploads", "sweep"}
        assert secrets == ([{"name": "CONFIRMED_SECRET", "valueFrom": arn}] if is_sender else [])
        assert is_allowed(documents, "secretsmanager:GetSecretValue", arn) == is_sender
        assert "CONFIRMED_SECRET" not in environment(configured, name)
        own = documents_of(configured, configured.one("aws:iam/role:Role", name))
        assert not is_allowed(own, "secretsmanager:GetSecretValue", arn)


def test_tasks_are_told_of_each_other_and_of_what_was_made(up: Deployment) -> None:
    bucket = up.one("aws:s3/bucket:Bucket", "storage")
    table = up.one("aws:dynamodb/table:Table", "storage")
    balancer = up.one("aws:lb/loadBalancer:LoadBalancer", "edge")
    for name in ("uploads", "frontend"):
        told = environment(up, name)
        assert told["BUCKET"] == bucket.outputs["bucket"]
        assert told["JWKS_URL"] == f"http://{balancer.outputs['dnsName']}/auth/.well-known/jwks.json"
    for name in SERVICES:
        assert environment(up, name)["ORIGIN"] == up.exports["url"]
    assert {environment(up, name)["TABLE"] for name in TASKS} == {table.outputs["name"]}
    assert environment(up, "auth")["SIGNING_KEYS"] == up.one("aws:kms/key:Key", "signing").outputs["arn"]


@pytest.mark.parametrize("name", TASKS)
def test_a_container_can_do_little(up: Deployment, name: str) -> None:
    made = container(up, name)
    assert made["readonlyRootFilesystem"]
    assert made["linuxParameters"] == {"capabilities": {"drop": ["ALL"]}, "initProcessEnabled": True}
    assert "privileged" not in made
    assert made["stopTimeout"] > 11
    group = up.one("aws:cloudwatch/logGroup:LogGroup", name).outputs["name"]
    assert made["logConfiguration"]["options"]["awslogs-group"] == group
    assert "@sha256:" in made["image"]


def test_the_sweep_runs_the_image_of_uploads(up: Deployment) -> None:
    assert container(up, "sweep")["image"] == container(up, "uploads")["image"]
    assert container(up, "sweep")["command"][:3] == ["python", "-m", "services.uploads.sweep"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_found_by_its_path_and_its_health(up: Deployment, service: str) -> None:
    targets = up.one("aws:lb/targetGroup:TargetGroup", service)
    assert targets.inputs["healthCheck"]["path"] == "/healthz"
    assert container(up, service)["portMappings"] == [{"containerPort": targets.inputs["port"], "protocol": "tcp"}]
    made = up.one("aws:ecs/service:Service", service).inputs
    assert made["loadBalancers"][0]["containerPort"] == targets.inputs["port"]
    assert made["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert up.one("aws:ecs/service:Service", service).ignore_changes == ("desiredCount",)


def test_paths_lead_to_the_services_in_the_order_of_their_rules(up: Deployment) -> None:
    rules = sorted(up.of("aws:lb/listenerRule:ListenerRule"), key=lambda rule: rule.inputs["priority"])
    paths = [rule.inputs["conditions"][0]["pathPattern"]["values"] for rule in rules]
    assert [(rule.name, path) for rule, path in zip(rules, paths, strict=True)] == [
        ("auth", ["/auth/*"]),
        ("uploads", ["/uploads/*"]),
        ("frontend", ["/*"]),
    ]


# Permissions, by simulation

ACCOUNT = "123456789012"


def arns(deployment: Deployment) -> dict[str, str]:
    bucket = deployment.one("aws:s3/bucket:Bucket", "storage").outputs["arn"]
    return {
        "bucket": bucket,
        "avatar": f"{bucket}/avatars/0",
        "pending": f"{bucket}/pending/0",
        "table": deployment.one("aws:dynamodb/table:Table", "storage").outputs["arn"],
        "key": deployment.one("aws:kms/key:Key", "signing").outputs["arn"],
    }


MADE_CALLS: dict[str, set[tuple[str, str]]] = {
    "auth": {("dynamodb:GetItem", "table"), ("kms:Sign", "key"), ("kms:GetPublicKey", "key")},
    "uploads": {
        *(
            (action, kind)
            for action in ("s3:PutObject", "s3:GetObject", "s3:DeleteObject")
            for kind in ("avatar", "pending")
        ),
        ("s3:PutObjectTagging", "avatar"),
        ("s3:GetObjectTagging", "avatar"),
        ("s3:ListBucket", "bucket"),
        ("dynamodb:GetItem", "table"),
        ("dynamodb:UpdateItem", "table"),
    },
    "frontend": {
        *((action, kind) for action in ("s3:GetObject", "s3:GetObjectTagging") for kind in ("avatar", "pending")),
        ("s3:ListBucket", "bucket"),
        *((f"dynamodb:{action}", "table") for action in ("Scan", "GetItem", "BatchGetItem")),
    },
    "sweep": {
        *(
            (f"s3:{action}", "avatar")
            for action in ("GetObject", "GetObjectTagging", "PutObject", "PutObjectTagging", "DeleteObject")
        ),
        ("s3:ListBucket", "bucket"),
        ("dynamodb:Scan", "table"),
        ("dynamodb:GetItem", "table"),
        ("dynamodb:UpdateItem", "table"),
    },
}
NOBODYS_CALLS = {("dynamodb:PutItem", "table"), ("dynamodb:DeleteItem", "table"), ("s3:DeleteBucket", "bucket")}
CALLS = sorted({call for calls in (*MADE_CALLS.values(), NOBODYS_CALLS) for call in calls})


@pytest.mark.parametrize("name", TASKS)
def test_a_task_may_make_its_calls_and_no_other(up: Deployment, name: str) -> None:
    documents = documents_of(up, up.one("aws:iam/role:Role", name))
    known = arns(up)
    allowed = {(action, kind) for action, kind in CALLS if is_allowed(documents, action, known[kind])}
    assert allowed == MADE_CALLS[name]


@pytest.mark.parametrize(("names", "allowed"), [("Username,Told", True), ("Username,Avatar", False)])
def test_the_sweep_may_write_no_attribute_but_the_mark(up: Deployment, names: str, *, allowed: bool) -> None:
    documents = documents_of(up, up.one("aws:iam/role:Role", "sweep"))
    context = {"dynamodb:Attributes": names}
    assert is_allowed(documents, "dynamodb:UpdateItem", arns(up)["table"], context=context) == allowed


def test_only_the_auth_task_can_sign(up: Deployment) -> None:
    policy = json.loads(up.one("aws:kms/key:Key", "signing").inputs["policy"])
    roles = {role.name: role.outputs["arn"] for role in up.of("aws:iam/role:Role")}
    key = arns(up)["key"]
    signers = [
        name
        for name, arn in {**roles, "administrator": f"arn:aws:iam::{ACCOUNT}:root"}.items()
        if decide([policy], "kms:Sign", key, principal=arn) is Decision.ALLOWED
    ]
    assert signers == ["auth"]


def test_the_bucket_refuses_plain_http(up: Deployment) -> None:
    policy = json.loads(up.one("aws:s3/bucketPolicy:BucketPolicy", "storage").inputs["policy"])
    role = up.one("aws:iam/role:Role", "uploads").outputs["arn"]
    for secure, expected in (("false", Decision.DENIED), ("true", Decision.NOT_ALLOWED)):
        found = decide(
            [policy], "s3:GetObject", arns(up)["avatar"], principal=role, context={"aws:SecureTransport": secure}
        )
        assert found is expected


def test_a_task_s_own_role_is_not_the_one_that_starts_it(up: Deployment) -> None:
    for definition in up.of("aws:ecs/taskDefinition:TaskDefinition"):
        assert definition.inputs["taskRoleArn"] != definition.inputs["executionRoleArn"]


# What is kept, and what goes


def test_everything_can_be_destroyed(up: Deployment) -> None:
    kept = [each for each in up.registrations if each.protect or each.retain_on_delete]
    # An image is deleted with its repository.
    assert {each.type for each in kept} == {"docker-build:index:Image"}
    assert up.one("aws:s3/bucket:Bucket", "storage").inputs["forceDestroy"]
    assert all(repository.inputs["forceDelete"] for repository in up.of("aws:ecr/repository:Repository"))
    assert not up.one("aws:dynamodb/table:Table", "storage").inputs["deletionProtectionEnabled"]
    assert not up.one("aws:lb/loadBalancer:LoadBalancer", "edge").inputs["enableDeletionProtection"]
    assert up.one("aws:kms/key:Key", "signing").inputs["deletionWindowInDays"] == 7
    assert not [group for group in up.of("aws:cloudwatch/logGroup:LogGroup") if group.inputs.get("skipDestroy")]


def test_everything_is_tagged_and_in_the_region_of_the_settings(configured: Deployment) -> None:
    (provider,) = configured.of("pulumi:providers:aws")
    assert json.loads(provider.inputs["defaultTags"]) == {"tags": {"Project": "three-phase-upload"}}
    assert provider.inputs["region"] == "eu-west-1"
    made = [each for each in configured.resources() if each.type.startswith("aws:")]
    assert not [str(each) for each in made if provider.urn not in each.provider]


def find_alarm(deployment: Deployment, name: str) -> dict[str, Any]:
    alarm = deployment.one("aws:cloudwatch/metricAlarm:MetricAlarm", name)
    return {key: value for key, value in alarm.inputs.items() if key != "alarmDescription"}


def test_a_wrong_clock_of_one_uploads_task_raises_an_alarm(up: Deployment) -> None:
    metric = {"namespace": f"{METRICS_NAMESPACE}/test", "dimensions": {"Service": "uploads"}, "period": 300}
    alarm = find_alarm(up, "clock-error")
    # The maximum over all tasks: the average would hide one task among many.
    assert alarm.items() >= (metric | {"metricName": "ClockErrorBound", "statistic": "Maximum"}).items()
    assert (alarm["comparisonOperator"], alarm["evaluationPeriods"]) == ("GreaterThanOrEqualToThreshold", 1)
    # Two tasks then differ by less than a second.
    assert 2 * alarm["threshold"] == 1000
    alarm = find_alarm(up, "clock-not-synchronized")
    assert alarm.items() >= (metric | {"metricName": "ClockSynchronized", "statistic": "Minimum"}).items()
    assert (alarm["comparisonOperator"], alarm["threshold"], alarm["evaluationPeriods"]) == ("LessThanThreshold", 1, 3)
    # A service that publishes nothing has a clock of unknown error.
    assert alarm["treatMissingData"] == "breaching"


# Configuration


def test_the_configuration_is_heeded(configured: Deployment) -> None:
    definition = configured.one("aws:ecs/taskDefinition:TaskDefinition", "uploads").inputs
    assert (definition["cpu"], definition["memory"]) == ("512", "2048")
    assert definition["runtimePlatform"]["cpuArchitecture"] == "ARM64"
    target = configured.one("aws:appautoscaling/target:Target", "uploads").inputs
    assert (target["minCapacity"], target["maxCapacity"]) == (3, 7)
    assert int(environment(configured, "auth")["TOKEN_SECONDS"]) == 600
    assert environment(configured, "auth")["LOGINS_PER_MINUTE"] == "7"
    uploads, sweep = environment(configured, "uploads"), environment(configured, "sweep")
    assert uploads["PRESIGNS_PER_MINUTE"] == "0"
    assert (uploads["PENDING"], environment(configured, "frontend")["PENDING"]) == ("tag", "tag")
    assert uploads["MAX_BYTES"] == sweep["MAX_BYTES"] == "123456"
    assert uploads["CONFIRM_SECONDS"] == sweep["CONFIRM_SECONDS"] == "1800"
    assert sweep["MARGIN_SECONDS"] == "2700"
    assert configured.one("aws:s3/bucket:Bucket", "storage").inputs["bucket"] == "my-own-bucket"
    assert {group.inputs["retentionInDays"] for group in configured.of("aws:cloudwatch/logGroup:LogGroup")} == {7}
    assert all(
        alarm.inputs["alarmActions"] == [CONFIGURED["alarmTopic"]]
        for alarm in configured.of("aws:cloudwatch/metricAlarm:MetricAlarm")
    )


def test_without_a_topic_nobody_is_called(up: Deployment) -> None:
    assert not [alarm for alarm in up.of("aws:cloudwatch/metricAlarm:MetricAlarm") if alarm.inputs.get("alarmActions")]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"pending": "tga"}, "pending must be prefix or tag, not 'tga'."),
        ({"cpu": "300"}, "cpu must be one of 256, 512, 1024, 2048, 4096, not 300."),
        ({"cpu": "256", "memory": "4096"}, "memory must be one of 512, 1024, 2048 with cpu 256, not 4096."),
        ({"maxBytes": "6000000000"}, "maxBytes must be a whole number from 10000 to 20000000, not '6000000000'."),
        ({"bucket": "My_Bucket"}, "bucket must be a text like my-pictures, not 'My_Bucket'."),
        ({"bucket": "xn--bucket"}, "bucket must be a text like my-pictures, not 'xn--bucket'."),
        ({"minTasks": "0"}, "minTasks must be a whole number from 1 to 100, not '0'."),
        ({"minTasks": "20"}, "maxTasks must not be less than minTasks, which is 20."),
        ({"minTasks": "two"}, "minTasks must be a whole number from 1 to 100, not 'two'."),
        ({"architecture": "RISCV"}, "architecture must be ARM64 or X86_64, not 'RISCV'."),
        ({"logDays": "8"}, "logDays must be 1, 3, 5, 7, 14, 30, 60, 90, 180 or 365, not '8'."),
        ({"loginsPerMinute": "-1"}, "loginsPerMinute must be a whole number of at least 0, not '-1'."),
        ({"region": "Frankfurt"}, "region must be a text like eu-central-1 or us-east-1, not 'Frankfurt'."),
        (
            {"alarmTopic": "alarms"},
            "alarmTopic must be a text like arn:aws:sns:eu-central-1:123456789012:alarms, not 'alarms'.",
        ),
        ({"formSeconds": "600", "confirmSeconds": "300"}, "confirmSeconds must not be shorter than formSeconds."),
        ({"marginSeconds": "60"}, "marginSeconds must be a whole number from 2700 to 86400, not '60'."),
        ({"zones": "euc1-az1"}, """zones must be a list like ["euc1-az1","euc1-az2"], not 'euc1-az1'."""),
        ({"zones": '["euc1-az1", "euc1-az1"]'}, "zones must name at least 2 different Availability Zones."),
        ({"tags": '["team"]'}, """tags must be a map like {"team":"pictures"}, not ['team']."""),
        *(
            (
                {"tags": json.dumps({"team": "pictures", key: "x"})},
                (
                    f"tags must not contain the key {key!r}, because a key has 1 to 128 letters, digits, spaces and"
                    " _.:/=+-@, and does not begin with aws:."
                ),
            )
            for key in ("aws:team", "AWS:team", "te#am", "")
        ),
        (
            {"tags": '{"team": "pictures", "owner": "a;b"}'},
            (
                "tags must not contain 'a;b' for owner, because a value has at most 256 letters, digits, spaces and"
                " _.:/=+-@."
            ),
        ),
        (
            {"tags": '{"project": "x"}'},
            "tags must not contain project, because IAM takes it for Project, which the program sets.",
        ),
        ({"tags": '{"team": "x", "Team": "y"}'}, "tags must not contain Team, because IAM takes it for team."),
        ({"region": "eu-centrall-1"}, "region must be a region of AWS such as eu-central-1, not eu-centrall-1."),
        ({"region": "xx-nowhere-9"}, "region must be a region of AWS, not xx-nowhere-9."),
        (
            {"region": "ap-southeast-7"},
            (
                "region must be another one, since ap-southeast-7 has no VPC links as far as this program knows: if AWS"
                " has added them, set zones to the ids of two Availability Zones that have them."
            ),
        ),
        ({"domain": "Example"}, "domain must be a text like pictures.example.com, not 'Example'."),
        ({"domain": "pictures.example"}, "domain needs hostedZone or certificate."),
        ({"hostedZone": "Z1"}, "certificate and hostedZone need domain."),
        (
            {"domain": "pictures.example", "certificate": CERTIFICATE, "region": "us-east-1"},
            "certificate must be in the stack's region, which is us-east-1.",
        ),
        (
            {"alarmTopic": "arn:aws:sns:us-east-1:123456789012:alarms"},
            "alarmTopic must be in the stack's region, which is eu-central-1.",
        ),
        (
            {"allowedOrigins": "*"},
            "allowedOrigins must be a text like https://example.com,https://app.example.com, not '*'.",
        ),
        (
            {"allowedAddresses": "203.0.113.7"},
            "allowedAddresses must be a text like 203.0.113.0/24,2001:db8::/32, not '203.0.113.7'.",
        ),
        (
            {"allowedAddresses": "203.0.113.7/24"},
            "allowedAddresses must be networks in CIDR notation: 203.0.113.7/24 has host bits set.",
        ),
        ({"demo": "false"}, "demo must not be false without issuer, because nothing would issue access tokens."),
        (
            {"confirmedUrl": "https://example.com/hooks"},
            "confirmedUrl and confirmedSecretArn need each other.",
        ),
        ({"mnTasks": "3"}, "There is no setting mnTasks; the nearest name is minTasks."),
        ({"maxbyte": "3"}, "There is no setting maxbyte; the nearest name is maxBytes."),
        ({"tasks": "3"}, "tasks is now called minTasks."),
        (
            {"pending": "tga", "cpu": "many"},
            "cpu must be a whole number, not 'many'; pending must be prefix or tag, not 'tga'.",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_valid(given: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidConfigurationError) as raised:
        read_settings(given)
    assert str(raised.value) == said


@pytest.mark.parametrize("region", sorted(VPC_LINK_REGIONS))
def test_a_region_with_vpc_links_is_accepted(region: str) -> None:
    assert read_settings({"region": region}).region == region


@pytest.mark.parametrize("region", ["ap-southeast-7", "eusc-de-east-1"])
def test_any_region_of_aws_is_accepted_with_zones(region: str) -> None:
    assert read_settings({"region": region, "zones": '["a1-az1", "a1-az2"]'}).region == region


def test_a_list_and_a_map_are_read_as_pulumi_writes_them() -> None:
    settings = read_settings({"zones": '["euc1-az2","euc1-az3"]', "tags": '{"team":"pictures"}'})
    assert (settings.zones, settings.tags) == (("euc1-az2", "euc1-az3"), {"team": "pictures"})


def test_the_keys_of_a_role_are_those_of_the_provider() -> None:
    assert {translate_to_snake(key) for key in ROLE_KEYS} == {*inspect.signature(aws.ProviderAssumeRoleArgs).parameters}


def translate_to_snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def test_a_wrong_setting_ends_the_program_before_anything_is_made(stack: Stack) -> None:
    with pytest.raises(OperationError, match="cpu must be one of") as refused:
        stack.up({"cpu": "300"})
    assert "Traceback" not in str(refused.value)
    assert not stack.cloud.resources()


def find_role(deployment: Deployment, name: str) -> Registration:
    return deployment.one("aws:iam/role:Role", name)


def test_the_scheduler_may_start_the_sweep_and_nothing_else(up: Deployment) -> None:
    documents = documents_of(up, find_role(up, "sweep-schedule"))
    definition = up.one("aws:ecs/taskDefinition:TaskDefinition", "sweep").outputs["arn"]
    cluster = {"ecs:cluster": up.one("aws:ecs/cluster:Cluster", "cluster").outputs["arn"]}
    to_tasks = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    other = up.one("aws:ecs/taskDefinition:TaskDefinition", "auth").outputs["arn"]
    assert is_allowed(documents, "ecs:RunTask", definition, context=cluster)
    assert not is_allowed(documents, "ecs:RunTask", other, context=cluster)
    assert is_allowed(documents, "iam:PassRole", find_role(up, "sweep").outputs["arn"], context=to_tasks)
    assert not is_allowed(documents, "iam:PassRole", find_role(up, "auth").outputs["arn"], context=to_tasks)
