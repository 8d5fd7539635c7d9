"""Whether a file may become an avatar: its type and size as declared, and its content as stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.pictures.formats import CONTENT_TYPES
from services.store.keys import DIGEST_FIELD
from services.uploads.refusals import (
    DigestMismatchError,
    EmptyFileError,
    NotAPictureError,
    TooLargeError,
    TooManyPixelsError,
    TypeMismatchError,
    TypeNotAllowedError,
    UnreadablePictureError,
)

if TYPE_CHECKING:
    from services.uploads.objects import Declared, Stored


TYPE_NOT_ALLOWED = f"An avatar is one of {', '.join(CONTENT_TYPES)}."
NOT_A_PICTURE = f"The file's bytes are none of {', '.join(CONTENT_TYPES)}."
DIGEST_MISMATCH = "The stored file is not the declared one: its SHA-256 differs. Upload the picture again."
UNREADABLE = "The picture is cut off or damaged, or has a structure that browsers do not show."
TYPE_MISMATCH = "The file was declared as {declared} and is {found}."


@dataclass(frozen=True, slots=True)
class PictureLimits:
    max_bytes: int
    max_width: int
    """Pixels."""
    max_height: int
    """Pixels."""


def check_declared(declared: Declared, limits: PictureLimits) -> None:
    """
    Raises:
        TypeNotAllowedError, EmptyFileError, TooLargeError: no form is issued for such a file.
    """
    if declared.content_type not in CONTENT_TYPES:
        raise TypeNotAllowedError(TYPE_NOT_ALLOWED)
    if declared.size < 1:
        raise EmptyFileError("The file is empty.")
    _check_size(declared.size, limits)


def verify_picture(stored: Stored, limits: PictureLimits) -> None:
    """
    Raises:
        TooLargeError, DigestMismatchError, NotAPictureError, TypeMismatchError, UnreadablePictureError,
            TooManyPixelsError: the object is not the declared picture, or is not within the limits.
    """
    _check_size(stored.size, limits)
    if stored.sha256 is None or stored.sha256 != stored.metadata.get(DIGEST_FIELD):
        raise DigestMismatchError(DIGEST_MISMATCH)
    if stored.format is None:
        raise NotAPictureError(NOT_A_PICTURE)
    if stored.format != stored.content_type:
        raise TypeMismatchError(TYPE_MISMATCH.format(declared=stored.content_type, found=stored.format))
    if stored.dimensions is None:
        raise UnreadablePictureError(UNREADABLE)
    width, height = stored.dimensions
    if width > limits.max_width or height > limits.max_height:
        raise TooManyPixelsError(
            f"The picture has {width} x {height} pixels; {limits.max_width} x {limits.max_height} are allowed."
        )


def _check_size(size: int, limits: PictureLimits) -> None:
    if size > limits.max_bytes:
        raise TooLargeError(f"The file has {size:,} bytes; {limits.max_bytes:,} are allowed.")
