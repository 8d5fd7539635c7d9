"""GIF (CompuServe, "Graphics Interchange Format", version 89a)."""

from __future__ import annotations

import io
import struct

import imagesize

MAGICS = (b"GIF87a", b"GIF89a")

MAX_BLOCKS = 20_000
"""Maximum number of blocks before the first frame. Real files have a few hundred at most."""

SCREEN_BYTES = 13
"""The header and the logical screen descriptor."""


def matches(head: bytes) -> bool:
    return head.startswith(MAGICS)


def measure(head: bytes) -> tuple[int, int] | None:
    # imagesize returns (-1, -1) for what it can't read, and never raises.
    width, height = imagesize.get(io.BytesIO(head), exif_rotation=False)
    return _enlarge_to_first_frame(head, width, height) if min(width, height) > 0 else None


def _enlarge_to_first_frame(gif: bytes, width: int, height: int) -> tuple[int, int] | None:
    """Browsers enlarge a GIF's logical screen to its first frame, which states its own position and size.

    GIF89a specification, sections 18 to 25: extensions follow the screen's descriptor and its colour table; the first
    image descriptor follows them. An extension is a sequence of blocks, each with its length; an empty block ends it.
    """
    flags = gif[10] if len(gif) > SCREEN_BYTES else 0
    at = SCREEN_BYTES + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    in_extension = False
    for _ in range(MAX_BLOCKS):
        if len(gif) < at + 9:
            return None
        if in_extension:
            in_extension = gif[at] != 0
            at += 1 + gif[at]
        elif gif[at : at + 1] == b"!":
            in_extension = True
            at += 2
        elif gif[at : at + 1] == b",":
            left, top, frame_width, frame_height = struct.unpack_from("<HHHH", gif, at + 1)
            return max(width, left + frame_width), max(height, top + frame_height)
        else:
            return None
    return None
