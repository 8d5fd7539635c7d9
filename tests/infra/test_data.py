"""What an operator does to a live stack loses no picture, no user and no valid token, on Pulumi's engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.infra.stacks import OperationError

if TYPE_CHECKING:
    from tests.infra.stacks import Stack

BUCKET, TABLE, KEY = "aws:s3/bucket:Bucket", "aws:dynamodb/table:Table", "aws:kms/key:Key"
ROW, PICTURE = "aws:dynamodb/tableItem:TableItem", "aws:s3/bucketObjectv2:BucketObjectv2"


def environment(stack: Stack, task: str) -> dict[str, str]:
    definition = stack.deployment().one("aws:ecs/taskDefinition:TaskDefinition", task)
    (container,) = json.loads(definition.inputs["containerDefinitions"])
    return {entry["name"]: entry["value"] for entry in container["environment"]}


@pytest.mark.parametrize("change", [{"bucket": "other-pictures"}, {"region": "eu-west-1"}])
def test_a_change_that_would_replace_the_data_is_refused_each_time(live: Stack, change: dict[str, str]) -> None:
    before = {each.id for each in live.cloud.resources()}
    [name] = change
    for attempt in (live.preview, live.up, live.up):
        with pytest.raises(OperationError, match=f"{name} cannot be changed to {change[name]}") as refused:
            attempt(change)
        assert "Traceback" not in str(refused.value)
    assert {each.id for each in live.cloud.resources()} == before
    live.destroy()
    assert not live.cloud.resources()


def test_after_destroy_a_stack_can_have_another_region_and_bucket(live: Stack) -> None:
    live.destroy()
    live.up({"region": "eu-west-1", "bucket": "other-pictures"})
    assert live.cloud.one(BUCKET, "storage").id == "other-pictures"


def test_a_bucket_keeps_its_name_when_the_setting_is_removed(stack: Stack) -> None:
    stack.up({"bucket": "my-pictures"})
    assert stack.up({"bucket": None}).steps == {}


def test_a_bucket_with_a_generated_name_can_be_named_in_the_settings(live: Stack) -> None:
    assert live.up({"bucket": live.outputs["bucket"]}).steps == {}


def test_kept_data_survives_a_destroy(live: Stack) -> None:
    assert live.up({"keepData": "true"}).steps == {"update": {"Bucket storage", "Table storage"}}
    live.destroy()
    # What protects the bucket stays with it.
    assert {str(each) for each in live.cloud.resources()} == {
        "Bucket storage",
        "BucketCorsConfiguration storage",
        "BucketLifecycleConfiguration storage",
        "BucketOwnershipControls storage",
        "BucketPolicy storage",
        "BucketPublicAccessBlock storage",
        "BucketServerSideEncryptionConfiguration storage",
        "BucketVersioning storage",
        "Table storage",
    }
    assert live.cloud.one(TABLE, "storage").inputs["deletionProtectionEnabled"]
    assert not live.cloud.one(BUCKET, "storage").inputs["forceDestroy"]


def test_data_that_is_no_longer_kept_is_destroyed(live: Stack) -> None:
    live.up({"keepData": "true"})
    live.up({"keepData": "false"})
    live.destroy()
    assert not live.cloud.resources()


def test_bucket_and_table_can_be_restored_for_the_same_time(live: Stack) -> None:
    done = live.up({"recoveryDays": "21"})
    assert done.steps == {"update": {"BucketLifecycleConfiguration storage", "Table storage"}}
    table = live.cloud.one(TABLE, "storage").inputs
    assert table["pointInTimeRecovery"] == {"enabled": True, "recoveryPeriodInDays": 21}
    rules = {
        rule["id"]: rule
        for rule in live.cloud.one(
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "storage"
        ).inputs["rules"]
    }
    assert rules["noncurrent-versions"]["noncurrentVersionExpiration"] == {"noncurrentDays": 21}
    assert rules["noncurrent-versions"]["expiration"] == {"expiredObjectDeleteMarker": True}
    assert rules["noncurrent-pending"]["noncurrentVersionExpiration"] == {"noncurrentDays": 1}
    versioning = live.cloud.one("aws:s3/bucketVersioning:BucketVersioning", "storage").inputs
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}


def test_a_rotation_deletes_no_key_that_verifies_valid_tokens(live: Stack) -> None:
    arns = {"signing": live.cloud.one(KEY, "signing").outputs["arn"]}
    # The next key is published before it signs.
    done = live.up({"signingKeys": "signing,2027"})
    assert done.steps["create"] == {"Key 2027"}
    assert "delete" not in done.steps
    arns["2027"] = live.cloud.one(KEY, "2027").outputs["arn"]
    assert environment(live, "auth")["SIGNING_KEYS"] == f"{arns['signing']},{arns['2027']}"
    # It signs. The former key is still published.
    done = live.up({"signingKeys": "2027,signing"})
    assert done.steps.keys() == {"replace", "update"}
    assert environment(live, "auth")["SIGNING_KEYS"] == f"{arns['2027']},{arns['signing']}"
    # The tokens of the former key have expired.
    assert live.up({"signingKeys": "2027"}).steps["delete"] == {"Key signing"}
    assert environment(live, "auth")["SIGNING_KEYS"] == arns["2027"]
    assert live.up().steps == {}


def test_a_rotation_skips_no_step(live: Stack) -> None:
    with pytest.raises(OperationError, match="signingKeys cannot start with 2027"):
        live.up({"signingKeys": "2027,signing"})
    live.up({"signingKeys": "signing,2027"})
    with pytest.raises(OperationError, match="signingKeys must still contain signing"):
        live.up({"signingKeys": "2027"})
    assert {each.name for each in live.cloud.resources(KEY)} == {"signing", "2027"}


def test_each_key_signs_for_the_auth_task_alone(live: Stack) -> None:
    live.up({"signingKeys": "signing,2027"})
    role = live.cloud.one("aws:iam/role:Role", "auth").outputs["arn"]
    for key in live.cloud.resources(KEY):
        statements = json.loads(key.inputs["policy"])["Statement"]
        assert [each["Principal"]["AWS"] for each in statements if "kms:Sign" in each["Action"]] == [role]


def test_the_program_creates_no_users(first_up: Stack) -> None:
    assert not first_up.cloud.resources(ROW, PICTURE)


def test_the_tasks_reach_this_bucket_and_this_table_alone(first_up: Stack) -> None:
    def find(name: str) -> dict[str, list[str]]:
        document = first_up.cloud.one("aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy", name).inputs["policy"]
        return {each["Sid"]: each["Resource"] for each in json.loads(document)["Statement"]}

    bucket = first_up.cloud.one(BUCKET, "storage").outputs["arn"]
    layers = "arn:aws:s3:::prod-eu-central-1-starport-layer-bucket"
    assert find("endpoints-s3") == {"Pictures": [bucket, f"{bucket}/*"], "ImageLayers": [f"{layers}/*"]}
    assert find("endpoints-dynamodb") == {"Users": [first_up.cloud.one(TABLE, "storage").outputs["arn"]]}


def test_the_outputs_contain_the_commands_for_this_stack(first_up: Stack) -> None:
    outputs, cloud = first_up.outputs, first_up.cloud
    tasks = {
        name: cloud.one("aws:ecs/taskDefinition:TaskDefinition", name).outputs["arn"] for name in ("uploads", "sweep")
    }
    groups = {group.name: group.outputs["name"] for group in cloud.resources("aws:cloudwatch/logGroup:LogGroup")}
    # By this name the runbook of a restoration finds a running sweep.
    assert outputs["schedule"] == cloud.one("aws:ecs/taskDefinition:TaskDefinition", "sweep").inputs["family"]
    network = cloud.one("aws:ecs/service:Service", "uploads").inputs["networkConfiguration"]
    for output, task in {"sweep": "sweep", "sweepFullDryRun": "sweep", "remove": "uploads"}.items():
        assert f"--task-definition {tasks[task]} " in outputs[output]
        assert f"logs tail {groups[task]} " in outputs[output]
        for identity in (*network["subnets"], *network["securityGroups"]):
            assert f'"{identity}"' in outputs[output]
    for task in ("auth", "uploads", "frontend", "sweep"):
        assert outputs[f"{task}Logs"] == f"aws logs tail {groups[task]} --region eu-central-1 --follow"
    bucket, table = outputs["bucket"], outputs["table"]
    assert outputs["seed"] == f"uv run seed --region eu-central-1 --bucket {bucket} --table {table}"
    board = cloud.one("aws:cloudwatch/dashboard:Dashboard", "three-phase-upload").inputs["dashboardName"]
    assert outputs["dashboard"].endswith(f"region=eu-central-1#dashboards/dashboard/{board}")


def test_after_a_failed_update_the_bucket_is_still_protected(live: Stack) -> None:
    """What the stack has is read from its outputs, so a failed update must not lose them."""
    live.cloud.fail("aws:kms/key:Key", "2027", "LimitExceededException")
    with pytest.raises(OperationError, match="LimitExceededException"):
        live.up({"signingKeys": "signing,2027"})
    with pytest.raises(OperationError, match="bucket cannot be changed"):
        live.up({"bucket": "other-pictures"})
