"""Cursors: opaque texts that say where the next page of a list starts."""

from __future__ import annotations

import base64
import binascii

MAX_KEY_BYTES = 1024
"""Maximum size of an object's key (AWS: "Naming Amazon S3 objects"); usernames are shorter. AWS rejects longer keys."""


class InvalidCursorError(Exception):
    """The cursor is not one that the service issued for this list."""

    def __init__(self, detail: str = "The cursor is not valid for this list.") -> None:
        super().__init__(detail)


def encode_cursor(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, max_bytes: int = MAX_KEY_BYTES) -> str:
    """The text in the cursor.

    Raises:
        InvalidCursorError: the text is empty, longer than `max_bytes`, or not encoded by `encode_cursor`.
    """
    try:
        last = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidCursorError from error
    if not last or len(last.encode()) > max_bytes:
        raise InvalidCursorError
    return last
