"""Where objects live in the bucket, what they may be, and what their names say.

An upload keeps its id all its life: it is posted to one key and, once confirmed, found at `avatars/<id>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PENDING_PREFIX = "pending/"
AVATAR_PREFIX = "avatars/"

USERNAME_FIELD = "username"
"""The metadata entry (`x-amz-meta-username`) that binds an object to the user who may post it."""

TOKEN_FIELD = "upload-token"  # noqa: S105 - the name of a field
"""The metadata entry that the tag strategy proves an upload by."""

REQUEST_FIELD = "request-id"
"""The metadata entry that says which presign an object comes from: the id that is in the services' logs."""

PENDING_TAG = ("Status", "Pending")
"""What marks a pending object under the tag strategy, and what a lifecycle rule looks for."""

AVATAR_CACHE_CONTROL = "public, max-age=31536000, immutable"
"""A key's bytes never change once it is an avatar, so that a cache may keep them for good."""

USERNAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""ASCII only: S3 hands other metadata back encoded (AWS: "Working with object metadata")."""

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, order=True)
class UploadId:
    """A UUIDv7 (RFC 9562, section 5.7) in lower case: ids that compare as text compare in time."""

    text: str

    @classmethod
    def parse(cls, text: str) -> UploadId | None:
        """None for anything but the one canonical spelling, so that an id has exactly one key."""
        return cls(text) if _UUID7.fullmatch(text) else None

    @property
    def created(self) -> float:
        """Seconds since the epoch, to the millisecond."""
        return int(self.text[:8] + self.text[9:13], 16) / 1000

    @property
    def pending_key(self) -> str:
        return PENDING_PREFIX + self.text

    @property
    def avatar_key(self) -> str:
        return AVATAR_PREFIX + self.text


def parse_key(key: str, prefix: str) -> UploadId | None:
    return UploadId.parse(key.removeprefix(prefix)) if key.startswith(prefix) else None
