"""WebP (RFC 9649)."""

from __future__ import annotations

import io

import imagesize


def matches(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:14] == b"WEBPVP"


def measure(head: bytes) -> tuple[int, int] | None:
    # imagesize returns (-1, -1) for what it can't read, and never raises.
    return imagesize.get(io.BytesIO(head), exif_rotation=False)
