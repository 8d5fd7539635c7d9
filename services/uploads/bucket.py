from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError

from services.pictures.formats import HEAD_BYTES, MAX_HEADER_BYTES, identify, measure
from services.store.clients import error_code, is_missing
from services.store.keys import USERNAME_FIELD
from services.uploads.decision import Replace, Restore
from services.uploads.form import Destination
from services.uploads.objects import Listed, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_s3 import S3Client

    from services.uploads.deadline import Deadline
    from services.uploads.objects import Copy


BLANK = Path(__file__).parent / "blank.png"


class ChangedError(Exception):
    """The object was deleted or replaced since it was verified."""


class MissingObjectError(Exception):
    pass


class NotDeletedError(Exception):
    """S3 refused to delete these keys; it deleted the others."""

    def __init__(self, keys: Sequence[str], reason: str) -> None:
        super().__init__(f"{reason}: {', '.join(keys)}")
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Bucket:
    s3: S3Client
    name: str

    def find_destination(self) -> Destination:
        """Read it from a form that botocore signs, so that botocore's endpoint rules apply. No request is sent."""
        form = self.s3.generate_presigned_post(self.name, "any")
        region = form["fields"]["x-amz-credential"].split("/")[-3]
        return Destination(self.name, form["url"], region)

    def inspect(self, key: str, deadline: Deadline | None = None) -> Stored | None:
        """Read the object's headers and its first bytes. None if there is no object.

        One GetObject is enough for most pictures, since it returns what HeadObject would. If the dimensions come later
        in the file, a second one reads more.

        Raises:
            DeadlineExceededError: it is too late for the second read.
        """
        stored, head = self._read(key, f"bytes=0-{HEAD_BYTES - 1}")
        if stored is None or stored.format is None or stored.dimensions is not None or stored.size <= len(head):
            return stored
        if deadline:
            deadline.check()
        whole, _ = self._read(key, f"bytes=0-{min(stored.size, MAX_HEADER_BYTES) - 1}")
        return whole

    def _read(self, key: str, span: str) -> tuple[Stored | None, bytes]:
        try:
            response = self.s3.get_object(Bucket=self.name, Key=key, Range=span)
        except ClientError as error:
            # InvalidRange: the object is empty. No form allows that.
            if error_code(error) in {"NoSuchKey", "InvalidRange"}:
                return None, b""
            raise
        head = response["Body"].read()
        stored = Stored(
            etag=response["ETag"],
            size=int(response["ContentRange"].rpartition("/")[2]) if "ContentRange" in response else len(head),
            content_type=response["ContentType"],
            metadata=response["Metadata"],
            tagged=response.get("TagCount", 0) > 0,
            format=identify(head),
            dimensions=None,
        )
        return replace(stored, dimensions=measure(head)) if stored.format else stored, head

    def copy(self, step: Copy) -> None:
        """
        Raises:
            ChangedError: the source is not the object that was verified.
        """
        try:
            response = self.s3.copy_object(
                Bucket=self.name,
                Key=step.target,
                CopySource={"Bucket": self.name, "Key": step.source},
                CopySourceIfMatch=step.etag,
                # Nothing is inherited from the source.
                MetadataDirective="REPLACE",
                ContentType=step.content_type,
                Metadata=step.metadata,
                TaggingDirective="REPLACE",
                CacheControl=step.cache_control,
            )
        except ClientError as error:
            _raise_if_changed(error, step.source)
            raise
        if "ETag" not in response.get("CopyObjectResult", {}):
            # S3 may send status 200 before the copy is complete (AWS: CopyObject). Only the body reports success.
            raise HTTPClientError(error="CopyObject returned no result")

    def blank(self, key: str, stored: Stored) -> None:
        """Overwrite exactly this object with a blank picture without tags.

        Raises:
            ChangedError: the object was deleted or replaced since it was read.
        """
        try:
            self.s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=BLANK.read_bytes(),
                IfMatch=stored.etag,
                ContentType="image/png",
                Metadata=stored.metadata,
            )
        except ClientError as error:
            _raise_if_changed(error, key)
            raise

    def repair(self, step: Restore | Replace) -> None:
        """
        Raises:
            ChangedError: the object was deleted or replaced since it was read.
        """
        match step:
            case Restore(copy):
                self.copy(copy)
            case Replace(key, stored):
                self.blank(key, stored)

    def list_objects(self, prefix: str) -> Iterator[Listed]:
        """The objects in order of their keys (AWS: ListObjectsV2, "UTF-8 binary order"), which is that of creation."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                # boto3's types make both optional; S3 always returns them.
                yield Listed(entry["Key"], entry["LastModified"].timestamp())  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def find_owner(self, key: str) -> str | None:
        """The username in the object's metadata, if there is one.

        Raises:
            MissingObjectError: there is no such object.
        """
        try:
            return self.s3.head_object(Bucket=self.name, Key=key)["Metadata"].get(USERNAME_FIELD)
        except ClientError as error:
            if is_missing(error):
                raise MissingObjectError(key) from error
            raise

    def read_tags(self, key: str) -> Mapping[str, str]:
        """
        Raises:
            MissingObjectError: there is no such object.
        """
        try:
            tag_set = self.s3.get_object_tagging(Bucket=self.name, Key=key)["TagSet"]
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                raise MissingObjectError(key) from error
            raise
        return {tag["Key"]: tag["Value"] for tag in tag_set}

    def delete(self, keys: Sequence[str]) -> None:
        """Delete at most 1,000 keys (AWS: DeleteObjects). A missing object is not an error.

        Raises:
            NotDeletedError: S3 refused to delete some of them.
        """
        response = self.s3.delete_objects(
            Bucket=self.name, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
        if failed := response.get("Errors"):
            raise NotDeletedError([error.get("Key", "") for error in failed], failed[0].get("Code", ""))


def _raise_if_changed(error: ClientError, key: str) -> None:
    if error_code(error) in {"NoSuchKey", "PreconditionFailed", "ConditionalRequestConflict"}:
        raise ChangedError(key) from error
