"""The third call as the original made it: one call to AWS after the other, through boto3, with no look at the bytes.

A sixth call that it made under `tag`, beside another one, is left out.
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
    leftovers = [key, *_point_at(username, avatar)]
    list(executor.map(_delete, leftovers))
    return {"username": username, "avatar": avatar}


@post("/tag", status_code=200, sync_to_thread=True)
def confirm_tag(data: dict[str, str]) -> dict[str, str]:
    avatar = data["key"]
    username = s3.head_object(Bucket=bucket, Key=avatar)["Metadata"]["username"]
    tags = s3.get_object_tagging(Bucket=bucket, Key=avatar)["TagSet"]
    if {"Key": "Status", "Value": "Pending"} in tags:
        s3.delete_object_tagging(Bucket=bucket, Key=avatar)
    for replaced in _point_at(username, avatar):
        s3.delete_object(Bucket=bucket, Key=replaced)
    return {"username": username, "avatar": avatar}


def _delete(key: str) -> None:
    s3.delete_object(Bucket=bucket, Key=key)


def _point_at(username: str, avatar: str) -> list[str]:
    """The avatar before, if any."""
    update: dict[str, Any] = {
        "TableName": table,
        "Key": {"Username": {"S": username}},
        "UpdateExpression": "SET Avatar = :new",
        "ExpressionAttributeValues": {":new": {"S": avatar}},
        "ReturnValues": "UPDATED_OLD",
    }
    before: dict[str, Any] = dict(dynamodb.update_item(**update).get("Attributes", {}))
    return [before["Avatar"]["S"]] if before else []


@get("/health")
async def health() -> dict[str, str]:
    return {}


if __name__ == "__main__":
    app = Litestar([confirm_prefix, confirm_tag, health], openapi_config=None)
    uvicorn.run(app, host=os.environ["HOST"], port=int(os.environ["PORT"]), access_log=False, log_level="warning")
