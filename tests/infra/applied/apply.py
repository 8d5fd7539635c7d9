"""Makes in the emulator what the program registers of storage, signing key and roles."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.infra.policies import documents_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.infra.engine import Deployment

    from infra.local.clients import Aws

TASKS = ("auth", "uploads", "frontend", "sweep")
SPELLED = {"id": "ID", "sseAlgorithm": "SSEAlgorithm"}
"""Where AWS's name of a property is not Pulumi's with a capital letter."""


@dataclass(frozen=True)
class Applied:
    """What was made; `told`: the environment that the program gives each task, with names as they are here."""

    bucket: str
    table: str
    key_arn: str
    credentials: Mapping[str, Mapping[str, str]]
    told: Mapping[str, Mapping[str, str]]
    bucket_policy: str


def apply(deployment: Deployment, aws: Aws, places: Mapping[str, str]) -> Applied:
    """`places`: what stands here for each address that the program was given by the made-up cloud."""
    key = deployment.one("aws:kms/key:Key", "signing")
    made = aws.kms.create_key(KeySpec=key.inputs["customerMasterKeySpec"], KeyUsage=key.inputs["keyUsage"])
    key_arn = made["KeyMetadata"].get("Arn", "")
    names = {**places, key.outputs["arn"]: key_arn}
    bucket = _make_bucket(deployment, aws, names)
    table = _make_table(deployment, aws)
    return Applied(
        bucket,
        table,
        key_arn,
        {name: _make_user(deployment, aws, name, f"{bucket}-{name}", names) for name in TASKS},
        {name: _environment(deployment, name, names) for name in TASKS},
        deployment.one("aws:s3/bucketPolicy:BucketPolicy", "storage").inputs["policy"],
    )


def _make_bucket(deployment: Deployment, aws: Aws, names: Mapping[str, str]) -> str:
    s3: Any = aws.s3
    bucket: str = deployment.one("aws:s3/bucket:Bucket", "storage").outputs["bucket"]

    def given(kind: str) -> dict[str, Any]:
        inputs = deployment.one(f"aws:s3/{kind}", "storage").inputs
        return _spell({name: value for name, value in _rename(inputs, names).items() if name != "bucket"})

    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration=given("bucketPublicAccessBlock:BucketPublicAccessBlock"),
    )
    controls = given("bucketOwnershipControls:BucketOwnershipControls")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [controls["Rule"]]})
    kind = "bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=given(kind))
    cors = given("bucketCorsConfiguration:BucketCorsConfiguration")
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": cors["CorsRules"]})
    versioning = given("bucketVersioning:BucketVersioning")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning["VersioningConfiguration"])
    lifecycle = given("bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=lifecycle)
    return bucket


def _make_table(deployment: Deployment, aws: Aws) -> str:
    dynamodb: Any = aws.dynamodb
    table = deployment.one("aws:dynamodb/table:Table", "storage")
    name: str = table.outputs["name"]
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": each["name"], "AttributeType": each["type"]} for each in table.inputs["attributes"]
        ],
        KeySchema=[{"AttributeName": table.inputs["hashKey"], "KeyType": "HASH"}],
        BillingMode=table.inputs["billingMode"],
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name)
    return name


def _make_user(deployment: Deployment, aws: Aws, name: str, user: str, names: Mapping[str, str]) -> dict[str, str]:
    """In place of the task's role, since a laptop's processes have keys and no roles: may do the very same."""
    aws.iam.create_user(UserName=user)
    role = deployment.one("aws:iam/role:Role", name)
    for number, document in enumerate(documents_of(deployment, role)):
        policy = json.dumps(_rename(document, names))
        aws.iam.put_user_policy(UserName=user, PolicyName=str(number), PolicyDocument=policy)
    key = aws.iam.create_access_key(UserName=user)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def _environment(deployment: Deployment, name: str, names: Mapping[str, str]) -> dict[str, str]:
    definition = deployment.one("aws:ecs/taskDefinition:TaskDefinition", name)
    (container,) = json.loads(definition.inputs["containerDefinitions"])
    return {entry["name"]: _rename(entry["value"], names) for entry in container["environment"]}


def _rename(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for made_up, real in names.items():
            value = value.replace(made_up, real)
        return value
    if isinstance(value, list):
        return [_rename(inner, names) for inner in value]  # pyright: ignore[reportUnknownVariableType] - JSON
    if isinstance(value, dict):
        return {name: _rename(inner, names) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _spell(value: Any) -> Any:
    """From Pulumi's names of properties to those of AWS."""
    if isinstance(value, list):
        return [_spell(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType] - JSON
    if isinstance(value, dict):
        return {SPELLED.get(name, name[:1].upper() + name[1:]): _spell(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType, reportUnknownArgumentType]
    # Numbers come through the protocol as floats.
    return int(value) if isinstance(value, float) else value
