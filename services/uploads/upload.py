"""The rules of an upload: what may be asked for, and what becomes of it when it is confirmed. Decides; does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.keys import CONTENT_TYPES, USERNAME_FIELD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.keys import UploadId
    from services.uploads.pending import Copy, Strategy


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


class OtherStrategyError(RefusedError):
    """The upload was begun under another strategy than the one that is on now."""


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
class PictureLimits:
    max_bytes: int
    max_width: int
    max_height: int


@dataclass(frozen=True, slots=True)
class Limits(PictureLimits):
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
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    now: float
    avatar: str | None
    """What the user's row points at."""
    stored: Stored | None
    """The object at the key where it awaits the confirm, if it is the caller's."""


@dataclass(frozen=True, slots=True)
class AlreadyConfirmed:
    """A repeat: the row points at this upload, and nothing endangers it."""


@dataclass(frozen=True, slots=True)
class Promote:
    """The object is verified: it may become permanent by this copy, and then the row may point at it."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class Restore:
    """The avatar was posted again and so is marked as pending; the bytes are verified, and this copy heals it."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class Replace:
    """The avatar was posted again with bytes that are no picture, for this reason: a blank one takes their place."""

    key: str
    stored: Stored
    reason: RefusedError


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


def decide(
    upload_id: UploadId, facts: Facts, limits: Limits, strategy: Strategy
) -> AlreadyConfirmed | Promote | Restore | Replace:
    """What a confirm amounts to. `facts` hold the object only if it is the caller's, so that nobody learns anything
    of keys that are not theirs: the answers follow from the caller's own row, own object and the clock.

    Raises:
        RefusedError: by its subclass, why not.
    """
    stored = facts.stored
    if facts.avatar == upload_id.avatar_key:
        return _decide_repeat(upload_id, stored, limits, strategy)
    if is_superseded(upload_id, facts.avatar):
        raise SupersededError("A later upload is the avatar already.")
    if facts.now > upload_id.created + limits.confirm_seconds:
        raise ExpiredError("The upload was not confirmed in time. Upload the picture again.")
    if stored is None:
        raise UnknownUploadError("There is no upload of that key.")
    check_stored(stored, limits)
    return Promote(strategy.promotion(upload_id, stored))


def _decide_repeat(
    upload_id: UploadId, stored: Stored | None, limits: Limits, strategy: Strategy
) -> AlreadyConfirmed | Restore | Replace:
    if stored is None:
        if strategy.with_token:
            raise UnknownUploadError("There is no upload of that key.")
        return AlreadyConfirmed()
    if not strategy.is_marked(upload_id, stored):
        return AlreadyConfirmed()
    return decide_healing(upload_id, stored, limits, strategy)


def decide_healing(upload_id: UploadId, stored: Stored, limits: PictureLimits, strategy: Strategy) -> Restore | Replace:
    """For a live avatar that is marked as pending. Its bytes may be others than those that were confirmed."""
    try:
        check_stored(stored, limits)
    except RefusedError as reason:
        return Replace(upload_id.avatar_key, stored, reason)
    return Restore(strategy.promotion(upload_id, stored))


def own(stored: Stored | None, username: str, token: str | None, strategy: Strategy) -> Stored | None:
    """The object if this user may confirm it with this token; else as if there were none."""
    if stored is None or stored.metadata.get(USERNAME_FIELD) != username or not strategy.is_proved_by(stored, token):
        return None
    return stored


def is_superseded(upload_id: UploadId, avatar: str | None) -> bool:
    return avatar is not None and avatar > upload_id.avatar_key


def check_stored(stored: Stored, limits: PictureLimits) -> None:
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
