"""Attacks with the bytes of a file."""

from __future__ import annotations

import contextlib
import io
import itertools
import random
import struct
import warnings
import zlib
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.pictures import make_worst_file
from services.pictures.formats import CONTENT_TYPES, identify, measure
from tests import web
from tests.conftest import only_prefix, post_form
from tests.eventually import eventually
from tests.pictures import (
    CASES,
    FORMATS,
    PAGE,
    PNG,
    POLYGLOTS,
    cut_off,
    draw_scene,
    make_bomb,
    make_chunk,
    make_gif,
    make_picture,
    make_png_frame,
    make_png_header,
    make_webp,
    make_webp_canvas,
    make_webp_chunk,
    make_webp_frame,
    push_dimensions_back,
)

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import Bucket, User
    from tests.security.conftest import Refused, Untouched

LIMIT = 4200
"""Maximum width and height, pixels."""

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def make_avif() -> bytes:
    """A valid picture of a format that is not allowed."""
    file = io.BytesIO()
    draw_scene(96, 96, 1).save(file, "AVIF")
    return file.getvalue()


DOCUMENTS = {
    "SVG": SVG,
    "SVG with a declaration": b'<?xml version="1.0" standalone="no"?>' + SVG,
    "HTML": PAGE,
    "XHTML": b'<html xmlns="http://www.w3.org/1999/xhtml"><script>alert(1)</script></html>',
    "HTML after blanks": b"\n \xef\xbb\xbf" + PAGE,
    "HTML before a picture": PAGE + make_picture(),
    "script": b"alert(1)//",
    "PDF": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj",
    "ZIP": b"PK\x03\x04" + bytes(26),
    "a program": b"MZ" + bytes(62),
    "AVIF": make_avif(),
}


class Attacker:
    """Uploads files and expects that none becomes the avatar."""

    def __init__(self, user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> None:
        self.user = user
        self._bucket = bucket
        self._untouched = untouched
        self._refused = refused

    def expect_refusal(self, content_type: str, file: bytes, problem: str) -> None:
        form = self.user.upload_unconfirmed(content_type, file)
        self._untouched.except_object(form["key"])
        self._refused.by_service(self.user.confirm(form), 422, problem)
        # It stays until its lifecycle rule deletes it.
        assert "Expiration" in self._bucket.head(form["key"])


@pytest.fixture
def attacker(user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> Attacker:
    return Attacker(user, bucket, untouched, refused)


# Files that are no pictures


def test_a_document_declared_as_a_picture(attacker: Attacker, subtests: pytest.Subtests) -> None:
    everything_as_png = itertools.product(DOCUMENTS, ["image/png"])
    for name, content_type in {*everything_as_png, *itertools.product(["SVG", "HTML"], CONTENT_TYPES)}:
        with subtests.test(f"{name} as {content_type}"):
            attacker.expect_refusal(content_type, DOCUMENTS[name], "not-a-picture")


def test_a_content_type_that_is_not_allowed(user: User, refused: Refused) -> None:
    """The presign refuses the content type in every spelling."""
    for content_type in (
        "image/svg+xml",
        "text/html",
        "application/xhtml+xml",
        "text/xml",
        "image/png, text/html",
        "image/png; charset=utf-7",
        "image/png\r\nx-amz-acl: public-read",
        "IMAGE/SVG+XML",
        "image/*",
        "*/*",
        "",
    ):
        refused.by_service(user.declare(content_type, 100), 415, "type-not-allowed")


def test_a_picture_declared_as_another_format(attacker: Attacker, subtests: pytest.Subtests) -> None:
    for declared, actual in itertools.permutations(CONTENT_TYPES, 2):
        with subtests.test(f"{actual} as {declared}"):
            attacker.expect_refusal(declared, make_picture(actual), "type-mismatch")


# Too many pixels


def claim(content_type: str, width: int, height: int) -> bytes:
    """A small picture whose header has these dimensions, or the largest that the format can express. A further format
    needs its entry.
    """
    small = (37, 21)
    fields, most, turned = {
        "image/png": (">II", 2**31 - 1, False),
        "image/jpeg": (">HH", 2**16 - 1, True),
        "image/webp": ("<HH", 2**14 - 1, False),
        "image/gif": ("<HH", 2**16 - 1, False),
    }[content_type]
    extent = (min(width, most), min(height, most))
    old, new = (struct.pack(fields, *(reversed(each) if turned else each)) for each in (small, extent))
    picture = make_picture(content_type, size=small)
    assert old in picture
    bomb = picture.replace(old, new)
    if content_type == "image/png":
        header = bomb[12:29]
        bomb = bomb[:29] + struct.pack(">I", zlib.crc32(header)) + bomb[33:]
    return bomb


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_header_with_huge_dimensions(attacker: Attacker, content_type: str) -> None:
    for width, height in ((2**32, 2**32), (2**32, 1), (1, 2**32), (LIMIT + 1, 1), (1, LIMIT + 1)):
        attacker.expect_refusal(content_type, claim(content_type, width, height), "too-many-pixels")


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_picture_one_pixel_too_large(attacker: Attacker, content_type: str) -> None:
    """The pictures are valid, and with one pixel less they would be allowed."""
    for size in ((LIMIT + 1, 8), (8, LIMIT + 1)):
        attacker.expect_refusal(content_type, make_picture(content_type, size=size), "too-many-pixels")
    assert measure(make_picture(content_type, size=(LIMIT, 8))) == (LIMIT, 8)


def test_a_decompression_bomb(attacker: Attacker) -> None:
    """A few KB that decompress to 900 million pixels."""
    attacker.expect_refusal("image/png", make_bomb(), "too-many-pixels")


def make_gif_with_a_small_screen() -> bytes:
    gif = make_picture("image/gif", size=(LIMIT + 1, 8))
    return gif[:6] + struct.pack("<HH", 1, 1) + gif[10:]


def make_jpeg_with_an_invalid_marker() -> bytes:
    """Decoders skip FF 00. A reader that takes it for a segment finds another frame header in a comment."""
    jpeg = make_picture("image/jpeg", size=(LIMIT + 1, 8))
    scan = jpeg.index(b"\xff\xda")
    decoy = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 1, 1, 3) + bytes(9)
    skipped = jpeg[2:scan] + b"\xff\xfe" + struct.pack(">H", 2 + len(decoy))
    return jpeg[:2] + b"\xff\0" + struct.pack(">H", 2 + len(skipped)) + skipped + decoy + jpeg[scan:]


def make_png_with_two_headers() -> bytes:
    """Decoders that accept the file use the second header."""
    width, height = LIMIT + 1, 8
    pixels = zlib.compress((b"\0" + bytes(width)) * height)
    headers = make_png_header(1, 1) + make_png_header(width, height)
    return PNG + headers + make_chunk(b"IDAT", pixels) + make_chunk(b"IEND", b"")


HIDDEN_DIMENSIONS = {
    "a GIF whose screen is smaller than its frame": ("image/gif", make_gif_with_a_small_screen, "too-many-pixels"),
    "a JPEG with an invalid marker": ("image/jpeg", make_jpeg_with_an_invalid_marker, "too-many-pixels"),
    "a PNG with two headers": ("image/png", make_png_with_two_headers, "unreadable-picture"),
}


def test_dimensions_hidden_behind_smaller_ones(attacker: Attacker, subtests: pytest.Subtests) -> None:
    for name, (content_type, make, problem) in HIDDEN_DIMENSIONS.items():
        with subtests.test(name):
            attacker.expect_refusal(content_type, make(), problem)


def make_large_png_frame() -> bytes:
    animation = make_chunk(b"acTL", struct.pack(">II", 2, 0)) + make_png_frame(8, 8)
    pixels = make_chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
    return PNG + make_png_header(8, 8) + animation + pixels + make_png_frame(LIMIT + 1, 8, number=1)


def make_large_webp_frame() -> bytes:
    small, large = (make_picture("image/webp", size=(side, side))[12:] for side in (16, LIMIT + 1))
    canvas = make_webp_canvas(16, 16, animated=True)
    start = make_webp_chunk(b"ANIM", bytes(6))
    return make_webp(canvas, start, make_webp_frame(small), make_webp_frame(large))


LARGE_FRAMES = {
    "image/gif": (make_gif((8, 8), (0, 0, 8, 8), (0, 0, LIMIT + 1, 8)), "too-many-pixels"),
    "image/png": (make_large_png_frame(), "unreadable-picture"),
    "image/webp": (make_large_webp_frame(), "unreadable-picture"),
}


@pytest.mark.parametrize("content_type", LARGE_FRAMES)
def test_a_second_size_in_a_later_frame(attacker: Attacker, content_type: str) -> None:
    file, problem = LARGE_FRAMES[content_type]
    attacker.expect_refusal(content_type, file, problem)


# Damaged pictures


def test_an_animated_png_that_crashes_a_decoder(attacker: Attacker) -> None:
    """The tab of everybody who opens the page would crash in Chromium 156 (docs/upstream.md)."""
    file = (CASES / "apng-trns-after-idat.png").read_bytes()
    attacker.expect_refusal("image/png", file, "unreadable-picture")


def test_a_header_that_no_browser_shows(attacker: Attacker) -> None:
    for name, content_type in (("jpeg-lossless-sof3.jpg", "image/jpeg"), ("png-bit-depth-0.png", "image/png")):
        attacker.expect_refusal(content_type, (CASES / name).read_bytes(), "unreadable-picture")


@pytest.mark.parametrize("name", ["GIF, blocks of one byte", "JPEG, empty segments", "PNG, empty chunks"])
def test_a_file_of_the_smallest_parts(attacker: Attacker, name: str) -> None:
    """The reader gives up. `tests/unit/test_reader_steps.py` counts its steps for the worst files of each format."""
    file = make_worst_file(name)
    attacker.expect_refusal(identify(file) or "", file, "unreadable-picture")


def test_a_truncated_picture(attacker: Attacker, subtests: pytest.Subtests) -> None:
    """The file ends within its header. It is not a picture until its format can be identified, then unreadable."""
    for content_type in CONTENT_TYPES:
        picture = make_picture(content_type)
        identified = next(length for length in range(len(picture)) if identify(picture[:length]))
        measured = next(length for length in range(len(picture) + 1) if measure(picture[:length]))
        assert identified < measured
        for length in (1, identified - 1, identified, (identified + measured) // 2, measured - 1):
            with subtests.test(f"{content_type}, {length} bytes"):
                problem = "not-a-picture" if length < identified else "unreadable-picture"
                attacker.expect_refusal(content_type, picture[:length], problem)
    attacker.expect_refusal("image/jpeg", cut_off(make_picture("image/jpeg")), "unreadable-picture")


def test_a_malformed_picture(attacker: Attacker, subtests: pytest.Subtests) -> None:
    png, jpeg, webp, gif = (make_picture(f"image/{name}") for name in ("png", "jpeg", "webp", "gif"))
    malformed = {
        "no dimensions": ("image/png", png[:16] + bytes(8) + png[24:]),
        "another chunk first": ("image/png", PNG + make_chunk(b"tEXt", b"a\0b") + png[8:]),
        "pixels before the header": ("image/png", PNG + make_chunk(b"IDAT", b"") + png[8:]),
        "a chunk that never ends": ("image/png", png[:33] + b"\xff\xff\xff\xfftEXt" + png[33:]),
        "only markers": ("image/jpeg", b"\xff\xd8" + b"\xff" * 2000),
        "an end before the frame": ("image/jpeg", b"\xff\xd8\xff\xd9" + jpeg[2:]),
        "tables without a length": ("image/jpeg", b"\xff\xd8\xff\xdb\0\0" + jpeg[2:]),
        "no chunk": ("image/webp", webp[:15]),
        "an end before the picture": ("image/gif", gif[:10] + b"\0\0\0;" + gif[13:]),
    }
    for name, (content_type, file) in malformed.items():
        with subtests.test(name):
            attacker.expect_refusal(content_type, file, "unreadable-picture")


INTERESTING = (
    b"\0",
    b"\xff",
    b"\x7f\xff",
    b"\xff\xff",
    b"\0\0",
    b"\0\0\0\1",
    b"\xff\xff\xff\xff",
    b"\x20\1",
    b"\1\x20",
)


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    """A picture whose header has bytes changed, added, repeated or removed."""
    file = bytearray(GOOD_PICTURES[draw(st.sampled_from(CONTENT_TYPES))])
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, min(len(file), 500)))
        length = draw(st.integers(0, 40))
        match draw(st.sampled_from(["set", "add", "repeat", "lose", "swap"])):
            case "set":
                value = draw(st.sampled_from(INTERESTING) | st.binary(min_size=1, max_size=8))
                file[at : at + len(value)] = value
            case "add":
                file[at:at] = draw(st.sampled_from(INTERESTING) | st.binary(max_size=40))
            case "repeat":
                file[at:at] = file[at : at + length]
            case "lose":
                del file[at : at + length]
            case _:
                file[at : at + length] = file[at : at + length][::-1]
    return bytes(file)


GOOD_PICTURES = {content_type: make_picture(content_type, size=(37, 21)) for content_type in CONTENT_TYPES}


def decode(file: bytes, content_type: str) -> tuple[int, int] | None:
    """Width and height of the picture that Pillow decodes, or None."""
    # An exception of any kind means that the file was not decoded.
    with warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(file), formats=[FORMATS[content_type]]) as picture:
            picture.load()
            return picture.size
    return None


@only_prefix
@settings(
    max_examples=1000,
    database=None,
    derandomize=True,
)
@given(damaged_pictures() | st.binary(max_size=200))
@example(make_gif_with_a_small_screen())
@example(make_jpeg_with_an_invalid_marker())
@example(make_png_with_two_headers())
def test_a_randomly_damaged_header(file: bytes) -> None:
    """Reading the header raises nothing and never finds smaller dimensions than a decoder does."""
    content_type, extent = identify(file), measure(file)
    if content_type is None or extent is None:
        return
    assert min(extent) > 0
    if max(extent) <= LIMIT and (decoded := decode(file, content_type)):
        assert decoded[0] <= extent[0]
        assert decoded[1] <= extent[1]


# Valid pictures with additional content


def check_served(user: User, bucket: Bucket, content_type: str, file: bytes) -> httpx2.Response:
    """Assert that the file becomes the avatar and is served as an attachment with the verified content type."""
    form = user.upload_unconfirmed(content_type, file)
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    redirect = user.http.get(f"/users/{user.username}/avatar")
    assert (redirect.status_code, redirect.content, redirect.headers["X-Content-Type-Options"]) == (303, b"", "nosniff")
    # A browser sends no token to the bucket.
    served = web.get(redirect.headers["Location"])
    assert (served.status_code, served.content) == (200, file)
    assert served.headers["Content-Type"] == content_type
    assert served.headers["Content-Disposition"] == "attachment"
    assert "Content-Encoding" not in served.headers
    return redirect


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_a_polyglot(user: User, bucket: Bucket, untouched: Untouched, refused: Refused, polyglot: str) -> None:
    """It is a valid picture and is accepted. `tests/browser/test_polyglots.py` opens it in a browser."""
    content_type, make = POLYGLOTS[polyglot]
    file = make()
    assert decode(file, content_type)
    assert b"window.ran" in file
    untouched.except_avatar(user)
    check_served(user, bucket, content_type, file)
    refused.record("served as a picture and an attachment")


def test_a_picture_url_with_another_content_type(
    user: User, bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    """A presigned URL can set headers of the response, and they are part of its signature."""
    content_type, make = POLYGLOTS["JPEG and page"]
    untouched.except_avatar(user)
    redirect = urlsplit(check_served(user, bucket, content_type, make()).headers["Location"])
    asked = {name: values[0] for name, values in parse_qs(redirect.query).items()}
    for name, value in (
        ("response-content-type", "text/html"),
        ("response-content-disposition", "inline"),
        ("response-content-encoding", "gzip"),
        ("X-Amz-Expires", "604800"),
    ):
        url = redirect._replace(query="").geturl()
        refused.by_s3(web.get(url, params=asked | {name: value}), 403, "SignatureDoesNotMatch")
    without = {name: value for name, value in asked.items() if name != "response-content-disposition"}
    refused.by_s3(web.get(redirect._replace(query="").geturl(), params=without), 403, "SignatureDoesNotMatch")


def test_exif_with_script(
    user: User, http: httpx2.Client, bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    """The script stays in the picture's bytes and appears neither in the object's metadata nor on a page."""
    content_type, make = POLYGLOTS["JPEG and page"]
    untouched.except_avatar(user)
    check_served(user, bucket, content_type, make())
    avatar = user.avatar or ""
    assert "window.ran" not in str(bucket.head(avatar))
    for path in ("/", "/inspector/objects"):  # both list the newest objects first
        shown = http.get(path).text
        assert avatar in shown
        assert "window.ran" not in shown
    refused.record("not shown anywhere")


def test_huge_metadata(user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> None:
    """Metadata up to the size limit, and compressed text of 64 MB, are skipped."""
    jpeg = push_dimensions_back(make_picture("image/jpeg"), 4_800_000)
    bomb = make_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64_000_000), 9))
    text = make_chunk(b"tEXt", b"Comment\0" + random.Random(1).randbytes(4_800_000))  # noqa: S311 - bytes, not secrets
    png = make_picture()
    header = len(PNG) + 25
    untouched.except_avatar(user)
    for content_type, file in (
        ("image/jpeg", jpeg),
        ("image/png", png[:header] + bomb + png[header:]),
        ("image/png", png[:header] + text + png[header:]),
    ):
        assert len(file) < 5_000_000
        check_served(user, bucket, content_type, file)
    refused.record("skipped")


def test_a_document_in_place_of_the_declared_picture(
    user: User, bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    """The form is for a picture and the posted file is a document of the same size. S3 compares its SHA-256 with the
    form's, and the confirm compares it again.
    """
    picture = make_picture()
    form = user.presign("image/png", picture).json()
    page = PAGE.ljust(len(picture))
    refused.by_s3(post_form(form, page), 400, "BadDigest")
    untouched.except_object(form["key"])
    bucket.post_unchecked(form, page)
    refused.by_service(user.confirm(form), 422, "digest-mismatch")
