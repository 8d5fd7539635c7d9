"""What the clients upload. All files have one length, since a form allows just that of its first one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from infra.seed.people import PORTRAITS
from services.uploads.bucket import BLANK
from tests.pictures import make_picture

CONTENT_TYPE = "image/png"
GOOD_ONES = 6


@dataclass(frozen=True, slots=True)
class Files:
    good: tuple[bytes, ...]
    rubbish: bytes


def make_files() -> Files:
    pictures = [make_picture(CONTENT_TYPE, size=(24, 24), seed=seed) for seed in range(GOOD_ONES)]
    length = max(len(picture) for picture in pictures)
    # Nobody reads what follows the end of a PNG.
    good = tuple(picture.ljust(length, b"\0") for picture in pictures)
    return Files(good, b"I am a text that calls itself photo.png".ljust(length, b"."))


def digest(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()


@dataclass(frozen=True, slots=True)
class Digests:
    """What the bytes of an avatar may be."""

    pictures: frozenset[str]
    """The good ones that are uploaded, and the portraits of the seed."""
    blank: str


def find_digests(files: Files) -> Digests:
    portraits = (portrait.read_bytes() for portrait in PORTRAITS)
    return Digests(frozenset(map(digest, (*files.good, *portraits))), digest(BLANK.read_bytes()))
