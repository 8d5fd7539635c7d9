"""Presigns an upload: gives it an id and makes the form, which allows one object only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uuid_utils

from services.store.keys import DIGEST_FIELD, REQUEST_FIELD, USERNAME_FIELD, Upload, UploadId
from services.uploads.picture import check_declared

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.store.kinds import Kind
    from services.uploads.decision import Limits
    from services.uploads.form import Form, Signer
    from services.uploads.objects import Declared
    from services.uploads.strategies import Strategy

TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Presigned:
    key: str
    form: Form
    token: str | None


@dataclass(frozen=True, slots=True)
class Presigner:
    signer: Signer
    strategy: Strategy
    limits: Limits
    clock: Callable[[], float]

    def presign(self, username: str, kind: Kind, declared: Declared, request_id: str) -> Presigned:
        """
        Raises:
            RefusedError: no form is issued for such a file.
            NoCredentialsError: there are no AWS credentials to sign with.
        """
        check_declared(declared, kind, self.limits.pictures[kind.name])
        now = self.clock()
        upload = Upload(kind, UploadId(str(uuid_utils.uuid7(nanoseconds=int(now * 1e9)))))
        key = self.strategy.posted_key(upload)
        token = secrets.token_urlsafe(TOKEN_BYTES) if self.strategy.with_token else ""
        pinned = {
            "Content-Type": declared.content_type,
            f"x-amz-meta-{USERNAME_FIELD}": username,
            f"x-amz-meta-{REQUEST_FIELD}": request_id,
            # S3 compares the checksum with the bytes that are posted; the confirm compares the metadata.
            f"x-amz-meta-{DIGEST_FIELD}": declared.sha256,
            "x-amz-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": declared.sha256,
            **self.strategy.pins(token),
        }
        form = self.signer.make_form(now, key, pinned, declared.size, self.limits.form_seconds)
        return Presigned(key, form, token or None)
