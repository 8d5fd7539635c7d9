"""What each service may do in AWS: exact actions on exact resources, each statement with the reason for it.

Taken by the Pulumi program and by the local stack, so that the permissions of production hold on a laptop, too.
"""

from __future__ import annotations

from typing import Any

from services.keys import AVATAR_PREFIX, PENDING_PREFIX

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
    prefixes = [f"{bucket_arn}/{PENDING_PREFIX}*", f"{bucket_arn}/{AVATAR_PREFIX}*"]
    return _document(
        # The page's table of the bucket.
        _allow("ListBucket", ["s3:ListBucket"], [bucket_arn]),
        # What each object in it carries, and the presigned GET of an avatar.
        _allow("ReadObjects", ["s3:GetObject", "s3:GetObjectTagging"], prefixes),
        # The page's users and table, the avatar of one user, and which of the objects in view are live.
        _allow("ReadUsers", ["dynamodb:Scan", "dynamodb:GetItem", "dynamodb:BatchGetItem"], [table_arn]),
    )


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(sid: str, actions: list[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
