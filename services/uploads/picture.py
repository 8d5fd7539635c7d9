"""What a picture's first bytes say: its format and its dimensions, without decoding a pixel."""

from __future__ import annotations

import io

import imagesize

HEAD_BYTES = 65_536
"""Enough for nearly every header; a JPEG may carry more than this before its dimensions, in EXIF, XMP or ICC."""


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
    if head[4:8] == b"ftyp" and not _brands(head).isdisjoint({b"avif", b"avis"}):
        return "image/avif"
    return None


def measure(head: bytes) -> tuple[int, int] | None:
    """Width and height as stored, in pixels. None where these bytes don't hold a whole, sane header."""
    # imagesize's contract: (-1, -1) for whatever it can't read, and it never raises.
    width, height = imagesize.get(io.BytesIO(head), exif_rotation=False)
    return (width, height) if width > 0 and height > 0 else None


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, section 4.3)."""
    end = min(int.from_bytes(head[:4]), len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, end, 4)}
