"""Reads the bucket and the table with full permissions."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.soak.files import digest
from bench.soak.invariants import Seen, Snapshot
from services.store.keys import USERNAME_FIELD
from services.store.table import read_row

if TYPE_CHECKING:
    from infra.local.clients import Aws
    from infra.local.stack import Stack

THREADS = 16


def take_snapshot(stack: Stack) -> Snapshot:
    """Take a snapshot. Nothing may change during it."""
    aws, bucket = stack.aws, stack.resources.bucket
    pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [entry.get("Key", "") for page in pages for entry in page.get("Contents", [])]
    with ThreadPoolExecutor(THREADS) as executor:
        seen = executor.map(_look, itertools.repeat(aws), itertools.repeat(bucket), keys)
        return Snapshot(read_rows(stack), dict(zip(keys, seen, strict=True)))


def read_rows(stack: Stack) -> dict[str, str]:
    """Return the avatar keys by user, of the rows that have one."""
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.resources.table, ConsistentRead=True)
    rows = [read_row(item) for page in pages for item in page["Items"]]
    return {row.username: row.avatar for row in rows if row.avatar}


def _look(aws: Aws, bucket: str, key: str) -> Seen:
    response = aws.s3.get_object(Bucket=bucket, Key=key)
    owner = response["Metadata"].get(USERNAME_FIELD)
    # Objects have no other tag than the pending tag.
    return Seen(owner, digest(response["Body"].read()), tagged=response.get("TagCount", 0) > 0)
