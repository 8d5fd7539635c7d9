"""FastAPI with a presigned POST as boto3's documentation shows it."""

from __future__ import annotations

import os
import uuid
from typing import Any

import boto3
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from services.store.clients import S3_CONFIG

s3 = boto3.client("s3", config=S3_CONFIG)
bucket = os.environ["BUCKET"]
app = FastAPI()


class Wanted(BaseModel):
    content_type: str
    size: int


@app.post("/presign")
async def presign(wanted: Wanted) -> dict[str, Any]:
    key = f"pending/{uuid.uuid4()}"
    pinned = {"Content-Type": wanted.content_type, "x-amz-meta-username": "Cooper12"}
    conditions: list[Any] = [
        *({name: value} for name, value in pinned.items()),
        ["content-length-range", wanted.size, wanted.size],
    ]
    form = s3.generate_presigned_post(bucket, key, Fields=pinned, Conditions=conditions, ExpiresIn=300)
    return {"method": "POST", **form, "key": key}


@app.get("/health")
async def health() -> dict[str, str]:
    return {}


if __name__ == "__main__":
    uvicorn.run(app, host=os.environ["HOST"], port=int(os.environ["PORT"]), access_log=False, log_level="warning")
