"""IAM policies, key policies and bucket policies: exact actions on exact resources, each statement with its reason.

The Pulumi program and the local stack both use them, so the local stack has the permissions of production.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from services.store.kinds import KINDS, PERMANENT_PREFIXES
from services.store.table import USERNAME

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, Any]


def auth_policy(*, table_arn: str, key_arns: list[str]) -> Document:
    return _document(
        # A user can log in if the table has a row with that username.
        _allow("ReadUser", ["dynamodb:GetItem"], [table_arn]),
        # KMS signs the access tokens. The key set publishes the public keys. A task that still runs with the former
        # order of the keys signs with another one than the first.
        _allow("SignTokens", ["kms:Sign", "kms:GetPublicKey"], key_arns),
    )


def uploads_policy(*, bucket_arn: str, table_arn: str) -> Document:
    posted = [prefix for kind in KINDS.values() for prefix in (kind.pending_prefix, kind.permanent_prefix)]
    permanent = _name_objects(bucket_arn, PERMANENT_PREFIXES)
    return _document(
        # A presigned form has the permissions of its signer, so the signer needs PutObject, and GetObject for the
        # presigned URL of a picture. Confirm reads the pending object, copies it, and deletes it and the old picture.
        _allow(
            "WriteReadDeletePictures",
            ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"],
            _name_objects(bucket_arn, posted),
        ),
        # Strategy tag: the signer of a form that sets tags needs PutObjectTagging. GetObjectTagging is needed for the
        # tag count that GetObject returns, and to copy an object that has tags.
        _allow("TagPictures", ["s3:PutObjectTagging", "s3:GetObjectTagging"], permanent),
        # With ListBucket the response for a missing key is 404. Without it, it is 403, as for a missing permission
        # (AWS: GetObject).
        _allow("GetNotFoundForMissingKeys", ["s3:ListBucket"], [bucket_arn]),
        # Confirm reads the user's row and updates it. The redirect to a picture reads the row.
        _allow("UpdateAvatar", ["dynamodb:GetItem", "dynamodb:UpdateItem"], [table_arn]),
    )


def sweep_policy(*, bucket_arn: str, table_arn: str) -> Document:
    permanent = _name_objects(bucket_arn, PERMANENT_PREFIXES)
    return _document(
        # The sweep lists all objects. ListBucket also makes the response for a missing key 404 and not 403.
        _allow("ListBucket", ["s3:ListBucket"], [bucket_arn]),
        # It reads who owns an object, whether it has the pending tag, and whether it is a picture.
        _allow("ReadAvatars", ["s3:GetObject", "s3:GetObjectTagging"], permanent),
        # It copies a live picture that has the pending tag onto itself without the tag. CopyObject of a tagged object
        # needs both permissions.
        _allow("RepairAvatars", ["s3:PutObject", "s3:PutObjectTagging"], permanent),
        # It deletes permanent objects that no row refers to. Lifecycle rules delete pending objects.
        _allow("DeleteOrphans", ["s3:DeleteObject"], permanent),
        # It scans all rows, and reads the owner's row again before it deletes an orphan.
        _allow("ReadRows", ["dynamodb:Scan", "dynamodb:GetItem"], [table_arn]),
        # It marks a row after it told the application of the row's state, and changes no other attribute (AWS: "Using
        # IAM policy conditions for fine-grained access control").
        _allow("MarkTold", ["dynamodb:UpdateItem"], [table_arn]) | {"Condition": _allow_attributes(MARKED)},
    )


MARKED = [USERNAME, *(kind.told_attribute for kind in KINDS.values())]
"""The attributes that a sweep's update names."""


def _allow_attributes(names: list[str]) -> Document:
    """A condition on the attributes that a request names or that its response has."""
    return {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": names},
        "StringEqualsIfExists": {"dynamodb:ReturnValues": ["NONE"]},
    }


def frontend_policy(*, bucket_arn: str, table_arn: str) -> Document:
    prefixes = [prefix for kind in KINDS.values() for prefix in (*kind.pending_prefixes, kind.permanent_prefix)]
    return _document(
        # The page shows the objects in the bucket.
        _allow("ListBucket", ["s3:ListBucket"], [bucket_arn]),
        # The page shows metadata and tags of each object. A presigned GET of an avatar has its signer's permissions.
        _allow("ReadObjects", ["s3:GetObject", "s3:GetObjectTagging"], _name_objects(bucket_arn, prefixes)),
        # The page shows users and rows, redirects to the avatar of a user, and shows which listed objects are live.
        _allow("ReadUsers", ["dynamodb:Scan", "dynamodb:GetItem", "dynamodb:BatchGetItem"], [table_arn]),
    )


def execution_policy(*, repository_arn: str, log_group_arn: str, secret_arns: list[str]) -> Document:
    """Permissions of the task execution role, which ECS uses to pull the image, to write the logs and to read secrets
    into environment variables of the container.
    """
    # ECS reads the secret when it starts a task. The task's own role can't read it.
    secrets = [_allow("ReadSecrets", ["secretsmanager:GetSecretValue"], secret_arns)] if secret_arns else []
    return _document(
        *secrets,
        # This action supports no resource: an authorization token is for the whole registry (AWS: "Actions for Amazon
        # ECR").
        _allow("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
        # ECS pulls the image of this service.
        _allow("PullImage", ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], [repository_arn]),
        # The log driver writes the container's output.
        _allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"]),
    )


def schedule_policy(
    *, task_definition_arn: str, cluster_arn: str, task_role_arn: str, execution_role_arn: str
) -> Document:
    """Permissions of EventBridge Scheduler, which starts the sweep."""
    run = _allow("RunSweep", ["ecs:RunTask"], [task_definition_arn])
    run["Condition"] = {"ArnEquals": {"ecs:cluster": cluster_arn}}
    # RunTask passes the task's roles to ECS, and the caller needs permission for that.
    pass_roles = _allow("PassRolesToTask", ["iam:PassRole"], [task_role_arn, execution_role_arn])
    pass_roles["Condition"] = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    return _document(run, pass_roles)


def assume_policy(*, service: str, account: str) -> Document:
    """This AWS service may assume the role, for this account only (AWS: "Confused deputy prevention")."""
    return _document(
        {
            "Sid": "AssumeRoleForThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )


def bucket_policy(*, bucket_arn: str) -> Document:
    return _document(
        # Requests must use TLS (AWS: "Security best practices for Amazon S3").
        {
            "Sid": "DenyRequestsWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, f"{bucket_arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


def s3_endpoint_policy(*, bucket_arn: str, layers_arn: str) -> Document:
    """Which buckets the tasks reach through the VPC's gateway endpoint for S3. It grants nothing to anybody: the role
    and the bucket must allow a request too (AWS: "Control access to VPC endpoints using endpoint policies").
    """
    policies = (
        uploads_policy(bucket_arn=bucket_arn, table_arn=""),
        sweep_policy(bucket_arn=bucket_arn, table_arn=""),
        frontend_policy(bucket_arn=bucket_arn, table_arn=""),
    )
    return _document(
        _allow_all_callers("Pictures", _find_actions("s3", policies), [bucket_arn, f"{bucket_arn}/*"]),
        # ECR stores the layers of images in a bucket of its own for each region (AWS: "Amazon ECR interface VPC
        # endpoints").
        _allow_all_callers("ImageLayers", ["s3:GetObject"], [f"{layers_arn}/*"]),
    )


def dynamodb_endpoint_policy(*, table_arn: str) -> Document:
    """Which table the tasks reach through the VPC's gateway endpoint for DynamoDB."""
    policies = (
        auth_policy(table_arn=table_arn, key_arns=[]),
        uploads_policy(bucket_arn="", table_arn=table_arn),
        sweep_policy(bucket_arn="", table_arn=table_arn),
        frontend_policy(bucket_arn="", table_arn=table_arn),
    )
    return _document(_allow_all_callers("Users", _find_actions("dynamodb", policies), [table_arn]))


KEY_ADMINISTRATION = [
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:GetPublicKey",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateKeyDescription",
]
"""All actions but those that use the key."""


def signing_key_policy(*, administrator: str, signer: str) -> Document:
    """The key policy alone decides who may use the key: the account's IAM policies can allow only what the key policy
    delegates to the account (AWS: "Key policies").
    """
    return _document(
        {
            "Sid": "Administer",
            "Effect": "Allow",
            "Principal": {"AWS": administrator},
            "Action": KEY_ADMINISTRATION,
            "Resource": "*",
        },
        {
            "Sid": "Sign",
            "Effect": "Allow",
            "Principal": {"AWS": signer},
            "Action": ["kms:Sign", "kms:GetPublicKey"],
            "Resource": "*",
        },
    )


def _name_objects(bucket_arn: str, prefixes: Iterable[str]) -> list[str]:
    return [f"{bucket_arn}/{prefix}*" for prefix in prefixes]


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _allow_all_callers(sid: str, actions: list[str], resources: list[str]) -> Document:
    return _allow(sid, actions, resources) | {"Principal": "*"}


def _find_actions(service: str, policies: tuple[Document, ...]) -> list[str]:
    """The actions of this AWS service that the policies allow."""
    actions = {action for policy in policies for statement in policy["Statement"] for action in statement["Action"]}
    return sorted(action for action in actions if action.startswith(f"{service}:"))
