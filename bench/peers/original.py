"""The confirm of the original system: its calls to AWS in sequence, through boto3, without a check of the bytes.

Under `tag` the original made a sixth call in parallel with another one. It is left out.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import uvicorn
from litestar import Litestar, get, post

from services.store.clients import CLIENT_CONFIG, S3_CONFIG

s3 = boto3.client("s3", config=S3_CONFIG)
dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
executor = ThreadPoolExecutor(2)
bucket, table = os.environ["BUCKET"], os.environ["TABLE"]


@post("/prefix", status_code=200, sync_to_thread=True)
def confirm_prefix(data: dict[str, str]) -> dict[str, str]:
    key = data["key"]
    avatar = key.replace("pending/", "avatars/")
    username = s3.head_object(Bucket=bucket, Key=key)["Metadata"]["username"]
    s3.copy_object(Bucket=bucket, Key=avatar, CopySource={"Bucket": bucket, "Key": key})
    leftovers = [key, *_set_avatar(username, avatar)]
    list(executor.map(_delete, leftovers))
    return {"username": username, "avatar": avatar}


@post("/tag", status_code=200, sync_to_thread=True)
def confirm_tag(data: dict[str, str]) -> dict[str, str]:
    avatar = data["key"]
    username = s3.head_object(Bucket=bucket, Key=avatar)["Metadata"]["username"]
    tags = s3.get_object_tagging(Bucket=bucket, Key=avatar)["TagSet"]
    if {"Key": "Status", "Value": "Pending"} in tags:
        s3.delete_object_tagging(Bucket=bucket, Key=avatar)
    for replaced in _set_avatar(username, avatar):
        s3.delete_object(Bucket=bucket, Key=replaced)
    return {"username": username, "avatar": avatar}


def _delete(key: str) -> None:
    s3.delete_object(Bucket=bucket, Key=key)


def _set_avatar(username: str, avatar: str) -> list[str]:
    """Set the user's avatar and return the previous one, if any."""
    update: dict[str, Any] = {
        "TableName": table,
        "Key": {"Username": {"S": username}},
        "UpdateExpression": "SET Avatar = :new",
        "ExpressionAttributeValues": {":new": {"S": avatar}},
        "ReturnValues": "UPDATED_OLD",
    }
    previous: dict[str, Any] = dict(dynamodb.update_item(**update).get("Attributes", {}))
    return [previous["Avatar"]["S"]] if previous else []


@get("/health")
async def health() -> dict[str, str]:
    return {}


if __name__ == "__main__":
    app = Litestar([confirm_prefix, confirm_tag, health], openapi_config=None)
    uvicorn.run(app, host=os.environ["HOST"], port=int(os.environ["PORT"]), access_log=False, log_level="warning")
