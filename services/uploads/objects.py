"""Values: an upload as declared, an object as stored, copied or listed, and a row that refers to an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Declared:
    """The file as the client declares it at the presign: its size in bytes, and optionally its SHA-256 in base64."""

    content_type: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as S3 describes it, and the format and dimensions that its first bytes show."""

    etag: str
    size: int
    content_type: str
    metadata: Mapping[str, str]
    format: str | None
    dimensions: tuple[int, int] | None
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy on condition that the source still has this ETag, so that no other bytes than the verified ones are
    copied. The copy has no tags.
    """

    source: str
    target: str
    etag: str
    content_type: str
    metadata: Mapping[str, str]
    cache_control: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a listing shows it. `modified`: seconds since the epoch."""

    key: str
    modified: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that has an avatar."""

    avatar: str
    username: str
