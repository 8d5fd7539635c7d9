"""The rules of an upload: what may be asked for, and what becomes of it when it is confirmed. Decides; does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.keys import CONTENT_TYPES, USERNAME_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.keys import UploadId


class RefusedError(Exception):
    """The upload can't become the avatar. Nothing has changed."""


class TypeNotAllowedError(RefusedError):
    pass


class EmptyFileError(RefusedError):
    pass


class TooLargeError(RefusedError):
    pass


class UnknownUploadError(RefusedError):
    """Never presigned, never posted, or somebody else's: a caller can't tell which."""


class ExpiredError(RefusedError):
    pass


class SupersededError(RefusedError):
    """The user's avatar is a later upload already, and the row never goes back."""


class NotAPictureError(RefusedError):
    pass


class TypeMismatchError(RefusedError):
    pass


class UnreadablePictureError(RefusedError):
    pass


class TooManyPixelsError(RefusedError):
    pass


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int
    max_width: int
    max_height: int
    form_seconds: int
    confirm_seconds: int


@dataclass(frozen=True, slots=True)
class Declared:
    """What the browser says of the file: bytes, and the SHA-256 in base64 where it computed one."""

    content_type: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What S3 says of an uploaded object, and what its first bytes show it to be."""

    etag: str
    size: int
    content_type: str
    metadata: Mapping[str, str]
    format: str | None
    dimensions: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Facts:
    now: float
    avatar: str | None
    """What the user's row points at."""
    stored: Stored | None
    """The object at the key that awaits the confirm."""


@dataclass(frozen=True, slots=True)
class AlreadyConfirmed:
    """A repeat: the row points at this upload, so there is nothing left to promise."""


@dataclass(frozen=True, slots=True)
class Promote:
    """The object with this ETag is verified and may become permanent."""

    stored: Stored


def check_declared(declared: Declared, limits: Limits) -> None:
    """
    Raises:
        TypeNotAllowedError, EmptyFileError, TooLargeError: no form is given for such a file.
    """
    if declared.content_type not in CONTENT_TYPES:
        raise TypeNotAllowedError(f"An avatar is one of {', '.join(CONTENT_TYPES)}.")
    if declared.size < 1:
        raise EmptyFileError("The file is empty.")
    if declared.size > limits.max_bytes:
        raise TooLargeError(f"The file has {declared.size:,} bytes; {limits.max_bytes:,} are allowed.")


def decide(username: str, upload_id: UploadId, facts: Facts, limits: Limits) -> AlreadyConfirmed | Promote:
    """What a confirm amounts to.

    The first three answers depend on the caller's own row and the clock alone, and a foreign object is treated as a
    missing one: nobody learns anything about keys that are not theirs.

    Raises:
        RefusedError: by its subclass, why not.
    """
    if facts.avatar == upload_id.avatar_key:
        return AlreadyConfirmed()
    if is_superseded(upload_id, facts.avatar):
        raise SupersededError("A later upload is the avatar already.")
    if facts.now > upload_id.created + limits.confirm_seconds:
        raise ExpiredError("The upload was not confirmed in time. Upload the picture again.")
    if facts.stored is None or facts.stored.metadata.get(USERNAME_FIELD) != username:
        raise UnknownUploadError("There is no upload of that key.")
    check_stored(facts.stored, limits)
    return Promote(facts.stored)


def is_superseded(upload_id: UploadId, avatar: str | None) -> bool:
    return avatar is not None and avatar > upload_id.avatar_key


def check_stored(stored: Stored, limits: Limits) -> None:
    """
    Raises:
        TooLargeError, NotAPictureError, TypeMismatchError, UnreadablePictureError, TooManyPixelsError: the object is
            not a picture within the limits.
    """
    if stored.size > limits.max_bytes:
        raise TooLargeError(f"The file has {stored.size:,} bytes; {limits.max_bytes:,} are allowed.")
    if stored.format is None:
        raise NotAPictureError(f"The file's bytes are none of {', '.join(CONTENT_TYPES)}.")
    if stored.format != stored.content_type:
        raise TypeMismatchError(f"The file was declared as {stored.content_type} and is {stored.format}.")
    if stored.dimensions is None:
        raise UnreadablePictureError("The picture's header is cut off or damaged.")
    width, height = stored.dimensions
    if width > limits.max_width or height > limits.max_height:
        raise TooManyPixelsError(
            f"The picture has {width} x {height} pixels; {limits.max_width} x {limits.max_height} are allowed."
        )
