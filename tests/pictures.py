"""Pictures to upload: valid ones in each format, made by Pillow, and one for each way to be refused."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from services.pictures import formats

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = {content_type: chosen.name.upper() for content_type, chosen in formats.FORMATS.items()}
"""By content type, the name that Pillow has for the format."""

CASES = Path(__file__).parent / "cases"
"""A folder of small files that decoders treat in special ways."""

PNG = b"\x89PNG\r\n\x1a\n"
"""The first bytes of a PNG."""


def draw_scene(width: int, height: int, seed: int) -> Image.Image:
    """Discs on a background, in random colours: scenes of different seeds look different."""
    dice = random.Random(seed)  # noqa: S311 - pictures, not secrets

    def colour() -> tuple[int, int, int]:
        return dice.randrange(256), dice.randrange(256), dice.randrange(256)

    scene = Image.new("RGB", (width, height), colour())
    pen = ImageDraw.Draw(scene)
    for _ in range(12):
        x, y = dice.randrange(width), dice.randrange(height)
        radius = dice.randrange(2, max(3, min(width, height) // 3))
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour())
    return scene


def make_picture(content_type: str = "image/png", *, size: tuple[int, int] = (96, 96), seed: int = 1) -> bytes:
    file = io.BytesIO()
    draw_scene(*size, seed).save(file, FORMATS[content_type])
    return file.getvalue()


def make_animation(content_type: str, *, size: tuple[int, int] = (96, 96)) -> bytes:
    """A picture of two frames, which repeat."""
    file = io.BytesIO()
    second = draw_scene(*size, seed=2)
    draw_scene(*size, seed=1).save(
        file, FORMATS[content_type], save_all=True, append_images=[second], duration=100, loop=0
    )
    return file.getvalue()


def make_dense_picture(*, size: tuple[int, int], density: tuple[int, int]) -> bytes:
    """A JPEG whose EXIF data tells browsers to show it with this many pixels in each CSS pixel (HTML standard,
    "density-corrected natural width and height").
    """
    exif = Image.Exif()
    exif[0x011A], exif[0x011B], exif[0x0128] = 72 * density[0], 72 * density[1], 2
    details = exif.get_ifd(0x8769)
    details[0xA002], details[0xA003] = size[0] // density[0], size[1] // density[1]
    file = io.BytesIO()
    draw_scene(*size, seed=1).save(file, "JPEG", exif=exif)
    return file.getvalue()


def make_camera_photograph(*, maker_note_bytes: int = 20_000, size: tuple[int, int] = (3000, 2250)) -> bytes:
    """A JPEG like those of cameras: several megabytes with noise, EXIF with GPS, and a maker note."""
    scene = draw_scene(*size, seed=7)
    grain = Image.effect_noise(size, 40).convert("RGB")
    scene = Image.blend(scene, grain, 0.35)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Camera", "Model One", 6
    exif.get_ifd(0x8769)[0x927C] = random.Random(7).randbytes(maker_note_bytes)  # noqa: S311 - the maker note
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "N", (52.0, 30.0, 0.0), "E", (13.0, 24.0, 0.0)
    file = io.BytesIO()
    scene.save(file, "JPEG", quality=92, exif=exif)
    return file.getvalue()


def push_dimensions_back(jpeg: bytes, by: int) -> bytes:
    """The JPEG with at least `by` bytes of application segments before its dimensions, like long XMP or ICC data."""
    segment = b"\xff\xe5" + struct.pack(">H", 60_002) + bytes(60_000)
    return jpeg[:2] + segment * (by // 60_000 + 1) + jpeg[2:]


def make_chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_png_header(width: int, height: int) -> bytes:
    """The header of a greyscale PNG with 8 bits per pixel."""
    return make_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def make_png_frame(width: int, height: int, left: int = 0, top: int = 0, *, number: int = 0) -> bytes:
    """The header of a frame of an animated PNG, shown for a tenth of a second."""
    return make_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, left, top, 1, 10, 0, 0))


def make_gif(
    screen: tuple[int, int],
    *frames: tuple[int, int, int, int],
    flags: int = 0,
    frame_flags: int = 0,
    before: bytes = b"",
    data: bytes = b"\3abc",
    end: bytes = b";",
) -> bytes:
    """A GIF with a screen of these dimensions, and frames with these offsets and dimensions, and with this data."""
    gif = b"GIF89a" + struct.pack("<HHBBB", *screen, flags, 0, 0) + _make_colours(flags) + before
    for frame in frames:
        gif += b"," + struct.pack("<4HB", *frame, frame_flags) + _make_colours(frame_flags) + b"\2" + data + b"\0"
    return gif + end


def _make_colours(flags: int) -> bytes:
    return bytes(3 << (flags & 7) + 1) if flags & 0x80 else b""


def make_webp(*chunks: bytes) -> bytes:
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def make_webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def make_webp_canvas(width: int, height: int, *, animated: bool = False) -> bytes:
    dimensions = (width - 1) | (height - 1) << 24
    return make_webp_chunk(b"VP8X", bytes([2 * animated, 0, 0, 0]) + dimensions.to_bytes(6, "little"))


def make_webp_frame(picture: bytes = b"", left: int = 0, *, size: int = 16) -> bytes:
    """A frame of an animated WebP: a square with this chunk. `left` is even."""
    rectangle = left // 2 | (size - 1) << 48 | (size - 1) << 72
    return make_webp_chunk(b"ANMF", rectangle.to_bytes(12, "little") + bytes(4) + picture)


def make_bomb() -> bytes:
    """A PNG whose few KB decompress to 30000 x 30000 pixels."""
    side = 30_000
    compress = zlib.compressobj(9)
    line = bytes(1 + side // 8)
    pixels = b"".join(compress.compress(line) for _ in range(side)) + compress.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return PNG + make_chunk(b"IHDR", header) + make_chunk(b"IDAT", pixels) + make_chunk(b"IEND", b"")


def cut_off(picture: bytes) -> bytes:
    """The first 40 bytes of a picture, which end in the middle of its header."""
    return picture[:40]


BAD_PICTURES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "not-a-picture": ("image/png", lambda: b"I am a text that calls itself photo.png\n"),
    "type-mismatch": ("image/png", lambda: make_picture("image/jpeg")),
    "too-many-pixels": ("image/png", make_bomb),
    "unreadable-picture": ("image/jpeg", lambda: cut_off(make_picture("image/jpeg"))),
}
"""Declared content type and bytes, by the problem type with which the confirm refuses them."""


# Polyglots: valid pictures that are also valid files of another kind

SCRIPT = b"window.ran = true"
"""The script in each polyglot."""

PAGE = b"<!doctype html><html><body><script>" + SCRIPT + b"</script></body></html>"


def make_gif_script() -> bytes:
    """A GIF of 2621 x 2609 pixels that is also the script `GIF89a = 1; SCRIPT`, with its data in a comment."""
    gif = make_picture("image/gif", size=(10, 10))
    flags = gif[10]
    colours, frame = gif[13 : 13 + (3 << (flags & 7) + 1)], gif.index(b",", 13 + (3 << (flags & 7) + 1))
    # The colour table moves from the screen to the frame: the byte of the screen's flags has to be a semicolon.
    own_colours = bytes([0x80 | flags & 7]) + colours
    return b"GIF89a=\n1\n;/*" + gif[frame : frame + 9] + own_colours + gif[frame + 10 :] + b"*/;" + SCRIPT + b";//"


def make_jpeg_archive() -> bytes:
    """A JPEG that is also a ZIP archive with a page in it, since a ZIP is read from its end."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("index.html", PAGE)
    return make_picture("image/jpeg") + archive.getvalue()


def make_jpeg_page() -> bytes:
    """A JPEG with a page in its first comment and script in three fields of its EXIF data."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = exif[0x8298] = "<script>" + SCRIPT.decode() + "</script>"
    file = io.BytesIO()
    draw_scene(96, 96, 1).save(file, "JPEG", exif=exif)
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(PAGE)) + PAGE
    return file.getvalue()[:2] + comment + file.getvalue()[2:]


def make_png_page() -> bytes:
    """A PNG with a page in its first text chunk and again after its end."""
    png = make_picture()
    header = len(PNG) + 25
    return png[:header] + make_chunk(b"tEXt", b"Comment\0" + PAGE) + png[header:] + PAGE


def make_webp_page() -> bytes:
    """A WebP with a page in an unknown chunk."""
    page = PAGE + bytes(len(PAGE) % 2)
    webp = make_picture("image/webp") + b"PAGE" + struct.pack("<I", len(page)) + page
    return webp[:4] + struct.pack("<I", len(webp) - 8) + webp[8:]


POLYGLOTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "GIF and script": ("image/gif", make_gif_script),
    "JPEG and ZIP": ("image/jpeg", make_jpeg_archive),
    "JPEG and page": ("image/jpeg", make_jpeg_page),
    "PNG and page": ("image/png", make_png_page),
    "WebP and page": ("image/webp", make_webp_page),
}
"""Content type and bytes of each polyglot."""
