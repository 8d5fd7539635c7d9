"""PNG (W3C, "Portable Network Graphics (PNG) Specification")."""

from __future__ import annotations

import struct

MAGIC = b"\x89PNG\r\n\x1a\n"

MAX_CHUNKS = 20_000
"""Maximum number of chunks before the pixels. Real files have a few hundred at most."""


def matches(head: bytes) -> bool:
    return head.startswith(MAGIC)


def measure(head: bytes) -> tuple[int, int] | None:
    """The header of a file that has exactly one before its pixels, and has it first (PNG specification, section 5.6).

    If there are two, some decoders use the second (seen in Pillow), and browsers refuse the file.
    """
    extent: tuple[int, int] | None = None
    at = len(MAGIC)
    for _ in range(MAX_CHUNKS):
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
