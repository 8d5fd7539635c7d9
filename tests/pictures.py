"""Pictures to upload, made by Pillow: good ones in each format, and bad ones of each kind."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
}


def draw_scene(width: int, height: int, seed: int) -> Image.Image:
    """Discs on a ground, all in colours of the seed: scenes of different seeds look different."""
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


def make_camera_photograph(*, maker_note_bytes: int = 20_000, size: tuple[int, int] = (3000, 2250)) -> bytes:
    """A JPEG as cameras write them: several megabytes of fine grain, EXIF with GPS, a maker note and a thumbnail."""
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
    """The same JPEG with so many bytes of application segments before its dimensions (as long XMP or ICC do it)."""
    segment = b"\xff\xe5" + struct.pack(">H", 60_002) + bytes(60_000)
    return jpeg[:2] + segment * (by // 60_000 + 1) + jpeg[2:]


def make_bomb() -> bytes:
    """A PNG of a few KB that unpacks to 30000 x 30000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 30_000
    compress = zlib.compressobj(9)
    line = bytes(1 + side // 8)
    pixels = b"".join(compress.compress(line) for _ in range(side)) + compress.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def cut_off(picture: bytes) -> bytes:
    """A file that ends in the middle of its header."""
    return picture[:40]


BAD_PICTURES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "not-a-picture": ("image/png", lambda: b"I am a text that calls itself photo.png\n"),
    "type-mismatch": ("image/png", lambda: make_picture("image/jpeg")),
    "too-many-pixels": ("image/png", make_bomb),
    "unreadable-picture": ("image/jpeg", lambda: cut_off(make_picture("image/jpeg"))),
}
"""By the problem they meet at the confirm: what they are declared as, and their bytes."""
