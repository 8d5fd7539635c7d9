"""Cursors: where the next page begins, spelled so that nobody takes it for anything but opaque."""

from __future__ import annotations

import base64
import binascii

LONGEST_KEY_BYTES = 1024
"""Of S3 (AWS: "Naming Amazon S3 objects"), and more than a username has; AWS refuses longer ones as a wrong call."""


class InvalidCursorError(Exception):
    pass


def encode_cursor(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, longest: int = LONGEST_KEY_BYTES) -> str:
    """What it holds, of at most `longest` bytes.

    Raises:
        InvalidCursorError: this was never a cursor.
    """
    try:
        last = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidCursorError("That is not a cursor of this list.") from error
    if not last or len(last.encode()) > longest:
        raise InvalidCursorError("That is not a cursor of this list.")
    return last
