from __future__ import annotations

import struct

import pytest

from services.pictures.formats import CONTENT_TYPES, FORMATS, identify, normalize_content_type
from services.web.examples import CONTENT_TYPE
from tests.pictures import make_picture


def make_ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return struct.pack(">I", 16 + len(brands)) + b"ftyp" + major + bytes(4) + brands


def test_formats_have_no_extension_in_common() -> None:
    extensions = [extension for known in FORMATS.values() for extension in known.extensions]
    assert len(extensions) == len(set(extensions))


@pytest.mark.parametrize(
    ("declared", "content_type"),
    [
        ("image/png", "image/png"),
        ("IMAGE/JPEG", "image/jpeg"),
        ("image/jpg", "image/jpeg"),
        ("Image/JPG", "image/jpeg"),
        ("image/png; charset=x", "image/png; charset=x"),
        ("image/jpg;q=1", "image/jpg;q=1"),
        (" image/png", " image/png"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
def test_a_content_type_is_normalized_without_its_parameters_being_dropped(declared: str, content_type: str) -> None:
    assert normalize_content_type(declared) == content_type


def test_the_aliases_of_the_formats_are_different_and_no_content_types() -> None:
    aliases = [alias for known in FORMATS.values() for alias in known.aliases]
    assert len({*aliases, *FORMATS}) == len(aliases) + len(FORMATS)
    assert all(alias == alias.lower() for alias in aliases)


def test_the_editor_saves_each_format_as_a_content_type_that_is_allowed() -> None:
    assert {known.edited_as for known in FORMATS.values()} <= FORMATS.keys()


def test_the_content_type_of_the_openapi_examples_is_allowed() -> None:
    assert CONTENT_TYPE in FORMATS


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_picture_is_identified_by_its_first_bytes(content_type: str) -> None:
    assert identify(make_picture(content_type)) == content_type


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (b"GIF87a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WEBPVP8L", "image/webp"),
        (b"RIFF\x10\0\0\0WEBPVP8X", "image/webp"),
    ],
)
def test_each_variant_of_a_format_is_identified(head: bytes, content_type: str) -> None:
    assert identify(head) == content_type


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff", id="one byte"),
        pytest.param(b"\xff\xd8", id="short JPEG"),
        pytest.param(b"\x89PNG\r\n\x1a", id="short PNG"),
        pytest.param(b"\x89PNG\n\x1a\n\n", id="PNG with other line ends"),
        pytest.param(b"RIFF\x10\0\0\0WEBP", id="short WebP"),
        pytest.param(b"RIFF\x10\0\0\0WAVEfmt ", id="WAVE"),
        pytest.param(b"RIFF\x10\0\0\0WEBPEXIF", id="WebP without a picture"),
        pytest.param(b"GIF88a", id="GIF of no version"),
        pytest.param(b"BM" + bytes(50), id="BMP"),
        pytest.param(b"II*\0" + bytes(50), id="TIFF"),
        pytest.param(b"P6 37 21 255\n", id="PPM"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', id="SVG"),
        pytest.param(b'<?xml version="1.0"?><svg/>', id="SVG with declaration"),
        pytest.param(b"<!doctype html><script>alert(1)</script>", id="HTML"),
        pytest.param(b"%PDF-1.7", id="PDF"),
        pytest.param(b" \xff\xd8\xff", id="JPEG after a blank"),
        pytest.param(make_ftyp(b"heic", b"mif1", b"heic"), id="HEIC"),
        pytest.param(make_ftyp(b"isom", b"mp42"), id="MP4"),
        pytest.param(make_ftyp(b"avif", b"mif1", b"miaf"), id="AVIF"),
        pytest.param(make_ftyp(b"avis", b"avif", b"msf1"), id="moving AVIF"),
    ],
)
def test_any_other_file_is_no_picture(head: bytes) -> None:
    assert identify(head) is None
