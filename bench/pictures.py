"""Measures the picture readers on usual pictures, and on files of the maximum size that take the most work."""

from __future__ import annotations

import io
import struct
import time
import zlib
from dataclasses import dataclass

from PIL import Image

from services.pictures.formats import measure
from services.pictures.steps import Steps

MAX_BYTES = 5_000_000
REPEATS = 15


@dataclass(frozen=True, slots=True)
class ReaderMeasurement:
    size: int
    """Bytes."""
    steps: int
    milliseconds: float
    """Processor time."""


def make_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG_HEAD = b"\x89PNG\r\n\x1a\n" + make_chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 0, 0, 0, 0))
PNG_FRAME = make_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9, 9, 0, 0, 1, 1, 0, 0))
GIF_HEAD = b"GIF89a\x09\0\x09\0\0\0\0"
GIF_FRAME = b",\0\0\0\0\x09\0\x09\0\0\x08"
JPEG_HEAD = b"\xff\xd8\xff\xfe\0\2"
WEBP_HEAD = b"RIFF\0\x40\x4c\0WEBPVP8X\x0a\0\0\0\2\0\0\0\x08\0\0\x08\0\0"
WEBP_FRAME = b"ANMF\x10\0\0\0" + bytes(16)
WEBP_PICTURE = b"VP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\1\0\1\0"

WORST = {
    "PNG, empty chunks": (PNG_HEAD, make_chunk(b"teSt")),
    "PNG, empty pixel chunks": (PNG_HEAD, make_chunk(b"IDAT")),
    "PNG, frames without pixels": (PNG_HEAD, PNG_FRAME),
    "JPEG, fill bytes": (JPEG_HEAD, b"\xff"),
    "JPEG, FF 00": (JPEG_HEAD, b"\xff\0"),
    "JPEG, fill bytes before FF 00": (JPEG_HEAD, b"\xff" * 499 + b"\0"),
    "JPEG, stray bytes": (JPEG_HEAD, b"\0"),
    "JPEG, stray bytes before markers": (JPEG_HEAD, bytes(498) + b"\xff\xd0"),
    "JPEG, restart markers": (JPEG_HEAD, b"\xff\xd0"),
    "JPEG, empty segments": (JPEG_HEAD, b"\xff\xe1\0\2"),
    "JPEG, segments of length 0": (JPEG_HEAD, b"\xff\xe1\0\0"),
    "WebP, empty chunks": (WEBP_HEAD, b"test" + bytes(4)),
    "WebP, empty frames": (WEBP_HEAD, WEBP_FRAME),
    "WebP, frames with a header": (WEBP_HEAD, WEBP_FRAME + WEBP_PICTURE),
    "WebP, headers in one frame": (WEBP_HEAD + WEBP_FRAME, WEBP_PICTURE),
    "GIF, blocks of one byte": (GIF_HEAD + GIF_FRAME, b"\1x"),
    "GIF, blocks of 253 bytes": (GIF_HEAD + GIF_FRAME, b"\xfd" + bytes(253)),
    "GIF, blocks of 254 and 255 bytes": (GIF_HEAD + GIF_FRAME, b"\xff" + bytes(255) + b"\xfe" + bytes(254)),
    "GIF, long and short blocks": (GIF_HEAD + GIF_FRAME, b"\xff" + bytes(255) + b"\1x"),
    "GIF, empty extensions": (GIF_HEAD, b"!\xfe\0"),
    "GIF, empty frames": (GIF_HEAD, GIF_FRAME + b"\0"),
}
"""The first bytes of each file, and the part of which the rest consists."""


def make_worst_file(name: str) -> bytes:
    head, part = WORST[name]
    return head + part * ((MAX_BYTES - len(head)) // len(part))


def make_usual_files() -> dict[str, bytes]:
    noise = Image.effect_noise((2200, 2200), 90)
    frames = [Image.effect_noise((150, 150), 1 + number) for number in range(100)]
    files = {"PNG of 4.8 megapixels": _save(noise, "PNG")}
    files["JPEG of 12 megapixels"] = _save(Image.effect_noise((4000, 3000), 40).convert("RGB"), "JPEG", quality=80)
    files["WebP of 4.8 megapixels"] = _save(noise, "WEBP", quality=60)
    files["GIF of 2.3 megapixels"] = _save(noise.resize((1500, 1500)), "GIF")
    for name in ("PNG", "WEBP", "GIF"):
        files[f"{name}, 100 frames"] = _save(frames[0], name, save_all=True, append_images=frames[1:])
    return files


def _save(picture: Image.Image, name: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


def measure_reader(content: bytes) -> ReaderMeasurement:
    steps = Steps()
    durations: list[float] = []
    for _ in range(REPEATS):
        steps = Steps()
        began = time.process_time()
        measure(content, steps)
        durations.append(time.process_time() - began)
    return ReaderMeasurement(len(content), steps.taken, min(durations) * 1000)
