from __future__ import annotations

import io
import random
import struct
import zlib

import pytest
from PIL import Image

from services.pictures.formats import CONTENT_TYPES, FORMATS, HEAD_BYTES, identify, measure
from services.web.examples import CONTENT_TYPE
from tests.pictures import (
    PNG,
    make_bomb,
    make_camera_photograph,
    make_chunk,
    make_picture,
    make_png_header,
    push_dimensions_back,
)


def make_ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return struct.pack(">I", 16 + len(brands)) + b"ftyp" + major + bytes(4) + brands


def make_noise(content_type: str, size: tuple[int, int]) -> bytes:
    """A picture larger than the first read."""
    file = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(file, FORMATS[content_type].name, quality=100)
    return file.getvalue()


def make_webp(chunk: str) -> bytes:
    """A WebP of 37 x 21 pixels that begins with this kind of chunk."""
    file = io.BytesIO()
    picture = Image.new("RGB", (37, 21), (200, 30, 30))
    more = {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"} if chunk == "VP8X" else {}
    picture.save(file, "WEBP", lossless=chunk == "VP8L", **more)
    assert file.getvalue()[12:16] == chunk.encode()
    return file.getvalue()


def test_formats_have_no_extension_in_common() -> None:
    extensions = [extension for known in FORMATS.values() for extension in known.extensions]
    assert len(extensions) == len(set(extensions))


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


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_dimensions_are_read_from_the_first_64_kib(content_type: str) -> None:
    picture = make_noise(content_type, (401, 303))
    assert len(picture) > HEAD_BYTES
    assert measure(picture[:HEAD_BYTES]) == (401, 303)


@pytest.mark.parametrize("chunk", ["VP8 ", "VP8L", "VP8X"])
def test_dimensions_are_read_from_each_variant_of_webp(chunk: str) -> None:
    assert measure(make_webp(chunk)) == (37, 21)


def test_a_photograph_has_its_stored_dimensions_whatever_its_orientation() -> None:
    photograph = make_camera_photograph(size=(300, 200))
    assert Image.open(io.BytesIO(photograph)).getexif()[0x0112] == 6  # rotated by 90 degrees
    assert measure(photograph[:HEAD_BYTES]) == (300, 200)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_cut_off_picture_has_its_own_dimensions_or_none(content_type: str) -> None:
    picture = make_picture(content_type, size=(37, 21))
    assert measure(picture) == (37, 21)
    found = [measure(picture[:length]) for length in range(len(picture))]
    known = found.index((37, 21))
    assert set(found[:known]) == {None}
    assert set(found[known:]) == {(37, 21)}


def test_dimensions_after_the_first_64_kib_are_read_from_the_whole_file() -> None:
    picture = push_dimensions_back(make_picture("image/jpeg", size=(37, 21)), HEAD_BYTES)
    assert identify(picture[:HEAD_BYTES]) == "image/jpeg"
    assert measure(picture[:HEAD_BYTES]) is None
    assert measure(picture) == (37, 21)


def test_a_png_has_one_header_and_has_it_first() -> None:
    # Pillow uses the last header before the pixels. Browsers refuse such a file.
    small, large = make_png_header(10, 10), make_png_header(3000, 2000)
    pixels = make_chunk(b"IDAT", zlib.compress(bytes(3001 * 2000)))
    assert Image.open(io.BytesIO(PNG + small + large + pixels)).size == (3000, 2000)
    assert measure(PNG + small + large + pixels) is None
    assert measure(PNG + make_chunk(b"tEXt", b"a\0b") + small + pixels) is None
    assert measure(PNG + pixels + small) is None
    assert measure(PNG + small + make_chunk(b"tEXt", b"a\0b") + pixels + large) == (10, 10)


def test_a_bomb_is_measured_without_unpacking_it() -> None:
    assert measure(make_bomb()[:HEAD_BYTES]) == (30_000, 30_000)


def test_a_gif_has_the_dimensions_that_browsers_show() -> None:
    # Browsers enlarge the logical screen to its first frame (Pillow does, too), so the screen alone does not suffice.
    file = io.BytesIO()
    Image.new("P", (3000, 2000)).save(file, "GIF")
    tiny_screen = file.getvalue()[:6] + struct.pack("<HH", 1, 1) + file.getvalue()[10:]
    assert Image.open(io.BytesIO(tiny_screen)).size == (3000, 2000)
    assert measure(tiny_screen) == (3000, 2000)


def make_gif(*frame: int, flags: int = 0, before: bytes = b"") -> bytes:
    """The header of a GIF with a screen of 10 x 10 and one frame with this offset and these dimensions."""
    colours = bytes(3 << (flags & 7) + 1) if flags & 0x80 else b""
    return b"GIF89a" + struct.pack("<HHBBB", 10, 10, flags, 0, 0) + colours + before + b"," + struct.pack("<4H", *frame)


COMMENT = b"!\xfe" + b"\3abc" + b"\2,," + b"\0"


@pytest.mark.parametrize(
    ("gif", "dimensions"),
    [
        pytest.param(make_gif(0, 0, 5, 5), (10, 10), id="a frame within the screen"),
        pytest.param(make_gif(0, 0, 30, 20), (30, 20), id="a frame beyond the screen"),
        pytest.param(make_gif(0, 0, 30, 5), (30, 10), id="a frame beyond one side"),
        pytest.param(make_gif(8, 9, 5, 5), (13, 14), id="a frame across the edge"),
        pytest.param(make_gif(0, 0, 30, 20, flags=0x80), (30, 20), id="two colours"),
        pytest.param(make_gif(0, 0, 30, 20, flags=0xF7), (30, 20), id="256 colours"),
        pytest.param(make_gif(0, 0, 30, 20, flags=0x77), (30, 20), id="no colours but a number of them"),
        pytest.param(make_gif(0, 0, 30, 20, before=COMMENT * 2), (30, 20), id="comments"),
        pytest.param(make_gif(0, 0, 30, 20, before=COMMENT)[:-20], None, id="cut off in a comment"),
        pytest.param(make_gif(0, 0, 30, 20)[:-1], None, id="cut off in the frame"),
        pytest.param(make_gif(0, 0, 30, 20, before=b";"), None, id="an end before the frame"),
    ],
)
def test_a_gif_is_measured_with_its_first_frame(gif: bytes, dimensions: tuple[int, int] | None) -> None:
    assert measure(gif) == dimensions


def test_a_jpeg_has_the_dimensions_that_decoders_read() -> None:
    # Decoders skip FF 00 and continue right after it (libjpeg; seen in Chromium and Pillow). A reader that takes it for
    # a segment would continue inside the comment below, which could contain other dimensions.
    file = io.BytesIO()
    Image.new("RGB", (3000, 2000)).save(file, "JPEG")
    start_of_image, rest = file.getvalue()[:2], file.getvalue()[2:]
    headers, scan = rest[: rest.index(b"\xff\xda")], rest[rest.index(b"\xff\xda") :]
    tiny_frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 1, 1, 3) + bytes(9)
    skipped = headers + b"\xff\xfe" + struct.pack(">H", 2 + len(tiny_frame))
    picture = start_of_image + b"\xff\0" + struct.pack(">H", 2 + len(skipped)) + skipped + tiny_frame + scan
    assert Image.open(io.BytesIO(picture)).size == (3000, 2000)
    assert measure(picture) in {None, (3000, 2000)}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_picture_with_a_dimension_of_zero_has_no_dimensions(content_type: str) -> None:
    dimensions = {
        "image/png": struct.pack(">II", 37, 21),
        "image/jpeg": struct.pack(">HH", 21, 37),
        "image/webp": struct.pack("<HH", 37, 21),
        "image/gif": struct.pack("<HH", 37, 21),
    }[content_type]  # a further format needs its entry
    picture = make_webp("VP8 ") if content_type == "image/webp" else make_picture(content_type, size=(37, 21))
    assert dimensions in picture
    assert measure(picture.replace(dimensions, bytes(len(dimensions)))) is None


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_are_no_picture_and_raise_nothing(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - bytes, not secrets
    for length in (0, 1, 7, 12, 26, 64, 300, 5000):
        noise = dice.randbytes(length)
        assert identify(noise) is None
        measure(noise)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_damaged_picture_raises_nothing_and_has_positive_dimensions_or_none(content_type: str) -> None:
    picture = make_picture(content_type, size=(37, 21))
    dice = random.Random(content_type)  # noqa: S311
    for _ in range(500):
        damaged = bytearray(picture)
        for _ in range(dice.randrange(1, 8)):
            damaged[dice.randrange(min(len(damaged), 400))] = dice.randrange(256)
        identify(bytes(damaged))
        dimensions = measure(bytes(damaged))
        assert dimensions is None or min(dimensions) > 0


def test_a_header_of_very_many_small_parts_has_no_dimensions() -> None:
    jpeg = b"\xff\xd8" + b"\xff\xe1\x00\x02" * 1_000_000 + make_picture("image/jpeg")[2:]
    gif = make_picture("image/gif")
    assert measure(jpeg) is None
    assert measure(gif[:6] + b"\x01\x00\x01\x00\x00\x00\x00" + b"!\xfe" + b"\x01x" * 1_000_000) is None
