"""Creates the bucket, the table, the key and the IAM users in the emulator, from the documents that Pulumi uses."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.documents.bucket import OWNERSHIP_RULES, PUBLIC_ACCESS_BLOCK, cors_rules, lifecycle_rules
from infra.documents.policies import Document, auth_policy, frontend_policy, sweep_policy, uploads_policy
from infra.documents.table import table_definition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from types_boto3_iam import IAMClient

    from infra.local.clients import Aws

NAME = "three-phase-upload"


@dataclass(frozen=True, slots=True)
class Resources:
    bucket: str
    table: str
    key_arn: str
    credentials: Mapping[str, Mapping[str, str]]
    """For each service and the sweep: environment variables with the credentials of an IAM user that has its policy."""


def create_resources(aws: Aws, origin: str, name: str, other_origins: Sequence[str] = ()) -> Resources:
    """Create the resources that do not exist yet: state that was kept may contain them. `name` is part of all names.
    Pages of `origin` and of `other_origins` may post to the bucket.
    """
    _create_bucket(aws, name, cors_rules(origin, other_origins))
    table_arn = _create_table(aws, name)
    key_arn = _create_key(aws, f"alias/{name}-signing")
    bucket_arn = f"arn:aws:s3:::{name}"
    policies = {
        "auth": auth_policy(table_arn=table_arn, key_arns=[key_arn]),
        "uploads": uploads_policy(bucket_arn=bucket_arn, table_arn=table_arn),
        "sweep": sweep_policy(bucket_arn=bucket_arn, table_arn=table_arn),
        "frontend": frontend_policy(bucket_arn=bucket_arn, table_arn=table_arn),
    }
    credentials = {service: _create_user(aws.iam, name, service, policy) for service, policy in policies.items()}
    return Resources(name, name, key_arn, credentials)


def _create_bucket(aws: Aws, name: str, cors: list[dict[str, Any]]) -> None:
    s3: Any = aws.s3  # the documents are plain dicts, since Pulumi uses them too
    if name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCK)
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls={"Rules": OWNERSHIP_RULES})
    s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": cors})
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": lifecycle_rules()})


def _create_table(aws: Aws, name: str) -> str:
    if name not in aws.dynamodb.list_tables()["TableNames"]:
        aws.dynamodb.create_table(TableName=name, **table_definition())
        aws.dynamodb.get_waiter("table_exists").wait(TableName=name)
    return aws.dynamodb.describe_table(TableName=name)["Table"]["TableArn"]  # pyright: ignore[reportTypedDictNotRequiredAccess] - AWS always returns it


def _create_key(aws: Aws, alias: str) -> str:
    aliases = {found.get("AliasName") for found in aws.kms.list_aliases()["Aliases"]}
    if alias not in aliases:
        created = aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        aws.kms.create_alias(AliasName=alias, TargetKeyId=created["KeyId"])
    return aws.kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"]  # pyright: ignore[reportTypedDictNotRequiredAccess] - AWS always returns it


def _create_user(iam: IAMClient, system: str, service: str, policy: Document) -> Mapping[str, str]:
    name = f"{system}-{service}"
    if name not in {user["UserName"] for user in iam.list_users()["Users"]}:
        iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=service, PolicyDocument=json.dumps(policy))
    # IAM returns a secret only once, so each start creates new access keys.
    for old in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=old["AccessKeyId"])  # pyright: ignore[reportTypedDictNotRequiredAccess] - AWS always returns it
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
