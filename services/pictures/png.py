"""PNG (W3C, "Portable Network Graphics (PNG) Specification", third edition)."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.pictures.steps import Steps

MAGIC = b"\x89PNG\r\n\x1a\n"

HEADER = struct.Struct(">I4sIIBBBBBI")
"""The chunk IHDR: length, type, width, height, bit depth, colour type, three methods, and checksum."""
HEADER_LENGTH = 13
CHUNK = struct.Struct(">I4s")
FRAME = struct.Struct(">4xIIII")
"""The first fields of the chunk fcTL: sequence number (left out), width, height, and offsets (section 11.3.5.2)."""
FRAME_LENGTH = 26

BIT_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""The allowed bit depths of each colour type (section 11.2.1)."""
PALETTE = 3
CRITICAL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})


def matches(head: bytes) -> bool:
    return head.startswith(MAGIC)


def measure(content: bytes, steps: Steps) -> tuple[int, int] | None:
    """The dimensions in the header of a file whose chunks are in order and whose frames lie within the picture.

    Browsers show a file that is cut off after its first pixels, and ignore what follows its end.
    """
    if (header := _read_header(content)) is None:
        return None
    width, height, colour_type = header
    seen: set[bytes] = set()
    at = len(MAGIC) + HEADER.size
    while at + CHUNK.size <= len(content):
        steps.take()
        length, kind = CHUNK.unpack_from(content, at)
        at += CHUNK.size
        if kind == b"IEND":
            break
        if _is_out_of_order(kind, seen, colour_type):
            return None
        if kind == b"fcTL" and len(content) >= at + FRAME.size:
            frame = FRAME.unpack_from(content, at)
            if length != FRAME_LENGTH or not _fits(frame, width, height, first=b"IDAT" not in seen):
                return None
        seen.add(kind)
        at += length + 4
    return (width, height) if b"IDAT" in seen else None


def _read_header(content: bytes) -> tuple[int, int, int] | None:
    """Width, height and colour type (section 11.2.1). Browsers refuse any other header, and a wrong checksum."""
    if len(content) < len(MAGIC) + HEADER.size:
        return None
    length, kind, width, height, depth, colour_type, compression, filtering, interlacing, checksum = HEADER.unpack_from(
        content, len(MAGIC)
    )
    valid = (
        (length, kind, compression, filtering) == (HEADER_LENGTH, b"IHDR", 0, 0)
        and interlacing in {0, 1}
        and depth in BIT_DEPTHS.get(colour_type, ())
        and checksum == zlib.crc32(content[len(MAGIC) + 4 : len(MAGIC) + HEADER.size - 4])
    )
    return (width, height, colour_type) if valid else None


def _is_out_of_order(kind: bytes, seen: set[bytes], colour_type: int) -> bool:
    """Whether a chunk may not follow the chunks seen so far (section 5.6, "Chunk ordering").

    Browsers ignore most misplaced chunks, so only these are refused:

    - a second IHDR, which hides a second size: some decoders use it (Pillow, if it comes before the pixels);
    - tRNS after the first pixels of an animation: Chromium's decoder panics if the colour type is 0 or 2, and the tab
      crashes (docs/upstream.md);
    - before the pixels, what Chromium refuses or shows empty: a frame's data, an unknown critical chunk (section 5.4),
      and no palette for the pixels.
    """
    if kind == b"IHDR":
        return True
    if b"IDAT" in seen:
        return kind == b"tRNS" and b"acTL" in seen
    is_critical = not kind[0] & 0x20
    return (
        kind == b"fdAT"
        or (kind == b"IDAT" and colour_type == PALETTE and b"PLTE" not in seen)
        or (is_critical and kind not in CRITICAL_CHUNKS)
    )


def _fits(frame: tuple[int, int, int, int], width: int, height: int, *, first: bool) -> bool:
    """Whether a frame of an animation lies within the picture (section 11.3.5.2): a larger one would be a second size.
    If the pixels of IDAT are the first frame, it has the dimensions of the picture.
    """
    frame_width, frame_height, left, top = frame
    if first:
        return frame == (width, height, 0, 0)
    return left + frame_width <= width and top + frame_height <= height
