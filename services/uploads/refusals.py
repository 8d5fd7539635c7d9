"""The reasons why an upload can't become the avatar. `problems` translates them to HTTP."""

from __future__ import annotations


class RefusedError(Exception):
    """The upload can't become the avatar. Nothing has changed."""


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
    """The user's avatar is a later upload, and `Avatar` never moves back."""


class NotAPictureError(RefusedError):
    pass


class TypeMismatchError(RefusedError):
    pass


class UnreadablePictureError(RefusedError):
    pass


class TooManyPixelsError(RefusedError):
    pass
