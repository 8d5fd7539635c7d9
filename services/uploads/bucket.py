from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError

from services.aws import error_code
from services.keys import USERNAME_FIELD
from services.uploads.form import Destination
from services.uploads.picture import HEAD_BYTES, MOST_BYTES, identify, measure
from services.uploads.sweep.plan import Listed
from services.uploads.upload import Replace, Restore, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from types_boto3_s3 import S3Client

    from services.uploads.pending import Copy


BLANK = Path(__file__).parent / "blank.png"


class ChangedError(Exception):
    """The object is gone, or is not the one that was checked any more."""


class MissingObjectError(Exception):
    pass


class NotDeletedError(Exception):
    """S3 did not delete these keys; the others it did."""

    def __init__(self, keys: Sequence[str], reason: str) -> None:
        super().__init__(f"{reason}: {', '.join(keys)}")
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Bucket:
    s3: S3Client
    name: str

    def find_destination(self) -> Destination:
        """By a form that botocore makes, whose rules for endpoints and regions are its own. Nothing is sent."""
        sample = self.s3.generate_presigned_post(self.name, "any")
        region = sample["fields"]["x-amz-credential"].split("/")[-3]
        return Destination(self.name, sample["url"], region)

    def inspect(self, key: str, hurry: Callable[[], None] = lambda: None) -> Stored | None:
        """The object by its first bytes, and by more of them where its header is longer; None where there is none.

        One call tells everything, since GET answers with what HEAD would. A second one is made for pictures with
        much in front of their dimensions; `hurry` is asked first, and raises where there is no time for it.
        """
        stored, head = self._read(key, f"bytes=0-{HEAD_BYTES - 1}")
        if stored is None or stored.format is None or stored.dimensions is not None or stored.size <= len(head):
            return stored
        hurry()
        whole, _ = self._read(key, f"bytes=0-{min(stored.size, MOST_BYTES) - 1}")
        return whole

    def _read(self, key: str, span: str) -> tuple[Stored | None, bytes]:
        try:
            answer = self.s3.get_object(Bucket=self.name, Key=key, Range=span)
        except ClientError as error:
            # InvalidRange: the object is empty, which no form of ours allows.
            if error_code(error) in {"NoSuchKey", "InvalidRange"}:
                return None, b""
            raise
        head = answer["Body"].read()
        stored = Stored(
            etag=answer["ETag"],
            size=int(answer["ContentRange"].rpartition("/")[2]) if "ContentRange" in answer else len(head),
            content_type=answer["ContentType"],
            metadata=answer["Metadata"],
            tagged=answer.get("TagCount", 0) > 0,
            format=identify(head),
            dimensions=None,
        )
        return replace(stored, dimensions=measure(head)) if stored.format else stored, head

    def copy(self, step: Copy) -> None:
        """
        Raises:
            ChangedError: the source is not the object that was checked.
        """
        try:
            answer = self.s3.copy_object(
                Bucket=self.name,
                Key=step.target,
                CopySource={"Bucket": self.name, "Key": step.source},
                CopySourceIfMatch=step.etag,
                # What the copy carries is said here and not taken over, so that it is exactly this.
                MetadataDirective="REPLACE",
                ContentType=step.content_type,
                Metadata=step.metadata,
                TaggingDirective="REPLACE",
                CacheControl=step.cache_control,
            )
        except ClientError as error:
            _raise_if_changed(error, step.source)
            raise
        if "ETag" not in answer.get("CopyObjectResult", {}):
            # S3 may send status 200 before the copy is made; without what follows it, nobody knows whether it was.
            raise HTTPClientError(error="CopyObject did not say what it made")

    def blank(self, key: str, stored: Stored) -> None:
        """Put a blank picture in the place of this very object, with no tags.

        Raises:
            ChangedError: it is not there any more.
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

    def heal(self, step: Restore | Replace) -> None:
        """
        Raises:
            ChangedError: the object is not the one that was looked at any more.
        """
        match step:
            case Restore(copy):
                self.copy(copy)
            case Replace(key, stored):
                self.blank(key, stored)

    def list_objects(self, prefix: str) -> Iterator[Listed]:
        """In the order of their keys (AWS: ListObjectsV2, "UTF-8 binary order"), and so in that of their ids' times."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                # boto3's types say that both may be missing; in an answer of S3 they are not.
                yield Listed(entry["Key"], entry["LastModified"].timestamp())  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def find_owner(self, key: str) -> str | None:
        """The user that the object is bound to, if any.

        Raises:
            MissingObjectError: there is no such object.
        """
        try:
            return self.s3.head_object(Bucket=self.name, Key=key)["Metadata"].get(USERNAME_FIELD)
        except ClientError as error:
            # HEAD answers without a body, so that the status is all there is.
            if error_code(error) in {"404", "NoSuchKey"}:
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
        """Of at most 1,000 keys (AWS: DeleteObjects). What is gone already is no error.

        Raises:
            NotDeletedError: S3 refused some of them.
        """
        answer = self.s3.delete_objects(
            Bucket=self.name, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
        )
        if failed := answer.get("Errors"):
            raise NotDeletedError([error.get("Key", "") for error in failed], failed[0].get("Code", ""))


def _raise_if_changed(error: ClientError, key: str) -> None:
    if error_code(error) in {"NoSuchKey", "PreconditionFailed", "ConditionalRequestConflict"}:
        raise ChangedError(key) from error
