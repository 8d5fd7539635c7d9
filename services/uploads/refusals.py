"""The reasons why an upload can't be confirmed. `problems` translates them to HTTP."""

from __future__ import annotations


class RefusedError(Exception):
    """The upload can't be confirmed. Nothing has changed."""


class KeepsChangingError(Exception):
    """Other requests of the same user changed the object or the row in every try."""


class TypeNotAllowedError(RefusedError):
    pass


class EmptyFileError(RefusedError):
    pass


class TooLargeError(RefusedError):
    pass


class UnknownUploadError(RefusedError):
    """The upload was never presigned, never posted, or is another user's. The caller can't tell which."""


class OtherStrategyError(RefusedError):
    """The upload was presigned under the other pending strategy."""


class ExpiredError(RefusedError):
    pass


class SupersededError(RefusedError):
    """The row refers to a later upload of this kind, and never moves back."""


class RemovedError(RefusedError):
    """The user removed their picture of this kind after this upload was presigned."""


class DigestMismatchError(RefusedError):
    """The stored bytes are not those whose SHA-256 was declared."""


class NotAPictureError(RefusedError):
    pass


class TypeMismatchError(RefusedError):
    pass


class UnreadablePictureError(RefusedError):
    pass


class TooManyPixelsError(RefusedError):
    pass
