"""JPEG (ITU-T T.81), as libjpeg reads it.

Chromium, Firefox and Pillow decode with libjpeg-turbo. Where the specification forbids a file, the reader does what
`jdmarker.c` of libjpeg-turbo does, as Chromium has it.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.pictures.steps import Steps

MAGIC = b"\xff\xd8\xff"

# Markers (ITU-T T.81, table B.1), without their first byte, FF.
NO_SEGMENT_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xD8)})
"""FF 00, TEM and the restart markers: no segment follows them."""
FRAME_MARKERS = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Frame headers of the processes that a browser decodes: baseline, sequential and progressive, with Huffman or
arithmetic coding. No browser shows a lossless, hierarchical or differential one.
"""
SCAN_MARKER = 0xDA
HUFFMAN_MARKER, QUANTIZATION_MARKER = 0xC4, 0xDB
TABLE_MARKERS = frozenset({HUFFMAN_MARKER, 0xCC, QUANTIZATION_MARKER, 0xDC, 0xDD})
"""Segments with Huffman tables, arithmetic conditioning, quantization tables, number of lines, restart interval."""
METADATA_MARKERS = frozenset({*range(0xE0, 0xF0), 0xFE})
"""Application segments, and the comment."""
SEGMENT_MARKERS = FRAME_MARKERS | TABLE_MARKERS | METADATA_MARKERS | {SCAN_MARKER}

FILL = re.compile(rb"\xff++")
"""Any number of bytes FF can stand before a marker (section B.1.1.2)."""

LENGTH = struct.Struct(">H")
"""The length of a segment, which counts itself."""
FRAME = struct.Struct(">HBHHB")
"""Length, sample precision, height, width, and number of components (section B.2.2)."""
PRECISION = 8
"""Bits of a sample. No browser shows 12."""
COMPONENTS = (1, 3, 4)
MAX_COMPONENTS_OF_A_SCAN = 4
TABLES = 4
"""Numbers of tables of each kind (sections B.2.4.1 and B.2.4.2)."""
CODE_LENGTHS, MAX_CODES = 16, 256
"""Of a Huffman table (section B.2.4.2): the lengths that its codes can have, and the number of codes."""
SAMPLING_FACTORS = frozenset(horizontal << 4 | vertical for horizontal in range(1, 5) for vertical in range(1, 5))


def matches(head: bytes) -> bool:
    return head.startswith(MAGIC)


def measure(content: bytes, steps: Steps) -> tuple[int, int] | None:
    """The dimensions in the one frame header before the first scan.

    libjpeg skips bytes between segments until the next FF, and FF 00 (`next_marker`). If the length of a metadata
    segment is less than 2, libjpeg continues right after it (`skip_variable`). A second frame header is an error
    (`get_sof`), and so is a marker that is in none of the sets above (`read_markers`; Firefox skips some of them). The
    dimensions can't change after the first scan has begun: libjpeg refuses a height of 0, ignores a later number of
    lines (DNL), and refuses a frame header between scans. Thumbnails don't count: they are part of an application
    segment, or follow the end of the picture.
    """
    dimensions: tuple[int, int] | None = None
    frame = b""
    at = 2
    while marker := _find_marker(content, at):
        steps.take()
        code, at = marker
        if code in NO_SEGMENT_MARKERS:
            continue
        if code not in SEGMENT_MARKERS or len(content) < at + 2:
            return None
        (length,) = LENGTH.unpack_from(content, at)
        if length < LENGTH.size and code not in METADATA_MARKERS:
            return None
        segment = content[at : at + length]
        if code == SCAN_MARKER:
            return dimensions if len(segment) == length and _is_scan(segment, frame) else None
        if code in FRAME_MARKERS:
            if dimensions or (dimensions := _read_frame(segment)) is None:
                return None
            frame = segment
        elif code in CHECKS and not CHECKS[code](segment[LENGTH.size :], steps):
            return None
        at += max(length, LENGTH.size)
    return None


def _is_scan(segment: bytes, frame: bytes) -> bool:
    """Whether the scan has components of the frame, each once (`get_sos`)."""
    count = segment[LENGTH.size] if len(segment) > LENGTH.size else 0
    components = set(segment[LENGTH.size + 1 : LENGTH.size + 1 + 2 * count : 2])
    return (
        1 <= count <= MAX_COMPONENTS_OF_A_SCAN
        and len(segment) == LENGTH.size + 1 + 2 * count + 3
        and len(components) == count
        and components <= set(frame[FRAME.size :: 3])
    )


def _has_quantization_tables(data: bytes, steps: Steps) -> bool:
    """Whether the segment consists of whole tables (`get_dqt`). Each has 64 values of one or two bytes."""
    at = 0
    while at < len(data):
        steps.take()
        precision, index = data[at] >> 4, data[at] & 0xF
        if index >= TABLES:
            return False
        at += 1 + 64 * (2 if precision else 1)
    return at == len(data)


def _has_huffman_tables(data: bytes, steps: Steps) -> bool:
    """Whether the segment consists of whole tables (`get_dht`). Each has the numbers of its codes of 1 to 16 bits, and
    a byte for each code. The bit 0x10 of its index says that it is for AC coefficients.
    """
    at = 0
    while at < len(data):
        steps.take()
        numbers = data[at + 1 : at + 1 + CODE_LENGTHS]
        codes = sum(numbers)
        if len(numbers) < CODE_LENGTHS or codes > MAX_CODES or data[at] & ~0x10 >= TABLES:
            return False
        at += 1 + CODE_LENGTHS + codes
    return at == len(data)


CHECKS: dict[int, Callable[[bytes, Steps], bool]] = {
    QUANTIZATION_MARKER: _has_quantization_tables,
    HUFFMAN_MARKER: _has_huffman_tables,
}


def _find_marker(content: bytes, at: int) -> tuple[int, int] | None:
    """The marker after the next bytes FF, and the position after it."""
    at = content.find(b"\xff", at)
    fill = FILL.match(content, at) if at >= 0 else None
    return (content[fill.end()], fill.end() + 1) if fill and fill.end() < len(content) else None


def _read_frame(segment: bytes) -> tuple[int, int] | None:
    """Width and height, unless no browser shows such a frame."""
    if len(segment) < FRAME.size:
        return None
    length, precision, height, width, components = FRAME.unpack_from(segment)
    valid = (
        len(segment) == length == FRAME.size + 3 * components
        and precision == PRECISION
        and components in COMPONENTS
        and SAMPLING_FACTORS.issuperset(segment[FRAME.size + 1 :: 3])
    )
    return (width, height) if valid else None
