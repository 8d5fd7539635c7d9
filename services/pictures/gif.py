"""GIF (CompuServe, "Graphics Interchange Format", version 89a)."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.pictures.steps import Steps

MAGICS = (b"GIF87a", b"GIF89a")

SCREEN = struct.Struct("<6xHHB2x")
"""The header (left out) and the logical screen descriptor: width, height and flags (section 18)."""
FRAME = struct.Struct("<HHHHB")
"""The image descriptor after its introducer: left, top, width, height and flags (section 20)."""

EXTENSION, IMAGE = b"!", b","

LARGE_BLOCKS = re.compile(rb"(?:\xff.{255}|\xfe.{254})++", re.DOTALL)
"""Data sub-blocks (section 15) of the sizes with which encoders fill all but the last of a frame."""


def matches(head: bytes) -> bool:
    return head.startswith(MAGICS)


def measure(content: bytes, steps: Steps) -> tuple[int, int] | None:
    """The logical screen, enlarged to every frame.

    Chromium and Firefox enlarge it to the first frame and cut off the others; Pillow enlarges it to each. The screen
    may be empty. If neither an extension nor a frame follows, browsers show the frames that they have read so far.
    """
    if len(content) < SCREEN.size:
        return None
    width, height, flags = SCREEN.unpack_from(content)
    at = SCREEN.size + _count_colour_bytes(flags)
    found = False
    while (introducer := content[at : at + 1]) in {EXTENSION, IMAGE}:
        steps.take()
        at += 1
        if introducer == EXTENSION:
            at = _skip_blocks(content, at + 1, steps)
        elif len(content) < at + FRAME.size:
            break
        else:
            left, top, frame_width, frame_height, flags = FRAME.unpack_from(content, at)
            width, height, found = max(width, left + frame_width), max(height, top + frame_height), True
            # One byte, the LZW minimum code size, precedes the blocks.
            at = _skip_blocks(content, at + FRAME.size + _count_colour_bytes(flags) + 1, steps)
    return (width, height) if found else None


def _count_colour_bytes(flags: int) -> int:
    """The size of the colour table that follows (sections 19 and 21)."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skip_blocks(content: bytes, at: int, steps: Steps) -> int:
    """Where a sequence of data sub-blocks ends. Each begins with its length; an empty one is the last (section 16)."""
    while at < len(content):
        steps.take()
        if large := LARGE_BLOCKS.match(content, at):
            at = large.end()
        elif length := content[at]:
            at += 1 + length
        else:
            return at + 1
    return at
