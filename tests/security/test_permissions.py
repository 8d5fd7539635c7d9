"""The permissions of each service's IAM user, and of callers without valid credentials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.documents.policies import auth_policy, frontend_policy, sweep_policy, uploads_policy
from infra.local.clients import Aws
from services.store.clients import CLIENT_CONFIG, S3_CONFIG
from services.store.kinds import AVATAR
from services.store.table import make_key
from services.web.pictures import Pictures
from tests import web
from tests.conftest import only_prefix
from tests.infra.simulate import is_allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User
    from tests.security.conftest import Refused

pytestmark = only_prefix

USERS = ("auth", "uploads", "sweep", "frontend")
PREFIXES = (AVATAR.pending_prefix, AVATAR.permanent_prefix, "elsewhere/")
PROBE = "permissions"

REFUSALS = ("AccessDenied", "AccessDeniedException", "403")
"""The error codes of S3, of other services, and of a HEAD request, whose response has no body."""


@dataclass(frozen=True)
class Call:
    """An API call that changes nothing, on a resource where it may be allowed or refused."""

    action: str
    resource: str
    make: Callable[[Aws], object]
    allowed_errors: tuple[str, ...] = ()
    """Error codes that an allowed caller gets, since the arguments make the call have no effect."""

    def __str__(self) -> str:
        return f"{self.action} {self.resource}"


@dataclass(frozen=True)
class Arns:
    bucket: str
    table: str
    key: str

    @property
    def policies(self) -> Mapping[str, dict[str, Any]]:
        on_both = {"bucket_arn": self.bucket, "table_arn": self.table}
        return {
            "auth": auth_policy(table_arn=self.table, key_arns=[self.key]),
            "uploads": uploads_policy(**on_both),
            "sweep": sweep_policy(**on_both),
            "frontend": frontend_policy(**on_both),
        }


NEEDED: dict[str, set[tuple[str, str]]] = {
    "auth": {("dynamodb:GetItem", "table"), ("kms:Sign", "key"), ("kms:GetPublicKey", "key")},
    "uploads": {
        ("s3:PutObject", AVATAR.pending_prefix),
        ("s3:PutObject", AVATAR.permanent_prefix),
        ("s3:GetObject", AVATAR.pending_prefix),
        ("s3:GetObject", AVATAR.permanent_prefix),
        ("s3:DeleteObject", AVATAR.pending_prefix),
        ("s3:DeleteObject", AVATAR.permanent_prefix),
        ("s3:PutObjectTagging", AVATAR.permanent_prefix),
        ("s3:GetObjectTagging", AVATAR.permanent_prefix),
        ("s3:ListBucket", "bucket"),
        ("dynamodb:GetItem", "table"),
        ("dynamodb:UpdateItem", "table"),
    },
    "sweep": {
        ("s3:ListBucket", "bucket"),
        ("s3:GetObject", AVATAR.permanent_prefix),
        ("s3:GetObjectTagging", AVATAR.permanent_prefix),
        ("s3:PutObject", AVATAR.permanent_prefix),
        ("s3:PutObjectTagging", AVATAR.permanent_prefix),
        ("s3:DeleteObject", AVATAR.permanent_prefix),
        ("dynamodb:Scan", "table"),
        ("dynamodb:GetItem", "table"),
        ("dynamodb:UpdateItem", "table"),
    },
    "frontend": {
        ("s3:ListBucket", "bucket"),
        ("s3:GetObject", AVATAR.pending_prefix),
        ("s3:GetObject", AVATAR.permanent_prefix),
        ("s3:GetObjectTagging", AVATAR.pending_prefix),
        ("s3:GetObjectTagging", AVATAR.permanent_prefix),
        ("dynamodb:Scan", "table"),
        ("dynamodb:GetItem", "table"),
        ("dynamodb:BatchGetItem", "table"),
    },
}
"""Listed here again, so that a wider policy fails the test."""


@pytest.fixture(scope="module")
def arns(stack: Stack) -> Arns:
    table = stack.aws.dynamodb.describe_table(TableName=stack.resources.table)["Table"]
    return Arns(f"arn:aws:s3:::{stack.resources.bucket}", table.get("TableArn", ""), stack.resources.key_arn)


@pytest.fixture(scope="module")
def other_key(stack: Stack) -> str:
    made = stack.aws.kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    return made.get("Arn", "")


@pytest.fixture(scope="module")
def _other_table(stack: Stack) -> Iterator[None]:
    stack.aws.dynamodb.create_table(
        TableName="another",
        AttributeDefinitions=[{"AttributeName": "Username", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "Username", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield
    stack.aws.dynamodb.delete_table(TableName="another")


@pytest.fixture
def _probes(stack: Stack, bucket: Bucket) -> Iterator[None]:
    """An object under each prefix."""
    for prefix in PREFIXES:
        stack.aws.s3.put_object(Bucket=bucket.name, Key=prefix + PROBE, Body=b"x")
    yield
    for prefix in PREFIXES:
        for name in (PROBE, f"{PROBE}-put"):
            stack.aws.s3.delete_object(Bucket=bucket.name, Key=prefix + name)


@pytest.fixture
def calls(stack: Stack, arns: Arns, other_key: str) -> list[Call]:
    """Every action that any of the users is allowed, and further actions, on the system's and other resources."""
    bucket = stack.resources.bucket
    on_objects = [
        Call(f"s3:{action}", f"{arns.bucket}/{prefix}{PROBE}", make)
        for prefix in PREFIXES
        for action, make in _object_calls(bucket, prefix).items()
    ]
    on_tables = [
        Call(f"dynamodb:{action}", arn, make, ("ConditionalCheckFailedException",))
        for table, arn in (
            (stack.resources.table, arns.table),
            ("another", arns.table.replace(stack.resources.table, "another")),
        )
        for action, make in _table_calls(table).items()
    ]
    on_keys = [
        Call(f"kms:{action}", key, make) for key in (arns.key, other_key) for action, make in _key_calls(key).items()
    ]
    on_bucket = [Call(f"s3:{action}", arns.bucket, make) for action, make in _bucket_calls(bucket).items()]
    return on_objects + on_tables + on_keys + on_bucket


def _object_calls(bucket: str, prefix: str) -> dict[str, Callable[[Aws], object]]:
    where: Any = {"Bucket": bucket, "Key": prefix + PROBE}
    return {
        "GetObject": lambda aws: aws.s3.get_object(**where)["Body"].read(),
        "PutObject": lambda aws: aws.s3.put_object(Bucket=bucket, Key=f"{prefix}{PROBE}-put", Body=b"x"),
        "DeleteObject": lambda aws: aws.s3.delete_object(Bucket=bucket, Key=f"{prefix}{PROBE}-none"),
        "GetObjectTagging": lambda aws: aws.s3.get_object_tagging(**where),
        "PutObjectTagging": lambda aws: aws.s3.put_object_tagging(**where, Tagging={"TagSet": []}),
        "DeleteObjectTagging": lambda aws: aws.s3.delete_object_tagging(**where),
        "GetObjectAcl": lambda aws: aws.s3.get_object_acl(**where),
    }


def _bucket_calls(bucket: str) -> dict[str, Callable[[Aws], object]]:
    return {
        "ListBucket": lambda aws: aws.s3.list_objects_v2(Bucket=bucket),
        "GetBucketPolicy": lambda aws: aws.s3.get_bucket_policy(Bucket=bucket),
        "GetLifecycleConfiguration": lambda aws: aws.s3.get_bucket_lifecycle_configuration(Bucket=bucket),
        "GetBucketCORS": lambda aws: aws.s3.get_bucket_cors(Bucket=bucket),
        "GetBucketPublicAccessBlock": lambda aws: aws.s3.get_public_access_block(Bucket=bucket),
        "DeleteBucket": lambda aws: aws.s3.delete_bucket(Bucket=bucket),
    }


def _table_calls(table: str) -> dict[str, Callable[[Aws], object]]:
    key = make_key(PROBE)
    never: Any = {"ConditionExpression": "attribute_exists(Username) AND attribute_not_exists(Username)"}
    return {
        "GetItem": lambda aws: aws.dynamodb.get_item(TableName=table, Key=key),
        "BatchGetItem": lambda aws: aws.dynamodb.batch_get_item(RequestItems={table: {"Keys": [key]}}),
        "Scan": lambda aws: aws.dynamodb.scan(TableName=table, Limit=1),
        "Query": lambda aws: aws.dynamodb.query(
            TableName=table,
            KeyConditionExpression="Username = :name",
            ExpressionAttributeValues={":name": {"S": PROBE}},
        ),
        "UpdateItem": lambda aws: aws.dynamodb.update_item(
            TableName=table, Key=key, UpdateExpression="REMOVE Avatar", **never
        ),
        "PutItem": lambda aws: aws.dynamodb.put_item(TableName=table, Item=key, **never),
        "DeleteItem": lambda aws: aws.dynamodb.delete_item(TableName=table, Key=key, **never),
        "DescribeTable": lambda aws: aws.dynamodb.describe_table(TableName=table),
    }


def _key_calls(key: str) -> dict[str, Callable[[Aws], object]]:
    return {
        "Sign": lambda aws: aws.kms.sign(
            KeyId=key, Message=bytes(32), MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        ),
        "GetPublicKey": lambda aws: aws.kms.get_public_key(KeyId=key),
        "DescribeKey": lambda aws: aws.kms.describe_key(KeyId=key),
        "GetKeyPolicy": lambda aws: aws.kms.get_key_policy(KeyId=key),
    }


def is_allowed_by_aws(aws: Aws, call: Call) -> bool:
    try:
        call.make(aws)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        assert code in (*REFUSALS, *call.allowed_errors), f"{call}: {code}"
        return code in call.allowed_errors
    return True


def shorten(call: Call, arns: Arns) -> tuple[str, str]:
    """Action and resource of a call as in `NEEDED`."""
    names = {arns.bucket: "bucket", arns.table: "table", arns.key: "key"}
    names |= {f"{arns.bucket}/{prefix}{PROBE}": prefix for prefix in PREFIXES}
    return call.action, names.get(call.resource, call.resource)


@pytest.mark.usefixtures("_probes", "_other_table")
@pytest.mark.parametrize("user_name", USERS)
def test_actions_that_a_service_does_not_need(
    stack: Stack, arns: Arns, calls: list[Call], user_name: str, refused: Refused
) -> None:
    """Each call is made. It is allowed exactly where the service needs it and where its policy allows it."""
    aws = stack.aws.with_credentials(stack.resources.credentials[user_name])
    allowed = {call for call in calls if is_allowed_by_aws(aws, call)}
    granted = {call for call in calls if is_allowed([arns.policies[user_name]], call.action, call.resource)}
    assert {shorten(call, arns) for call in allowed} == NEEDED[user_name]
    assert allowed == granted
    refused.record(f"AWS AccessDenied, to {len(calls) - len(allowed)} of {len(calls)} calls")


@pytest.mark.parametrize("user_name", USERS)
def test_an_action_outside_the_tested_list(arns: Arns, calls: list[Call], user_name: str, refused: Refused) -> None:
    """The calls above include every action of the policies."""
    granted = {action for statement in arns.policies[user_name]["Statement"] for action in statement["Action"]}
    assert granted == {action for action, _ in NEEDED[user_name]}
    assert granted <= {call.action for call in calls}
    refused.record("not in any policy")


@pytest.mark.parametrize("user_name", USERS)
def test_listing_other_resources(stack: Stack, user_name: str, refused: Refused) -> None:
    aws = stack.aws.with_credentials(stack.resources.credentials[user_name])
    lists: list[Callable[[], object]] = [
        aws.s3.list_buckets,
        aws.dynamodb.list_tables,
        aws.kms.list_keys,
        aws.kms.list_aliases,
        aws.iam.list_users,
        lambda: aws.iam.list_access_keys(UserName=f"three-phase-upload-{user_name}"),
        lambda: aws.s3.list_object_versions(Bucket=stack.resources.bucket),
        lambda: aws.s3.list_multipart_uploads(Bucket=stack.resources.bucket),
    ]
    if user_name == "auth":
        lists.append(lambda: aws.s3.list_objects_v2(Bucket=stack.resources.bucket, MaxKeys=1))
    for make in lists:
        refused.by_aws(make, *REFUSALS)


@pytest.mark.parametrize("user_name", USERS)
def test_privilege_escalation(stack: Stack, user_name: str, refused: Refused) -> None:
    aws = stack.aws.with_credentials(stack.resources.credentials[user_name])
    name = f"three-phase-upload-{user_name}"
    everything = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    bucket = stack.resources.bucket
    refused.by_aws(
        lambda: aws.iam.put_user_policy(UserName=name, PolicyName=user_name, PolicyDocument=everything), *REFUSALS
    )
    refused.by_aws(lambda: aws.iam.create_access_key(UserName=name), *REFUSALS)
    refused.by_aws(lambda: aws.iam.create_user(UserName="somebody"), *REFUSALS)
    refused.by_aws(lambda: aws.s3.put_bucket_policy(Bucket=bucket, Policy=everything), *REFUSALS)
    refused.by_aws(lambda: aws.s3.delete_bucket_lifecycle(Bucket=bucket), *REFUSALS)
    refused.by_aws(lambda: aws.s3.delete_public_access_block(Bucket=bucket), *REFUSALS)
    refused.by_aws(lambda: aws.s3.put_bucket_acl(Bucket=bucket, ACL="public-read"), *REFUSALS)


# Callers without valid credentials


@pytest.fixture
def anonymous(stack: Stack) -> Aws:
    """Clients that do not sign their requests."""
    session: Any = boto3.Session(region_name=stack.aws.region)
    unsigned = Config(signature_version=UNSIGNED)
    anonymous = replace(stack.aws)
    for name, config in (
        ("s3", S3_CONFIG),
        ("dynamodb", CLIENT_CONFIG),
        ("kms", CLIENT_CONFIG),
        ("iam", CLIENT_CONFIG),
    ):
        client = session.client(name, endpoint_url=stack.aws.endpoint, config=config.merge(unsigned))
        anonymous.__dict__[name] = client
    return anonymous


@pytest.mark.usefixtures("_probes")
def test_no_credentials(stack: Stack, anonymous: Aws, calls: list[Call], user: User, refused: Refused) -> None:
    """Every call above, and plain HTTP requests to the bucket."""
    for call in calls:
        refused.by_aws(lambda call=call: call.make(anonymous), *REFUSALS, "MissingAuthenticationTokenException")
    url = f"{stack.aws.endpoint}/{stack.resources.bucket}"
    for answer in (
        web.get(f"{url}/"),
        web.get(f"{url}/{user.avatar}"),
        web.get(f"{url}/avatars/{PROBE}"),
        web.get(f"{url}/?list-type=2"),
        web.put(f"{url}/avatars/{PROBE}-put", content=b"x"),
        web.put(f"{url}/?policy", content=b"{}"),
        web.delete(f"{url}/avatars/{PROBE}"),
        web.delete(f"{url}/{user.avatar}"),
    ):
        refused.by_s3(answer, 403, "AccessDenied")


def test_a_wrong_secret_key(stack: Stack, calls: list[Call], refused: Refused) -> None:
    """The access key id is valid and the secret access key is wrong."""
    own = stack.resources.credentials["uploads"]["AWS_ACCESS_KEY_ID"]
    guessing = Aws(stack.aws.endpoint, stack.aws.region, own, "guessed")
    for call in calls:
        refused.by_aws(lambda call=call: call.make(guessing), "SignatureDoesNotMatch", "InvalidSignatureException")


def test_a_changed_picture_url(user: User, other_user: User, refused: Refused) -> None:
    """The presigned GET is valid for one object, a limited time, and reading."""
    located = user.http.get(f"/users/{user.username}/avatar").headers["Location"]
    assert web.get(located).status_code == 200
    avatar, other = cast("str", user.avatar), cast("str", other_user.avatar)
    for changed in (
        located.replace(avatar, other),
        located.replace("X-Amz-Expires=", "X-Amz-Expires=9"),
        located[:-1] + ("0" if located[-1] != "0" else "1"),
        f"{located}&response-content-type=text/html",
    ):
        assert changed != located
        refused.by_s3(web.get(changed), 403, "SignatureDoesNotMatch")
    # S3 would report the signature here too. The emulator checks the signer's permissions first.
    refused.by_s3(web.delete(located), 403, "AccessDenied")
    refused.by_s3(web.put(located, content=b"x"), 403, "AccessDenied")


def test_a_picture_url_after_a_change_of_credentials(stack: Stack, user: User, refused: Refused) -> None:
    """S3 refuses a URL whose temporary credentials have expired, so a URL is not shown longer than its credentials."""
    aws = stack.aws.with_credentials(stack.resources.credentials["frontend"])
    pictures = Pictures(aws.s3, stack.resources.bucket, 300, lambda: 0.0, aws.find_credentials)
    avatar, used, new = cast("str", user.avatar), aws.find_credentials(), stack.resources.credentials["uploads"]
    first = pictures.url(avatar)
    assert used
    used.access_key, used.secret_key = new["AWS_ACCESS_KEY_ID"], new["AWS_SECRET_ACCESS_KEY"]
    second = pictures.url(avatar)
    assert stack.resources.credentials["frontend"]["AWS_ACCESS_KEY_ID"] in first
    assert new["AWS_ACCESS_KEY_ID"] in second
    refused.record("the next redirect has a new url")
