"""Whether a file may be of a kind: its type and size as declared, and its content as stored. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from services.pictures.formats import CONTENT_TYPES
from services.store.keys import DIGEST_FIELD
from services.store.kinds import AVATAR, KINDS
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
    from collections.abc import Mapping

    from services.store.kinds import Kind, PictureLimits
    from services.uploads.objects import Declared, Stored


NOT_A_PICTURE = f"The file's bytes are none of {', '.join(CONTENT_TYPES)}."
DIGEST_MISMATCH = "The stored file is not the declared one: its SHA-256 differs. Upload the picture again."
UNREADABLE = "The picture is cut off or damaged, or has a structure that browsers do not show."
TYPE_MISMATCH = "The file was declared as {declared} and is {found}."


def limit_kinds(max_bytes: int, max_width: int, max_height: int) -> Mapping[str, PictureLimits]:
    """The limits by kind: those of the avatar are set by the operator, and each other kind has those of its entry."""
    avatar = replace(AVATAR.limits, max_bytes=max_bytes, max_width=max_width, max_height=max_height)
    return {name: kind.limits for name, kind in KINDS.items()} | {AVATAR.name: avatar}


def check_declared(declared: Declared, kind: Kind, limits: PictureLimits) -> None:
    """
    Raises:
        TypeNotAllowedError, EmptyFileError, TooLargeError: no form is issued for such a file.
    """
    _check_type(declared.content_type, kind, limits)
    if declared.size < 1:
        raise EmptyFileError("The file is empty.")
    _check_size(declared.size, limits)


def verify_picture(stored: Stored, kind: Kind, limits: PictureLimits) -> None:
    """
    Raises:
        TooLargeError, DigestMismatchError, NotAPictureError, TypeMismatchError, TypeNotAllowedError,
            UnreadablePictureError, TooManyPixelsError: the object is not the declared picture, or is not within the
            limits.
    """
    _check_size(stored.size, limits)
    if stored.sha256 is None or stored.sha256 != stored.metadata.get(DIGEST_FIELD):
        raise DigestMismatchError(DIGEST_MISMATCH)
    if stored.format is None:
        raise NotAPictureError(NOT_A_PICTURE)
    if stored.format != stored.content_type:
        raise TypeMismatchError(TYPE_MISMATCH.format(declared=stored.content_type, found=stored.format))
    _check_type(stored.format, kind, limits)
    if stored.dimensions is None:
        raise UnreadablePictureError(UNREADABLE)
    width, height = stored.dimensions
    if width > limits.max_width or height > limits.max_height:
        raise TooManyPixelsError(
            f"The picture has {width} x {height} pixels; {limits.max_width} x {limits.max_height} are allowed."
        )


def describe_types(kind: Kind, limits: PictureLimits) -> str:
    return f"The {kind.name} must be one of {', '.join(limits.content_types)}."


def _check_type(content_type: str, kind: Kind, limits: PictureLimits) -> None:
    if content_type not in limits.content_types:
        raise TypeNotAllowedError(describe_types(kind, limits))


def _check_size(size: int, limits: PictureLimits) -> None:
    if size > limits.max_bytes:
        raise TooLargeError(f"The file has {size:,} bytes; {limits.max_bytes:,} are allowed.")
