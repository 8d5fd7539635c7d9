"""The formats that a picture may have. A further format is one entry in `FORMATS`, with a module that reads it.

A reader checks the structure of the whole file, decodes no pixel, and returns the largest dimensions that a decoder may
use. It accepts what both Chromium and Firefox show, even if the specification forbids the file, with two exceptions: a
file that hides a second size behind the first, and a structure on which a decoder is known to crash. It refuses a file
whose header says that neither shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.pictures import gif, jpeg, png, webp
from services.pictures.steps import Steps, TooManyStepsError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    """The format's name in messages to users."""
    content_type: str
    extensions: tuple[str, ...]
    """Extensions of file names, without the dot. The first is the most common."""
    matches: Callable[[bytes], bool]
    """Whether a file with these first bytes has this format (WHATWG, "MIME Sniffing", section 6.1)."""
    measure: Callable[[bytes, Steps], tuple[int, int] | None]
    """Width and height in pixels, as stored. None if the file is refused."""
    aliases: tuple[str, ...] = ()
    """Unregistered content types that some programs use for the format."""
    edited_as: str = "image/png"
    """Content type in which the page's editor saves a crop of such a picture. Every browser can encode PNG."""


FORMATS = {
    chosen.content_type: chosen
    for chosen in (
        Format("PNG", "image/png", ("png",), png.matches, png.measure),
        Format("JPEG", "image/jpeg", ("jpg", "jpeg"), jpeg.matches, jpeg.measure, ("image/jpg",), "image/jpeg"),
        Format("WebP", "image/webp", ("webp",), webp.matches, webp.measure, edited_as="image/webp"),
        Format("GIF", "image/gif", ("gif",), gif.matches, gif.measure),
    )
}
"""The formats by content type. SVG is not among them: it is a document that can contain scripts."""

CONTENT_TYPES = tuple(FORMATS)

_ALIASES = {alias: chosen.content_type for chosen in FORMATS.values() for alias in chosen.aliases}


def normalize_content_type(declared: str) -> str:
    """The content type as the form allows it. Content types are case-insensitive (RFC 9110, section 8.3.1). Parameters
    are kept, and make it a content type that is not allowed: those of the formats have none.
    """
    lower = declared.lower()
    return _ALIASES.get(lower, lower)


def identify(head: bytes) -> str | None:
    """The content type of a file with these first bytes, or None."""
    return next((chosen.content_type for chosen in FORMATS.values() if chosen.matches(head)), None)


def measure(content: bytes, steps: Steps | None = None) -> tuple[int, int] | None:
    """Width and height of the picture in this whole file, in pixels, as stored. None if the file is refused, or if its
    reader would need more than `MAX_STEPS`.
    """
    content_type = identify(content)
    try:
        dimensions = FORMATS[content_type].measure(content, steps or Steps()) if content_type else None
    except TooManyStepsError:
        return None
    return dimensions if dimensions and min(dimensions) > 0 else None
