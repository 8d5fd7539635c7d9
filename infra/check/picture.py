"""Makes small pictures in memory."""

from __future__ import annotations

import secrets
import struct
import zlib

CONTENT_TYPE = "image/png"
SIDE = 16
"""Width and height, pixels."""


def make_picture() -> bytes:
    """A PNG of random pixels (W3C: "Portable Network Graphics", section 5). Each is another one of the same size."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + secrets.token_bytes(3 * SIDE) for _ in range(SIDE))
    # Level 0 stores the bytes as they are, so that every picture has the same size.
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 0)) + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
