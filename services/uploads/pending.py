"""How an object waits for its confirm, and what makes it permanent.

A strategy answers in data: conditions of a form, steps to take. Nothing else in the service knows which one is on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.keys import PENDING_PREFIX, USERNAME_FIELD, UploadId, parse_key

if TYPE_CHECKING:
    from services.uploads.upload import Stored


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy the object if its ETag is still this one: the bytes that were checked, or none."""

    source: str
    target: str
    etag: str
    content_type: str
    username: str


class Prefix:
    """Under `pending/`; a lifecycle rule of that prefix deletes what stays there. Confirming copies it out."""

    def parse(self, key: str) -> UploadId | None:
        return parse_key(key, PENDING_PREFIX)

    def awaiting_key(self, upload_id: UploadId) -> str:
        """Where the form posts the object to, and where it waits."""
        return upload_id.pending_key

    def promotion(self, upload_id: UploadId, stored: Stored) -> tuple[Copy, ...]:
        """What makes the object permanent: safe to stop after any step and to take again."""
        return (
            Copy(
                upload_id.pending_key,
                upload_id.avatar_key,
                stored.etag,
                stored.content_type,
                stored.metadata[USERNAME_FIELD],
            ),
        )

    def leftovers(self, upload_id: UploadId) -> tuple[str, ...]:
        """Keys that are of no more use once the upload is confirmed or superseded."""
        return (upload_id.pending_key,)
