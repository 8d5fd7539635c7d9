"""The formats that a picture may have. A further format is one entry in `FORMATS`, with a module that reads it.

The dimensions must be those that browsers show. If a format can state its dimensions more than once, or hide them, its
reader refuses such files or returns the largest dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.pictures import gif, jpeg, png, webp

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_BYTES = 65_536
"""Bytes at the start of a file that are read first. Nearly every header fits; a JPEG can have more metadata (EXIF, XMP,
ICC) before its dimensions.
"""

MAX_HEADER_BYTES = 5_000_000
"""Maximum number of bytes that are read of a longer header."""


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    """The format's name in messages to users."""
    content_type: str
    extensions: tuple[str, ...]
    """Extensions of file names, without the dot. The first is the most common."""
    matches: Callable[[bytes], bool]
    """Whether a file with these first bytes has this format (WHATWG, "MIME Sniffing", section 6.1)."""
    measure: Callable[[bytes], tuple[int, int] | None]
    """Width and height in pixels, as stored. None if these bytes hold no complete and valid header."""
    edited_as: str = "image/png"
    """Content type in which the page's editor saves a crop of such a picture. Every browser can encode PNG."""


FORMATS = {
    chosen.content_type: chosen
    for chosen in (
        Format("PNG", "image/png", ("png",), png.matches, png.measure),
        Format("JPEG", "image/jpeg", ("jpg", "jpeg"), jpeg.matches, jpeg.measure, edited_as="image/jpeg"),
        Format("WebP", "image/webp", ("webp",), webp.matches, webp.measure, edited_as="image/webp"),
        Format("GIF", "image/gif", ("gif",), gif.matches, gif.measure),
    )
}
"""The formats by content type. SVG is not among them: it is a document that can contain scripts."""

CONTENT_TYPES = tuple(FORMATS)


def identify(head: bytes) -> str | None:
    """The content type of a file with these first bytes, or None."""
    return next((chosen.content_type for chosen in FORMATS.values() if chosen.matches(head)), None)


def measure(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as stored. None if these bytes hold no complete and valid header."""
    content_type = identify(head)
    dimensions = FORMATS[content_type].measure(head) if content_type else None
    return dimensions if dimensions and min(dimensions) > 0 else None
