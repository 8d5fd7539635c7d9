"""What a picture's first bytes say: its format and its dimensions, without decoding a pixel."""

from __future__ import annotations

import io
import struct

import imagesize

HEAD_BYTES = 65_536
"""Enough for nearly every header; a JPEG may carry more than this before its dimensions, in EXIF, XMP or ICC."""


GIF_SCREEN_BYTES = 13

AVIF_SEQUENCE = b"avis"
"""The major brand of a moving AVIF. Browsers show its track, whose dimensions its header does not tell: not taken."""


def identify(head: bytes) -> str | None:
    """The content type by magic number (WHATWG MIME Sniffing, section 6.1; AVIF v1.1, section 6), or None."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"RIFF") and head[8:14] == b"WEBPVP":
        return "image/webp"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[4:8] == b"ftyp" and head[8:12] != AVIF_SEQUENCE and b"avif" in _brands(head):
        return "image/avif"
    return None


def measure(head: bytes) -> tuple[int, int] | None:
    """Width and height as stored, in pixels. None where these bytes don't hold a whole, sane header."""
    # imagesize's contract: (-1, -1) for whatever it can't read, and it never raises.
    width, height = imagesize.get(io.BytesIO(head), exif_rotation=False)
    if width <= 0 or height <= 0:
        return None
    return _enlarge_to_first_frame(head, width, height) if head.startswith(b"GIF") else (width, height)


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, section 4.3)."""
    end = min(int.from_bytes(head[:4]), len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, end, 4)}


def _enlarge_to_first_frame(gif: bytes, width: int, height: int) -> tuple[int, int] | None:
    """Browsers enlarge a GIF's logical screen to its first frame, which says where it lies and how large it is.

    GIF89a specification, sections 18 to 25: after the screen's descriptor and its colour table come extensions, each a
    row of blocks that say how long they are, and then the first image descriptor.
    """
    flags = gif[10] if len(gif) > GIF_SCREEN_BYTES else 0
    at = GIF_SCREEN_BYTES + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    while gif[at : at + 1] == b"!":
        at += 2
        while at < len(gif) and gif[at]:
            at += 1 + gif[at]
        at += 1
    if gif[at : at + 1] != b"," or len(gif) < at + 9:
        return None
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", gif, at + 1)
    return max(width, left + frame_width), max(height, top + frame_height)
