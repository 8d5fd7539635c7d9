"""JPEG (ITU-T T.81)."""

from __future__ import annotations

import struct

MAGIC = b"\xff\xd8\xff"

MAX_SEGMENTS = 20_000
"""Maximum number of segments before the dimensions. Real files have a few hundred at most."""

# Start-of-frame markers (ITU-T T.81, table B.1), and those that can stand before one without being a segment.
SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
NO_SEGMENT_MARKERS = frozenset(range(0xC0)) | frozenset(range(0xD0, 0xDB)) | {0xFF}


def matches(head: bytes) -> bool:
    return head.startswith(MAGIC)


def measure(head: bytes) -> tuple[int, int] | None:
    """The first frame header of a plain chain of segments (ITU-T T.81, annex B).

    Decoders treat any other data between segments in different ways, so a file with such data has no dimensions.
    """
    at = 2
    for _ in range(MAX_SEGMENTS):
        while head[at : at + 2] == b"\xff\xff":
            at += 1
        if len(head) < at + 9 or head[at] != 0xFF:  # noqa: PLR2004 - the first byte of each marker
            return None
        marker = head[at + 1]
        if marker in SOF_MARKERS:
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        length = int.from_bytes(head[at + 2 : at + 4])
        if marker in NO_SEGMENT_MARKERS or length < 2:  # noqa: PLR2004 - the length counts itself
            return None
        at += 2 + length
    return None
