"""What the Pulumi program makes in AWS, made in the emulator: from the same documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.documents.bucket import OWNERSHIP_RULES, PUBLIC_ACCESS_BLOCK, cors_rules, lifecycle_rules
from infra.documents.policies import Document, auth_policy, frontend_policy, sweep_policy, uploads_policy
from infra.documents.table import table_definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_iam import IAMClient

    from infra.local.aws import Aws

BUCKET = "three-phase-upload"
TABLE = "three-phase-upload"
KEY_ALIAS = "alias/three-phase-upload-signing"


@dataclass(frozen=True, slots=True)
class Resources:
    bucket: str
    table: str
    key_arn: str
    credentials: Mapping[str, Mapping[str, str]]
    """By service, and for the sweep: the environment variables of an IAM user that has just that service's policy."""


def create_resources(aws: Aws, origin: str) -> Resources:
    """Make what is not there yet, so that a kept state is taken up again."""
    _create_bucket(aws, origin)
    table_arn = _create_table(aws)
    key_arn = _create_key(aws)
    bucket_arn = f"arn:aws:s3:::{BUCKET}"
    policies = {
        "auth": auth_policy(table_arn=table_arn, key_arn=key_arn),
        "uploads": uploads_policy(bucket_arn=bucket_arn, table_arn=table_arn),
        "sweep": sweep_policy(bucket_arn=bucket_arn, table_arn=table_arn),
        "frontend": frontend_policy(bucket_arn=bucket_arn, table_arn=table_arn),
    }
    credentials = {service: _create_user(aws.iam, service, policy) for service, policy in policies.items()}
    return Resources(BUCKET, TABLE, key_arn, credentials)


def _create_bucket(aws: Aws, origin: str) -> None:
    s3: Any = aws.s3  # the documents are plain dicts, for Pulumi as well
    if BUCKET not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCK)
    s3.put_bucket_ownership_controls(Bucket=BUCKET, OwnershipControls={"Rules": OWNERSHIP_RULES})
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": cors_rules(origin)})
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": lifecycle_rules()})


def _create_table(aws: Aws) -> str:
    if TABLE not in aws.dynamodb.list_tables()["TableNames"]:
        aws.dynamodb.create_table(TableName=TABLE, **table_definition())
        aws.dynamodb.get_waiter("table_exists").wait(TableName=TABLE)
    return aws.dynamodb.describe_table(TableName=TABLE)["Table"]["TableArn"]  # pyright: ignore[reportTypedDictNotRequiredAccess] - always answered


def _create_key(aws: Aws) -> str:
    aliases = {alias.get("AliasName") for alias in aws.kms.list_aliases()["Aliases"]}
    if KEY_ALIAS not in aliases:
        made = aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        aws.kms.create_alias(AliasName=KEY_ALIAS, TargetKeyId=made["KeyId"])
    return aws.kms.describe_key(KeyId=KEY_ALIAS)["KeyMetadata"]["Arn"]  # pyright: ignore[reportTypedDictNotRequiredAccess] - always answered


def _create_user(iam: IAMClient, service: str, policy: Document) -> Mapping[str, str]:
    name = f"three-phase-upload-{service}"
    if name not in {user["UserName"] for user in iam.list_users()["Users"]}:
        iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=service, PolicyDocument=json.dumps(policy))
    # A secret is shown only once, so each start makes new ones.
    for old in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=old["AccessKeyId"])  # pyright: ignore[reportTypedDictNotRequiredAccess] - always answered
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
