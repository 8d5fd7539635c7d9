"""The seeded users that earlier versions of the program created as resources (decision 28)."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from infra.live_stack import read_urns
from infra.seed.people import SEEDED_USERS, invent_people
from services.store.keys import PERMANENT_CACHE_CONTROL, USERNAME_FIELD, Upload, UploadId
from services.store.kinds import AVATAR
from services.store.table import USERNAME, Row, Value, write_row

if TYPE_CHECKING:
    from infra.components.storage import Storage

SEEDED_AT = 1_767_225_600_000
"""2026-01-01, in milliseconds since the epoch: the time in the ids of those pictures."""


PICTURE_TYPE, ROW_TYPE = "aws:s3/bucketObjectv2:BucketObjectv2", "aws:dynamodb/tableItem:TableItem"


def release_seeds(storage: Storage) -> None:
    """Register these users once more, with `retain_on_delete`. The next update removes them from the state, and leaves
    rows and pictures in place, which belong to the users.

    Only what the state has is registered. Anything else was deleted by its user, and would be created again.
    """
    urns = read_urns()
    for number, person in enumerate(invent_people(SEEDED_USERS), start=1):
        avatar = Upload(AVATAR, make_seed_id(number)).permanent_key
        if any(urn.endswith(f"{PICTURE_TYPE}::{person.username}") for urn in urns):
            aws.s3.BucketObjectv2(
                person.username,
                bucket=storage.bucket,
                key=avatar,
                source=pulumi.FileAsset(str(person.portrait)),
                content_type="image/png",
                cache_control=PERMANENT_CACHE_CONTROL,
                metadata={USERNAME_FIELD: person.username},
                # Any change, of a tag for example, would fail if the user has replaced the picture.
                opts=pulumi.ResourceOptions(
                    parent=storage,
                    retain_on_delete=True,
                    ignore_changes=["source", "contentType", "cacheControl", "metadata", "tags", "tagsAll"],
                ),
            )
        if any(urn.endswith(f"{ROW_TYPE}::{person.username}") for urn in urns):
            aws.dynamodb.TableItem(
                person.username,
                table_name=storage.table,
                hash_key=USERNAME,
                item=json.dumps(write_row(Row(person.username, person.name).replace(AVATAR, Value(avatar)))),
                opts=pulumi.ResourceOptions(parent=storage, retain_on_delete=True, ignore_changes=["item"]),
            )


def make_seed_id(number: int) -> UploadId:
    """A UUIDv7 (RFC 9562, section 5.7) with this number in place of its random bits."""
    value = SEEDED_AT << 80 | 7 << 76 | 2 << 62 | number
    return UploadId(str(uuid.UUID(int=value)))
