"""The resources of S3, DynamoDB, KMS and IAM in an emulator: for each type, what Pulumi's AWS provider calls."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from botocore.exceptions import ClientError

from services.store.clients import error_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.local.clients import Aws

Properties = dict[str, Any]
"""Inputs or outputs of a resource, with Pulumi's names."""

AWS_NAMES = {"id": "ID", "sseAlgorithm": "SSEAlgorithm", "mfaDelete": "MFADelete", "corsRules": "CORSRules"}
"""AWS's names of properties that are not Pulumi's names with a capital letter."""

SERVICES = ("aws:s3/", "aws:dynamodb/", "aws:kms/", "aws:iam/")
"""How the types of the applied services begin."""


class Kind(Protocol):
    """One type of resource. `state`: the resource's outputs, which include its inputs."""

    def create(self, inputs: Properties) -> Properties:
        """Return the outputs that AWS determines."""
        ...

    def exists(self, state: Properties) -> bool: ...

    def update(self, state: Properties, inputs: Properties) -> None: ...

    def delete(self, state: Properties) -> None: ...


def make_kinds(aws: Aws) -> Mapping[str, Kind]:
    """By type."""
    s3: Any = aws.s3
    return {
        "aws:s3/bucket:Bucket": Bucket(aws),
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": BucketPart(
            s3, "public_access_block", "PublicAccessBlockConfiguration"
        ),
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls": BucketPart(
            s3, "bucket_ownership_controls", "OwnershipControls", {"Rule": "Rules"}
        ),
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": BucketPart(
            s3, "bucket_encryption", "ServerSideEncryptionConfiguration"
        ),
        "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": BucketPart(s3, "bucket_cors", "CORSConfiguration"),
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": BucketPart(
            s3, "bucket_lifecycle_configuration", "LifecycleConfiguration", deleted_by="delete_bucket_lifecycle"
        ),
        "aws:s3/bucketPolicy:BucketPolicy": BucketPolicy(s3),
        "aws:s3/bucketVersioning:BucketVersioning": BucketVersioning(s3),
        "aws:s3/bucketObjectv2:BucketObjectv2": Picture(s3),
        "aws:dynamodb/table:Table": Table(aws),
        "aws:dynamodb/tableItem:TableItem": Row(aws),
        "aws:kms/key:Key": Key(aws),
        "aws:kms/alias:Alias": Alias(aws),
        "aws:iam/role:Role": Role(aws),
        "aws:iam/rolePolicy:RolePolicy": RolePolicy(aws),
    }


class Bucket:
    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def create(self, inputs: Properties) -> Properties:
        name = inputs["bucket"]
        location: Any = {"LocationConstraint": self._aws.region}
        self._aws.s3.create_bucket(Bucket=name, CreateBucketConfiguration=location)
        return {"arn": f"arn:aws:s3:::{name}"}

    def exists(self, state: Properties) -> bool:
        return _found(self._aws.s3.head_bucket, Bucket=state["bucket"])

    def update(self, state: Properties, inputs: Properties) -> None:
        """Only tags and `forceDestroy` can change, and the emulator needs neither."""

    def delete(self, state: Properties) -> None:
        if state.get("forceDestroy"):
            delete_objects(self._aws, state["bucket"])
        self._aws.s3.delete_bucket(Bucket=state["bucket"])


class BucketPart:
    """A part of a bucket's configuration, which has calls of its own to put, get and delete it."""

    def __init__(
        self,
        s3: Any,
        name: str,
        argument: str,
        lists: Mapping[str, str] | None = None,
        *,
        deleted_by: str | None = None,
    ) -> None:
        """`lists`: properties that are one element of a list of AWS, with the list's name."""
        self._put, self._get = getattr(s3, f"put_{name}"), getattr(s3, f"get_{name}")
        self._delete = getattr(s3, deleted_by or f"delete_{name}")
        self._argument = argument
        self._lists = lists or {}

    def create(self, inputs: Properties) -> Properties:
        self.update(inputs, inputs)
        return {}

    def exists(self, state: Properties) -> bool:
        return _found(self._get, Bucket=state["bucket"])

    def update(self, state: Properties, inputs: Properties) -> None:
        configuration = _spell({name: value for name, value in inputs.items() if name not in {"bucket", "region"}})
        for name, listed in self._lists.items():
            configuration[listed] = [configuration.pop(name)]
        self._put(Bucket=state["bucket"], **{self._argument: configuration})

    def delete(self, state: Properties) -> None:
        self._delete(Bucket=state["bucket"])


class BucketPolicy:
    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def create(self, inputs: Properties) -> Properties:
        self.update(inputs, inputs)
        return {}

    def exists(self, state: Properties) -> bool:
        return _found(self._s3.get_bucket_policy, Bucket=state["bucket"])

    def update(self, state: Properties, inputs: Properties) -> None:
        self._s3.put_bucket_policy(Bucket=state["bucket"], Policy=inputs["policy"])

    def delete(self, state: Properties) -> None:
        self._s3.delete_bucket_policy(Bucket=state["bucket"])


class BucketVersioning:
    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def create(self, inputs: Properties) -> Properties:
        self.update(inputs, inputs)
        return {}

    def exists(self, state: Properties) -> bool:
        return _found(self._s3.head_bucket, Bucket=state["bucket"])

    def update(self, state: Properties, inputs: Properties) -> None:
        configuration = _spell(inputs["versioningConfiguration"])
        self._s3.put_bucket_versioning(Bucket=state["bucket"], VersioningConfiguration=configuration)

    def delete(self, state: Properties) -> None:
        """Versioning that was enabled can only be suspended (AWS: PutBucketVersioning)."""
        self._s3.put_bucket_versioning(Bucket=state["bucket"], VersioningConfiguration={"Status": "Suspended"})


class Picture:
    """An object of S3."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3

    def create(self, inputs: Properties) -> Properties:
        self.update(inputs, inputs)
        return {}

    def exists(self, state: Properties) -> bool:
        return _found(self._s3.head_object, Bucket=state["bucket"], Key=state["key"])

    def update(self, state: Properties, inputs: Properties) -> None:
        self._s3.put_object(
            Bucket=state["bucket"],
            Key=state["key"],
            Body=_read_body(inputs),
            ContentType=inputs["contentType"],
            CacheControl=inputs["cacheControl"],
            Metadata=inputs["metadata"],
        )

    def delete(self, state: Properties) -> None:
        self._s3.delete_object(Bucket=state["bucket"], Key=state["key"])


class Table:
    def __init__(self, aws: Aws) -> None:
        self._dynamodb: Any = aws.dynamodb

    def create(self, inputs: Properties) -> Properties:
        name = inputs["name"]
        made = self._dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": each["name"], "AttributeType": each["type"]} for each in inputs["attributes"]
            ],
            KeySchema=[{"AttributeName": inputs["hashKey"], "KeyType": "HASH"}],
            BillingMode=inputs["billingMode"],
            DeletionProtectionEnabled=inputs.get("deletionProtectionEnabled", False),
        )
        self._dynamodb.get_waiter("table_exists").wait(TableName=name)
        return {"arn": made["TableDescription"]["TableArn"]}

    def exists(self, state: Properties) -> bool:
        return _found(self._dynamodb.describe_table, TableName=state["name"])

    def update(self, state: Properties, inputs: Properties) -> None:
        protected = inputs.get("deletionProtectionEnabled", False)
        self._dynamodb.update_table(TableName=state["name"], DeletionProtectionEnabled=protected)

    def delete(self, state: Properties) -> None:
        self._dynamodb.delete_table(TableName=state["name"])


class Row:
    """An item of DynamoDB."""

    def __init__(self, aws: Aws) -> None:
        self._dynamodb = aws.dynamodb

    def create(self, inputs: Properties) -> Properties:
        self._dynamodb.put_item(
            TableName=inputs["tableName"],
            Item=json.loads(inputs["item"]),
            # The provider never replaces an item that it did not create.
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": inputs["hashKey"]},
        )
        return {}

    def exists(self, state: Properties) -> bool:
        return "Item" in self._dynamodb.get_item(TableName=state["tableName"], Key=_key(state))

    def update(self, state: Properties, inputs: Properties) -> None:
        self._dynamodb.put_item(TableName=state["tableName"], Item=json.loads(inputs["item"]))

    def delete(self, state: Properties) -> None:
        self._dynamodb.delete_item(TableName=state["tableName"], Key=_key(state))


class Key:
    def __init__(self, aws: Aws) -> None:
        self._kms: Any = aws.kms

    def create(self, inputs: Properties) -> Properties:
        made = self._kms.create_key(
            Description=inputs["description"],
            KeySpec=inputs["customerMasterKeySpec"],
            KeyUsage=inputs["keyUsage"],
            Policy=inputs["policy"],
        )["KeyMetadata"]
        return {"arn": made["Arn"], "keyId": made["KeyId"]}

    def exists(self, state: Properties) -> bool:
        return _found(self._kms.describe_key, KeyId=state["keyId"]) and is_key_usable(self._kms, state["keyId"])

    def update(self, state: Properties, inputs: Properties) -> None:
        self._kms.put_key_policy(KeyId=state["keyId"], PolicyName="default", Policy=inputs["policy"])

    def delete(self, state: Properties) -> None:
        self._kms.schedule_key_deletion(KeyId=state["keyId"], PendingWindowInDays=state["deletionWindowInDays"])


class Alias:
    def __init__(self, aws: Aws) -> None:
        self._kms = aws.kms

    def create(self, inputs: Properties) -> Properties:
        self._kms.create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        return {}

    def exists(self, state: Properties) -> bool:
        return any(alias.get("AliasName") == state["name"] for alias in self._kms.list_aliases()["Aliases"])

    def update(self, state: Properties, inputs: Properties) -> None:
        self._kms.update_alias(AliasName=state["name"], TargetKeyId=inputs["targetKeyId"])

    def delete(self, state: Properties) -> None:
        self._kms.delete_alias(AliasName=state["name"])


class Role:
    def __init__(self, aws: Aws) -> None:
        self._iam = aws.iam

    def create(self, inputs: Properties) -> Properties:
        made = self._iam.create_role(
            RoleName=inputs["name"],
            Description=inputs.get("description", ""),
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        )["Role"]
        return {"arn": made["Arn"], "uniqueId": made["RoleId"]}

    def exists(self, state: Properties) -> bool:
        return _found(self._iam.get_role, RoleName=state["name"])

    def update(self, state: Properties, inputs: Properties) -> None:
        self._iam.update_assume_role_policy(RoleName=state["name"], PolicyDocument=inputs["assumeRolePolicy"])

    def delete(self, state: Properties) -> None:
        self._iam.delete_role(RoleName=state["name"])


class RolePolicy:
    def __init__(self, aws: Aws) -> None:
        self._iam = aws.iam

    def create(self, inputs: Properties) -> Properties:
        self.update(inputs, inputs)
        return {}

    def exists(self, state: Properties) -> bool:
        return _found(self._iam.get_role_policy, RoleName=state["role"], PolicyName=state["name"])

    def update(self, state: Properties, inputs: Properties) -> None:
        role, name, document = state["role"], state["name"], inputs["policy"]
        self._iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)

    def delete(self, state: Properties) -> None:
        self._iam.delete_role_policy(RoleName=state["role"], PolicyName=state["name"])


def delete_objects(aws: Aws, bucket: str) -> None:
    """Delete all versions of all objects."""
    s3: Any = aws.s3
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])


def find_leftovers(aws: Aws) -> Iterator[str]:
    """The names of all resources in the account, without keys that KMS is going to delete."""
    s3, dynamodb, kms, iam = (cast("Any", client) for client in (aws.s3, aws.dynamodb, aws.kms, aws.iam))
    yield from (bucket["Name"] for bucket in s3.list_buckets()["Buckets"])
    yield from dynamodb.list_tables()["TableNames"]
    yield from (key["KeyId"] for key in kms.list_keys()["Keys"] if is_key_usable(kms, key["KeyId"]))
    yield from (alias["AliasName"] for alias in kms.list_aliases()["Aliases"] if "TargetKeyId" in alias)
    yield from (role["RoleName"] for role in iam.list_roles()["Roles"])


def is_key_usable(kms: Any, key: str) -> bool:
    return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"


def _found(call: Any, **arguments: str) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        if _is_missing(error):
            return False
        raise
    return True


def _is_missing(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status == HTTPStatus.NOT_FOUND or error_code(error) in {
        "NotFoundException",
        "ResourceNotFoundException",
    }


def _key(state: Properties) -> dict[str, Any]:
    return {state["hashKey"]: json.loads(state["item"])[state["hashKey"]]}


def _read_body(inputs: Properties) -> bytes:
    if "contentBase64" in inputs:
        return base64.b64decode(inputs["contentBase64"])
    return Path(inputs["source"]["path"]).read_bytes()


def _spell(value: Any) -> Any:
    """The value with AWS's names of properties in place of Pulumi's."""
    if isinstance(value, list):
        return [_spell(inner) for inner in value]  # pyright: ignore[reportUnknownVariableType] - JSON
    if isinstance(value, dict):
        return {AWS_NAMES.get(name, name[:1].upper() + name[1:]): _spell(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType, reportUnknownArgumentType]
    return value
