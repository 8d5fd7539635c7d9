from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from services.pictures.formats import identify, measure
from services.store.clients import error_code, is_missing
from services.store.keys import DIGEST_FIELD
from services.store.responses import require
from services.uploads.decision import Replace, Restore
from services.uploads.form import Destination
from services.uploads.objects import Described, Listed, Stored

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_s3 import S3Client

    from services.uploads.deadline import Deadline
    from services.uploads.objects import Copy


logger = logging.getLogger(__name__)

BLANK = Path(__file__).parent / "blank.png"


class ChangedError(Exception):
    """The object was deleted or replaced since it was verified."""


class OtherBytesError(Exception):
    """A copy does not have the bytes that were verified, although the ETag was the same."""


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

    def inspect(self, key: str, max_bytes: int, deadline: Deadline | None = None) -> Stored | None:
        """Read the object once, whole unless it has more than `max_bytes`. None if there is no object.

        GetObject returns what HeadObject would. The client's read timeout limits the time of the whole response.

        Raises:
            DeadlineExceededError: it is too late to read it.
        """
        if deadline:
            deadline.check()
        try:
            response = self.s3.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return None
            raise
        size = response["ContentLength"]
        with contextlib.closing(response["Body"]) as body:
            content = body.read() if size <= max_bytes else None
        return Stored(
            etag=response["ETag"],
            size=size,
            content_type=response["ContentType"],
            metadata=response["Metadata"],
            sha256=None if content is None else compute_sha256(content),
            format=None if content is None else identify(content),
            dimensions=None if content is None else measure(content),
            tagged=response.get("TagCount", 0) > 0,
        )

    def copy(self, step: Copy, deadline: Deadline | None = None) -> None:
        """
        Raises:
            DeadlineExceededError: it is too late for the call that looks at an earlier copy.
            ChangedError: the source is not the object that was verified.
            OtherBytesError: the bytes at the target are not those that were verified. If this call put them there, a
                blank picture has taken their place.
        """
        on_target: dict[str, Any] = {"IfNoneMatch": "*"} if step.if_absent else {}
        try:
            response = self.s3.copy_object(
                Bucket=self.name,
                Key=step.target,
                CopySource={"Bucket": self.name, "Key": step.source},
                CopySourceIfMatch=step.etag,
                **on_target,
                ChecksumAlgorithm="SHA256",
                # Nothing is inherited from the source.
                MetadataDirective="REPLACE",
                ContentType=step.content_type,
                Metadata=step.metadata,
                TaggingDirective="REPLACE",
                CacheControl=step.cache_control,
            )
        except ClientError as error:
            if step.if_absent and error_code(error) == "PreconditionFailed":
                # S3 does not say which condition failed. An earlier try may have made the copy.
                if deadline:
                    deadline.check()
                self._check_copy(step)
                return
            _raise_if_changed(error, step.source)
            raise
        # S3 may send status 200 before the copy is complete (AWS: CopyObject). Only the body reports success.
        result = require(response.get("CopyObjectResult", {}), "ChecksumSHA256")
        if result.get("ChecksumSHA256") != step.sha256:
            self.blank(step.target, step.etag, step.metadata)
            raise OtherBytesError(step.target)

    def _check_copy(self, step: Copy) -> None:
        """
        Raises:
            ChangedError: there is no object at the target.
            OtherBytesError: it does not have the verified bytes.
        """
        try:
            described = self.describe(step.target)
        except MissingObjectError as error:
            raise ChangedError(step.source) from error
        if described.checksum != step.sha256:
            raise OtherBytesError(step.target)

    def blank(self, key: str, etag: str, metadata: Mapping[str, str]) -> None:
        """Overwrite the object with this ETag with a blank picture without tags.

        Raises:
            ChangedError: the object was deleted or replaced since it was read.
        """
        blank = BLANK.read_bytes()
        digest = compute_sha256(blank)
        try:
            self.s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=blank,
                IfMatch=etag,
                ContentType="image/png",
                Metadata={**metadata, DIGEST_FIELD: digest},
                # Otherwise botocore appends a checksum to the body, but only over HTTPS (`aws-chunked`), which an
                # emulator never sees.
                ChecksumSHA256=digest,
            )
        except ClientError as error:
            _raise_if_changed(error, key)
            raise

    def repair(self, step: Restore | Replace) -> None:
        """
        Raises:
            ChangedError: the object was deleted or replaced since it was read.
            OtherBytesError: the copy had other bytes than the verified ones; a blank picture has taken their place.
        """
        match step:
            case Restore(copy):
                self.copy(copy)
            case Replace(key, stored):
                self.blank(key, stored.etag, stored.metadata)

    def list_objects(self, prefix: str) -> Iterator[Listed]:
        """The objects in order of their keys (AWS: ListObjectsV2, "UTF-8 binary order"), which is that of creation."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                # boto3's types make both optional; S3 always returns them.
                yield Listed(entry["Key"], entry["LastModified"].timestamp())  # pyright: ignore[reportTypedDictNotRequiredAccess]

    def describe(self, key: str) -> Described:
        """
        Raises:
            MissingObjectError: there is no such object.
        """
        try:
            response = self.s3.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if is_missing(error):
                raise MissingObjectError(key) from error
            raise
        return Described(response["Metadata"], response.get("ChecksumSHA256"))

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

    def discard(self, keys: Sequence[str]) -> None:
        """Delete objects that no row refers to. A failure is logged; the sweep deletes them later."""
        if not keys:
            return
        try:
            self.delete(keys)
        except Exception:
            logger.warning("Not deleted, left to the sweep: %s", keys, exc_info=True)

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


def compute_sha256(content: bytes) -> str:
    """The digest in base64, as S3 has it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()
