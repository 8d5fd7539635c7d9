"""Sets the demo back to its first state: the seeded users with their pictures, and the real time.

`python -m infra.local.reset_command`, with the variables of `infra.local.stack.make_reset_environ`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import httpx2
import msgspec

from infra.local.clients import Aws
from infra.local.emulator.app import RESET_PATH
from infra.seed.seeds import seed
from services.store.table import USERNAME

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client


class ResetReport(msgspec.Struct, frozen=True):
    deleted_rows: int
    deleted_objects: int
    users: int


def main() -> None:
    aws = Aws(
        os.environ["AWS_ENDPOINT_URL"],
        os.environ["AWS_REGION"],
        os.environ["AWS_ACCESS_KEY_ID"],
        os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    report = reset(aws, os.environ["BUCKET"], os.environ["TABLE"], int(os.environ["USERS"]))
    sys.stdout.buffer.write(msgspec.json.encode(report))


def reset(aws: Aws, bucket: str, table: str, users: int) -> ResetReport:
    """Lift the fault, set the clock to the real time, delete all rows and objects, and add the seeded users."""
    httpx2.post(aws.endpoint + RESET_PATH, json={}).raise_for_status()
    # Rows first, so that no row refers to a missing object.
    rows = _delete_rows(aws.dynamodb, table)
    objects = _delete_objects(aws.s3, bucket)
    return ResetReport(rows, objects, seed(aws.s3, aws.dynamodb, bucket, table, users))


def _delete_rows(dynamodb: DynamoDBClient, table: str) -> int:
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    rows = [row for page in pages for row in page["Items"]]
    for row in rows:
        dynamodb.delete_item(TableName=table, Key={USERNAME: row[USERNAME]})
    return len(rows)


def _delete_objects(s3: S3Client, bucket: str) -> int:
    deleted = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [entry.get("Key", "") for entry in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
        deleted += len(keys)
    return deleted


if __name__ == "__main__":
    main()
