"""What a picture's first bytes say: its format and its dimensions, without decoding a pixel.

The dimensions must be those that browsers show, whatever else a file says of itself. Where a format lets them be said
more than once or be hidden, it is read here, strictly, or the largest counts; the rest is imagesize's.
"""

from __future__ import annotations

import io
import struct

import imagesize

HEAD_BYTES = 65_536
"""Enough for nearly every header; a JPEG may carry more than this before its dimensions, in EXIF, XMP or ICC."""
MOST_BYTES = 5_000_000
"""Of a header that is longer than that: what is read of it at most."""
MOST_SEGMENTS = 20_000
"""Of a JPEG before its dimensions, of blocks of a GIF before its first frame, or of chunks of a PNG before its pixels;
real files have a few hundred."""

GIF_SCREEN_BYTES = 13
PNG_SIGNATURE_BYTES = 8
# Start-of-frame markers (ITU-T T.81, table B.1), and those that can stand before one without being a segment of it.
SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
NO_SEGMENT_MARKERS = frozenset(range(0xC0)) | frozenset(range(0xD0, 0xDB)) | {0xFF}


def identify(head: bytes) -> str | None:
    """The content type by magic number (WHATWG MIME Sniffing, section 6.1), or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"RIFF") and head[8:14] == b"WEBPVP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return None


def measure(head: bytes) -> tuple[int, int] | None:
    """Width and height as stored, in pixels. None where these bytes don't hold a whole, sane header."""
    content_type = identify(head)
    if content_type == "image/jpeg":
        extent = _measure_jpeg(head)
    elif content_type == "image/png":
        extent = _measure_png(head)
    else:
        # imagesize's contract: (-1, -1) for whatever it can't read, and it never raises.
        extent = imagesize.get(io.BytesIO(head), exif_rotation=False)
    if extent is None or min(extent) <= 0:
        return None
    if content_type == "image/gif":
        return _enlarge_to_first_frame(head, *extent)
    return extent


def _measure_jpeg(head: bytes) -> tuple[int, int] | None:
    """The first frame header of a plain chain of segments (ITU-T T.81, annex B).

    Decoders differ in what they make of anything else between segments, and so nothing else is taken.
    """
    at = 2
    for _ in range(MOST_SEGMENTS):
        while head[at : at + 2] == b"\xff\xff":
            at += 1
        if len(head) < at + 9 or head[at] != 0xFF:  # noqa: PLR2004 - which begins each marker
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


def _measure_png(head: bytes) -> tuple[int, int] | None:
    """The header of a file that has exactly one before its pixels, and has it first (PNG specification, section 5.6).

    Of two, some decoders take the second (seen in Pillow), and browsers take neither.
    """
    extent: tuple[int, int] | None = None
    at = PNG_SIGNATURE_BYTES
    for _ in range(MOST_SEGMENTS):
        if len(head) < at + 16:
            return None
        length, kind = struct.unpack_from(">I4s", head, at)
        if (kind == b"IHDR") is not (extent is None):
            return None
        if kind == b"IDAT":
            return extent
        if kind == b"IHDR":
            extent = struct.unpack_from(">II", head, at + 8)
        at += 12 + length
    return None


def _enlarge_to_first_frame(gif: bytes, width: int, height: int) -> tuple[int, int] | None:
    """Browsers enlarge a GIF's logical screen to its first frame, which says where it lies and how large it is.

    GIF89a specification, sections 18 to 25: after the screen's descriptor and its colour table come extensions, each a
    row of blocks that say how long they are and end with an empty one, and then the first image descriptor.
    """
    flags = gif[10] if len(gif) > GIF_SCREEN_BYTES else 0
    at = GIF_SCREEN_BYTES + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    in_extension = False
    for _ in range(MOST_SEGMENTS):
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
