"""What an operator meets on a live stack: failed deployments, two stacks, alarms, tags, another account."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from infra.documents.routing import TIMEOUT_SECONDS
from tests.infra.stacks import OperationError

if TYPE_CHECKING:
    from tests.infra.cloud import Resource
    from tests.infra.conftest import MakeStack
    from tests.infra.stacks import Stack

SERVICE, TASK = "aws:ecs/service:Service", "aws:ecs/taskDefinition:TaskDefinition"
ALARM, SCHEDULE = "aws:cloudwatch/metricAlarm:MetricAlarm", "aws:scheduler/schedule:Schedule"
LOGS, DASHBOARD = "aws:cloudwatch/logGroup:LogGroup", "aws:cloudwatch/dashboard:Dashboard"
SERVICES = {"auth", "uploads", "frontend"}


def test_an_up_is_not_green_while_ecs_runs_another_task_definition(live: Stack) -> None:
    """As after a roll-back that the provider has taken for a success."""
    older = "arn:aws:ecs:eu-central-1:1:task-definition/older:1"
    live.cloud.answers = {"getService": {"taskDefinition": older, "id": "service"}}
    message = rf"The service \w+ runs {older} instead of arn:\S+: ECS rolled its deployment back"
    with pytest.raises(OperationError, match=message) as raised:
        live.up()
    assert "Traceback" not in str(raised.value)
    # A preview must be possible, since it shows the next step.
    assert re.search(message, live.preview().messages)


def test_two_stacks_share_no_name_of_metric_alarm_task_or_log(live: Stack, make_stack: MakeStack) -> None:
    other = make_stack("other", cloud=live.cloud)
    other.up()
    shared: list[str] = []
    for kind in (ALARM, TASK, LOGS, DASHBOARD, SCHEDULE, "aws:ecs/cluster:Cluster"):
        [one, two] = (
            {name_of(each) for each in live.cloud.resources(kind) if is_in(each, who)} for who in (live, other)
        )
        assert one
        assert two
        shared += one & two
    assert not shared
    [metrics, other_metrics] = (metrics_of(live, stack) for stack in (live, other))
    assert metrics == {"ThreePhaseUpload/test"}
    assert other_metrics == {"ThreePhaseUpload/other"}
    other.destroy()
    assert live.up().steps == {}


def is_in(resource: Resource, stack: Stack) -> bool:
    return resource.urn.startswith(f"urn:pulumi:{stack.name}::")


def name_of(resource: Resource) -> str:
    return next(resource.inputs[key] for key in ("name", "family", "dashboardName") if key in resource.inputs)


def metrics_of(live: Stack, stack: Stack) -> set[str]:
    """The namespaces of the services' own metrics, as alarms, dashboard and tasks have them."""
    of_stack = [each for each in live.cloud.resources() if is_in(each, stack)]
    alarms = {each.inputs["namespace"] for each in of_stack if each.type == ALARM}
    texts = [json.dumps(each.inputs) for each in of_stack if each.type in {DASHBOARD, TASK}]
    return {name for name in alarms if not name.startswith("AWS/")} | {
        name for text in texts for name in re.findall(r"ThreePhaseUpload[\w/.-]*", text)
    }


def test_the_log_groups_of_an_earlier_version_keep_their_names_and_lines(live: Stack) -> None:
    state = live.export()
    for resource in state["resources"]:
        if resource["type"] == LOGS:
            name = f"{resource['urn'].rpartition('::')[2]}-1234567"
            live.cloud.one(LOGS, resource["urn"].rpartition("::")[2]).inputs["name"] = name
            resource["inputs"]["name"] = resource["outputs"]["name"] = resource["outputs"]["id"] = name
    groups = {name["inputs"]["name"] for name in state["resources"] if name["type"] == LOGS}
    live.load(state)
    done = live.up()
    assert not [each for names in done.steps.values() for each in names if each.startswith("LogGroup")]
    assert {each.inputs["name"] for each in live.deployment().of(LOGS)} == groups


def test_a_deployment_is_rolled_back_by_an_alarm_that_exists_before_it(first_up: Stack) -> None:
    deployment = first_up.deployment()
    for name in SERVICES:
        service, alarm = deployment.one(SERVICE, name), deployment.one(ALARM, f"{name}-errors")
        assert service.inputs["alarms"] == {"enable": True, "rollback": True, "alarmNames": [alarm.inputs["name"]]}
        assert service.inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
        assert alarm.urn in deployment.created_before(service)
        # A deployment without requests is no failed one.
        assert alarm.inputs["treatMissingData"] == "notBreaching"


def test_alarms_on_missing_data_are_created_once_sweep_and_services_run(first_up: Stack) -> None:
    deployment = first_up.deployment()
    breaching = [each for each in deployment.of(ALARM) if each.inputs["treatMissingData"] == "breaching"]
    assert {each.name for each in breaching} == {"sweep-missing", "clock-not-synchronized"}
    needed = {deployment.one(SCHEDULE, "sweep").urn, *(deployment.one(SERVICE, name).urn for name in SERVICES)}
    created = [str(call) for call in first_up.cloud.calls if call.action == "create"]
    for alarm in breaching:
        assert created.index(f"create {alarm}") > max(
            created.index(f"create {each}") for each in deployment.registrations if each.urn in needed
        )
    # The first sweep starts as soon as the schedule exists.
    schedule = deployment.one(SCHEDULE, "sweep").inputs
    assert schedule["scheduleExpression"] == "rate(1 hour)"
    assert schedule["flexibleTimeWindow"] == {"mode": "OFF"}
    assert "startDate" not in schedule


def test_a_percentile_of_few_requests_raises_no_alarm(first_up: Stack) -> None:
    latency = first_up.deployment().one(ALARM, "latency").inputs
    assert (latency["extendedStatistic"], latency["evaluateLowSampleCountPercentiles"]) == ("p99", "ignore")


def test_a_task_is_deregistered_for_as_long_as_a_request_may_take(first_up: Stack) -> None:
    delays = {each.inputs["deregistrationDelay"] for each in first_up.deployment().of("aws:lb/targetGroup:TargetGroup")}
    assert delays == {TIMEOUT_SECONDS}


def test_images_are_named_by_repository_and_digest_alone(first_up: Stack) -> None:
    for name, image in first_up.outputs["images"].items():
        repository = first_up.cloud.one("aws:ecr/repository:Repository", name).outputs["repositoryUrl"]
        digest = first_up.cloud.one("docker-build:index:Image", name).outputs["digest"]
        assert image == f"{repository}@{digest}"
        [container] = json.loads(first_up.deployment().one(TASK, name).inputs["containerDefinitions"])
        assert container["image"] == image


def test_the_image_in_use_outlives_many_failed_deployments(first_up: Stack) -> None:
    for policy in first_up.deployment().of("aws:ecr/lifecyclePolicy:LifecyclePolicy"):
        [rule] = json.loads(policy.inputs["policy"])["rules"]
        assert rule["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100}


def test_the_architecture_does_not_depend_on_the_machine(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for machine in ("arm64", "x86_64"):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        stack.up()
    assert {each.inputs["runtimePlatform"]["cpuArchitecture"] for each in stack.cloud.resources(TASK)} == {"X86_64"}
    assert stack.up().steps == {}


def provider_inputs(stack: Stack) -> dict[str, Any]:
    [provider] = stack.deployment().of("pulumi:providers:aws")
    return provider.inputs


def test_tags_are_those_of_the_setting_and_the_project(live: Stack) -> None:
    live.up({"tags": '{"team": "pictures", "cost centre": "42"}'})
    tags = {"Project": "three-phase-upload", "team": "pictures", "cost centre": "42"}
    assert json.loads(provider_inputs(live)["defaultTags"]) == {"tags": tags}


def test_the_provider_takes_pulumi_s_own_settings_for_aws(live: Stack) -> None:
    done = live.up(
        {
            "aws:profile": "deployer",
            "aws:assumeRoles": '[{"roleArn": "arn:aws:iam::123456789012:role/deployer", "sessionName": "up"}]',
            "aws:allowedAccountIds": '["123456789012"]',
        }
    )
    inputs = provider_inputs(live)
    assert inputs["profile"] == "deployer"
    assert json.loads(inputs["assumeRoles"]) == [
        {"roleArn": "arn:aws:iam::123456789012:role/deployer", "sessionName": "up"}
    ]
    assert json.loads(inputs["allowedAccountIds"]) == ["123456789012"]
    assert not (done.steps.keys() & {"create", "replace", "delete"})


def test_texts_that_look_like_numbers_are_accepted_as_the_command_stores_them(live: Stack) -> None:
    """`pulumi config set --path` stores 2027 as a number and true as a boolean."""
    live.configure_by_path("aws:allowedAccountIds[0]", "123456789012")
    live.configure_by_path("aws:allowedAccountIds[1]", "001234567012")
    for name, value in {"year": "2027", "share": "0.50", "live": "true", "cost centre": "007"}.items():
        live.configure_by_path(f'tags["{name}"]', value)
    stored = (live.folder / "Pulumi.test.yaml").read_text()
    assert "- 123456789012\n" in stored
    live.up()
    inputs = provider_inputs(live)
    assert json.loads(inputs["allowedAccountIds"]) == ["123456789012", "001234567012"]
    tags = {"Project": "three-phase-upload", "year": "2027", "share": "0.50", "live": "true", "cost centre": "007"}
    assert json.loads(inputs["defaultTags"]) == {"tags": tags}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"aws:region": "eu-west-1"}, "The region is the setting region, and aws:region is not used."),
        ({"aws:profil": "x"}, "There is no setting aws:profil; the nearest name is aws:profile."),
        ({"aws:allowedAccountIds": "1"}, """aws:allowedAccountIds must be a list like ["123456789012"], not '1'."""),
        (
            {"aws:assumeRoles": '[{"rolArn": "arn:aws:iam::123456789012:role/deployer"}]'},
            "aws:assumeRoles must not contain rolArn; the nearest name is roleArn.",
        ),
        ({"pending": "tga"}, "pending must be prefix or tag, not 'tga'."),
    ],
)
def test_a_wrong_setting_is_one_sentence_and_makes_nothing(stack: Stack, config: dict[str, str], said: str) -> None:
    with pytest.raises(OperationError) as raised:
        stack.up(config)
    assert said in str(raised.value)
    assert "Traceback" not in str(raised.value)
    assert not stack.cloud.resources()


def test_a_stack_s_name_may_have_any_character_that_pulumi_allows(make_stack: MakeStack) -> None:
    stack = make_stack("team.pictures_2-a")
    stack.up()
    for name in map(name_of, stack.cloud.resources(TASK, SCHEDULE, DASHBOARD)):
        assert re.fullmatch(r"three-phase-upload-team-pictures_2-a[\w-]*", name)


def test_a_stack_s_name_that_is_too_long_is_one_sentence_and_makes_nothing(make_stack: MakeStack) -> None:
    name = "a" * 40
    stack = make_stack(name)
    with pytest.raises(OperationError, match=f"The name {name} of the stack is too long") as raised:
        stack.up()
    assert "Traceback" not in str(raised.value)
    assert not stack.cloud.resources()
