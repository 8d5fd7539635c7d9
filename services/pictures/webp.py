"""WebP (RFC 9649), with the headers of VP8 (RFC 6386) and VP8L (RFC 9649, section 3.4)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.pictures.steps import Steps

RIFF = struct.Struct("<4xI4x")
CHUNK = struct.Struct("<4sI")
CANVAS, FRAME, LOSSY, LOSSLESS = b"VP8X", b"ANMF", b"VP8 ", b"VP8L"
PICTURES = (LOSSY, LOSSLESS)

CANVAS_LENGTH = 10
FRAME_HEADER_LENGTH = 16
ANIMATION_FLAG = 0x02
VARIANT_BITS, SHOWN_KEY_FRAME = 0b11001, 0b10000
"""The bits that decide whether a frame is a key frame (0), has a version above 3, and is shown (1)."""
LOSSY_HEADER = struct.Struct("<BxxxxxHH")
LOSSLESS_HEADER = struct.Struct("<BI")


def matches(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:14] == b"WEBPVP"


def measure(content: bytes, steps: Steps) -> tuple[int, int] | None:
    """The dimensions in the first chunk, which is the picture or states the canvas of what follows.

    Chromium, Firefox and Pillow decode with libwebp, which refuses a frame beyond the canvas, and a still picture whose
    size is not that of its canvas. It ignores a further picture; the reader refuses one that is larger than the first.
    Chromium draws nothing of a file that is cut off or has something else than whole chunks.
    """
    canvas: tuple[int, int] | None = None
    shown = PICTURES
    found = False
    for chunk in _read_chunks(content, steps):
        if chunk is None:
            return None
        kind, header = chunk
        read = EXTENTS.get(kind)
        extent = read(header) if read else canvas
        if extent is None:
            return None
        if canvas is None:
            canvas = extent
            shown = (FRAME,) if kind == CANVAS and header[0] & ANIMATION_FLAG else PICTURES
        if extent[0] > canvas[0] or extent[1] > canvas[1]:
            return None
        if read and kind != CANVAS and not found:
            if kind not in shown or (kind in PICTURES and extent != canvas):
                return None
            found = True
    return canvas if found else None


def _read_chunks(content: bytes, steps: Steps) -> Iterator[tuple[bytes, bytes] | None]:
    """Type and first bytes of each chunk (RFC 9649, section 2.3), and None for anything else within the file's size.

    The chunks in an animation's frame are read as if they followed it. libwebp does the same (`ParseAnimationFrame`).
    """
    if len(content) < RIFF.size:
        return
    (size,) = RIFF.unpack_from(content)
    end = CHUNK.size + size
    at = RIFF.size
    while at + CHUNK.size <= end <= len(content):
        steps.take()
        kind, length = CHUNK.unpack_from(content, at)
        start = at + CHUNK.size
        next_at = start + length + length % 2
        if next_at > end:
            break
        header_end = start + min(length, FRAME_HEADER_LENGTH)
        yield kind, content[start:header_end]
        at = header_end if kind == FRAME else next_at
    if at != end:
        yield None


def _read_canvas(header: bytes) -> tuple[int, int] | None:
    """The dimensions in VP8X (RFC 9649, section 2.7)."""
    if len(header) != CANVAS_LENGTH:
        return None
    bits = int.from_bytes(header[4:], "little")
    return 1 + (bits & 0xFFFFFF), 1 + (bits >> 24)


def _read_frame(header: bytes) -> tuple[int, int] | None:
    """The right and lower edge of a frame, from ANMF (RFC 9649, section 2.7.1.1)."""
    if len(header) < FRAME_HEADER_LENGTH:
        return None
    bits = int.from_bytes(header[:12], "little")
    left, top, width, height = bits & 0xFFFFFF, bits >> 24 & 0xFFFFFF, bits >> 48 & 0xFFFFFF, bits >> 72
    return 2 * left + 1 + width, 2 * top + 1 + height


def _read_lossy(header: bytes) -> tuple[int, int] | None:
    """The dimensions of 14 bits in the header of VP8 (RFC 6386, section 9.1). The two bits above each are a scale that
    decoders ignore.
    """
    if len(header) < LOSSY_HEADER.size or header[3:6] != b"\x9d\x01\x2a":
        return None
    tag, width, height = LOSSY_HEADER.unpack_from(header)
    return (width & 0x3FFF, height & 0x3FFF) if tag & VARIANT_BITS == SHOWN_KEY_FRAME else None


def _read_lossless(header: bytes) -> tuple[int, int] | None:
    """The dimensions of 14 bits in the header of VP8L, and its version, which is 0 (RFC 9649, section 3.4)."""
    if len(header) < LOSSLESS_HEADER.size:
        return None
    signature, bits = LOSSLESS_HEADER.unpack_from(header)
    if signature != 0x2F or bits >> 29:  # noqa: PLR2004 - the specification writes both numbers
        return None
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


EXTENTS = {CANVAS: _read_canvas, FRAME: _read_frame, LOSSY: _read_lossy, LOSSLESS: _read_lossless}
