"""Keys of objects in the bucket, and the metadata and tags that objects carry.

An upload keeps its kind and its id: it is posted to one key and, once confirmed, is at its permanent key, which is
`avatars/<id>` for an avatar.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.store.kinds import Kind

USERNAME_FIELD = "username"
"""Metadata entry (`x-amz-meta-username`): the user to whom the form was issued."""

TOKEN_FIELD = "upload-token"  # noqa: S105 - the name of a field
"""Metadata entry: the SHA-256 of the upload token that a confirm must send under the strategy `tag`. S3 returns the
metadata to everybody who loads the picture.
"""

DIGEST_FIELD = "sha256"
"""Metadata entry: the SHA-256 of the file in base64, as declared at the presign."""

REQUEST_FIELD = "request-id"
"""Metadata entry: the request id of the presign, which is also in the services' logs."""

PENDING_TAG = ("Status", "Pending")
"""The tag of a pending object under the strategy `tag`. A lifecycle rule deletes objects that have it."""

PERMANENT_CACHE_CONTROL = "public, max-age=31536000, immutable"
"""The bytes of a confirmed picture never change, so a cache may keep them indefinitely."""

_PLAIN_NAME = r"[A-Za-z0-9_][A-Za-z0-9._|:-]{0,127}"
"""ASCII only, since S3 returns other metadata encoded (AWS: "Working with object metadata"), and not the name of a
folder such as `..`, since a username is part of a path. It includes the user ids of identity providers such as
`auth0|6475…`, and no e-mail address.
"""

_DIGEST_NAME = r"~[A-Za-z0-9_-]{43}"

USERNAME_PATTERN = f"^(?:{_PLAIN_NAME}|{_DIGEST_NAME})$"
"""A username is the key of a row and a part of paths, metadata, logs and headers."""

_LATEST = "-7fff-bfff-ffffffffffff"
"""The end of the greatest id of a millisecond."""

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, order=True)
class UploadId:
    """A UUIDv7 (RFC 9562, section 5.7) in lower case. Compared as text, ids are in order of creation."""

    text: str

    @classmethod
    def parse(cls, text: str) -> UploadId | None:
        """The id, or None unless the text is its canonical form, so that each id has exactly one key."""
        return cls(text) if _UUID7.fullmatch(text) else None

    @classmethod
    def latest_at(cls, now: float) -> UploadId:
        """The greatest id of this millisecond, for a time in seconds since the epoch."""
        time = f"{int(now * 1000):012x}"
        return cls(f"{time[:8]}-{time[8:]}{_LATEST}")

    def latest_of_its_time(self) -> UploadId:
        """The greatest id of the same millisecond."""
        return UploadId(self.text[: -len(_LATEST)] + _LATEST)

    @property
    def is_of_removal(self) -> bool:
        """Whether a removal made the id. An upload has the greatest id of a millisecond with a probability of 2^-74."""
        return self == self.latest_of_its_time()

    @property
    def created(self) -> float:
        """Seconds since the epoch, to the millisecond."""
        return int(self.text[:8] + self.text[9:13], 16) / 1000


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload: its kind and its id, from which its keys follow."""

    kind: Kind
    id: UploadId

    @property
    def pending_key(self) -> str:
        return self.kind.pending_prefix + self.id.text

    @property
    def permanent_key(self) -> str:
        return self.kind.permanent_prefix + self.id.text


def make_username(name: str) -> str:
    """The username for a name in an access token: the name itself if it is plain, or else its SHA-256 after `~`, which
    no plain name has. So two names never share a username, and an e-mail address is in no metadata, path or log.

    Raises:
        ValueError: the name is empty, or is not Unicode text.
    """
    if re.fullmatch(_PLAIN_NAME, name):
        return name
    if not name:
        raise ValueError("The name is empty.")
    digest = hashlib.sha256(name.encode()).digest()
    return f"~{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def parse_key(key: str, prefix: str) -> UploadId | None:
    return UploadId.parse(key.removeprefix(prefix)) if key.startswith(prefix) else None
