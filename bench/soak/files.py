"""The files that the clients upload. All have the same length, since a form allows exactly its file's length."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from PIL import Image

from infra.seed.people import PORTRAITS

CONTENT_TYPE = "image/png"
COLOURS = ("black", "red", "green", "blue", "yellow", "white")


@dataclass(frozen=True, slots=True)
class Files:
    good: tuple[bytes, ...]
    invalid: bytes


def make_files() -> Files:
    pictures = [_make_picture(colour) for colour in COLOURS]
    length = max(len(picture) for picture in pictures)
    # Readers of PNG ignore the bytes after its end.
    good = tuple(picture.ljust(length, b"\0") for picture in pictures)
    return Files(good, b"I am a text that calls itself photo.png".ljust(length, b"."))


def _make_picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (24, 24), colour).save(file, "PNG")
    return file.getvalue()


def digest(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()


def find_digests(files: Files) -> frozenset[str]:
    """Digests of the uploaded pictures and of the seeded portraits: those that an avatar may have."""
    portraits = (portrait.read_bytes() for portrait in PORTRAITS)
    return frozenset(map(digest, (*files.good, *portraits)))
