"""Values: an upload as declared, an object as stored, copied or listed, and a row that refers to an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.keys import DIGEST_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Declared:
    """The file as the client declares it at the presign: its size in bytes, and its SHA-256 in base64."""

    content_type: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as S3 describes it, and what its bytes show."""

    etag: str
    size: int
    content_type: str
    metadata: Mapping[str, str]
    sha256: str | None
    """SHA-256 of the bytes in base64. None if the object is too large, so that its bytes were not read."""
    format: str | None
    dimensions: tuple[int, int] | None
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the bytes that were verified: on condition that the source still has this ETag, and with a comparison
    of the SHA-256, since an ETag can be an MD5 digest. The copy has no tags.
    """

    source: str
    target: str
    etag: str
    sha256: str
    """SHA-256 of the verified bytes in base64."""
    content_type: str
    metadata: Mapping[str, str]
    cache_control: str
    if_absent: bool
    """Whether the copy is made only if there is no object at the target."""


@dataclass(frozen=True, slots=True)
class Described:
    """An object as S3 describes it without its bytes."""

    metadata: Mapping[str, str]
    checksum: str | None
    """SHA-256 in base64 that S3 computed when the object was written, if it was told to."""

    @property
    def is_declared(self) -> bool:
        """Whether the bytes are those that were declared, as far as S3 and the metadata say."""
        declared = self.metadata.get(DIGEST_FIELD)
        return self.checksum is None or declared is None or self.checksum == declared


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing shows it. `modified`: seconds since the epoch."""

    key: str
    modified: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that has a picture of some kind."""

    key: str
    username: str
