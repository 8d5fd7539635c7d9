"""What each service may do in AWS: exact actions on exact resources, each statement with the reason for it.

Taken by the Pulumi program and by the local stack, so that the permissions of production hold on a laptop, too.
"""

from __future__ import annotations

from typing import Any

from services.store.keys import AVATAR_PREFIX, PENDING_PREFIX, PENDING_PREFIXES

Document = dict[str, Any]


def auth_policy(*, table_arn: str, key_arn: str) -> Document:
    return _document(
        # A user may log in if the table has a row of that name.
        _allow("ReadUser", ["dynamodb:GetItem"], [table_arn]),
        # Tokens are signed by KMS; the public half is what the key set publishes.
        _allow("SignTokens", ["kms:Sign", "kms:GetPublicKey"], [key_arn]),
    )


def uploads_policy(*, bucket_arn: str, table_arn: str) -> Document:
    prefixes = [f"{bucket_arn}/{PENDING_PREFIX}*", f"{bucket_arn}/{AVATAR_PREFIX}*"]
    return _document(
        # A form can do what its signer may do: put an object. Confirm reads it, copies it, and deletes what is left.
        _allow("KeepPictures", ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"], prefixes),
        # Strategy tag: a form may set tags if its signer may; GET counts them; a copy of what carries them reads them.
        _allow("MarkPending", ["s3:PutObjectTagging", "s3:GetObjectTagging"], [f"{bucket_arn}/{AVATAR_PREFIX}*"]),
        # With it a missing key is 404; without it 403, which could as well be a missing permission (AWS: GetObject).
        _allow("TellMissingFromForbidden", ["s3:ListBucket"], [bucket_arn]),
        # The row that names the user's avatar.
        _allow("PointAtAvatar", ["dynamodb:GetItem", "dynamodb:UpdateItem"], [table_arn]),
    )


def sweep_policy(*, bucket_arn: str, table_arn: str) -> Document:
    avatars = [f"{bucket_arn}/{AVATAR_PREFIX}*"]
    return _document(
        # Every object there is; and a missing one is told from a forbidden one.
        _allow("ListBucket", ["s3:ListBucket"], [bucket_arn]),
        # Whose an object is, whether it is marked as pending, and whether it is a picture.
        _allow("LookAtAvatars", ["s3:GetObject", "s3:GetObjectTagging"], avatars),
        # A live one that is marked is copied onto itself without the tag; a copy of what has tags asks for both rights.
        _allow("HealAvatars", ["s3:PutObject", "s3:PutObjectTagging"], avatars),
        # What nothing points at any more. What is pending is left to the lifecycle rules.
        _allow("DeleteOrphans", ["s3:DeleteObject"], avatars),
        # Every row there is, and once more the one that an orphan belongs to.
        _allow("ReadRows", ["dynamodb:Scan", "dynamodb:GetItem"], [table_arn]),
    )


def frontend_policy(*, bucket_arn: str, table_arn: str) -> Document:
    prefixes = [f"{bucket_arn}/{prefix}*" for prefix in (*PENDING_PREFIXES, AVATAR_PREFIX)]
    return _document(
        # The page's table of the bucket.
        _allow("ListBucket", ["s3:ListBucket"], [bucket_arn]),
        # What each object in it carries, and the presigned GET of an avatar.
        _allow("ReadObjects", ["s3:GetObject", "s3:GetObjectTagging"], prefixes),
        # The page's users and table, the avatar of one user, and which of the objects in view are live.
        _allow("ReadUsers", ["dynamodb:Scan", "dynamodb:GetItem", "dynamodb:BatchGetItem"], [table_arn]),
    )


def execution_policy(*, repository_arn: str, log_group_arn: str) -> Document:
    """For what ECS does on behalf of a task before and around it."""
    return _document(
        # ECR gives out its login for a whole registry and knows no resource for that (AWS: "Actions for Amazon ECR").
        _allow("LogInToRegistry", ["ecr:GetAuthorizationToken"], ["*"]),
        # This service's image.
        _allow("PullImage", ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], [repository_arn]),
        # What it prints.
        _allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group_arn}:*"]),
    )


def schedule_policy(
    *, task_definition_arn: str, cluster_arn: str, task_role_arn: str, execution_role_arn: str
) -> Document:
    """For the scheduler that starts the sweep."""
    run = _allow("RunSweep", ["ecs:RunTask"], [task_definition_arn])
    run["Condition"] = {"ArnEquals": {"ecs:cluster": cluster_arn}}
    # A task runs under its roles, so who starts it must be allowed to hand them on: to ECS, and to nobody else.
    hand_on = _allow("HandRolesToTask", ["iam:PassRole"], [task_role_arn, execution_role_arn])
    hand_on["Condition"] = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    return _document(run, hand_on)


def assume_policy(*, service: str, account: str) -> Document:
    """This AWS service may take on the role, on behalf of this account only (AWS: "Confused deputy prevention")."""
    return _document(
        {
            "Sid": "ActForThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        }
    )


def bucket_policy(*, bucket_arn: str) -> Document:
    return _document(
        # Nobody reads or writes in the clear (AWS: "Security best practices for Amazon S3").
        {
            "Sid": "RefusePlainHttp",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, f"{bucket_arn}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    )


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
"""All but the use of the key."""


def signing_key_policy(*, administrator: str, signer: str) -> Document:
    """A key's policy rules alone over what it does not hand on to the account's own policies (AWS: "Key policies")."""
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


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
