"""What may be tried with the bytes of a file."""

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

from services.pictures.formats import CONTENT_TYPES, identify, measure
from tests import web
from tests.conftest import only_prefix, post_form
from tests.eventually import eventually
from tests.pictures import (
    FORMATS,
    PAGE,
    PNG,
    POLYGLOTS,
    cut_off,
    draw_scene,
    make_bomb,
    make_chunk,
    make_picture,
    make_png_header,
    push_dimensions_back,
)

if TYPE_CHECKING:
    import httpx2

    from tests.conftest import Bucket, User
    from tests.security.conftest import Refused, Untouched

LIMIT = 8192
"""Pixels, to either side."""

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def make_avif() -> bytes:
    """A good picture, of a format that is not taken."""
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
    """Puts up one file after the other, and none of them becomes the avatar."""

    def __init__(self, user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> None:
        self.user = user
        self._bucket = bucket
        self._untouched = untouched
        self._refused = refused

    def is_refused(self, content_type: str, file: bytes, problem: str) -> None:
        form = self.user.put_up(content_type, file)
        self._untouched.but_for_object(form["key"])
        self._refused.by_service(self.user.confirm(form), 422, problem)
        # It waits for its lifecycle rule, and for nothing else.
        assert "Expiration" in self._bucket.head(form["key"])


@pytest.fixture
def attacker(user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> Attacker:
    return Attacker(user, bucket, untouched, refused)


# No picture at all


def test_a_document_under_a_pictures_type(attacker: Attacker, subtests: pytest.Subtests) -> None:
    everything_as_png = itertools.product(DOCUMENTS, ["image/png"])
    for name, content_type in {*everything_as_png, *itertools.product(["SVG", "HTML"], CONTENT_TYPES)}:
        with subtests.test(f"{name} as {content_type}"):
            attacker.is_refused(content_type, DOCUMENTS[name], "not-a-picture")


def test_a_documents_type(user: User, refused: Refused) -> None:
    """No form is given for it, however it is spelled."""
    for content_type in (
        "image/svg+xml",
        "text/html",
        "application/xhtml+xml",
        "text/xml",
        "image/png, text/html",
        "image/png; charset=utf-7",
        "image/png\r\nx-amz-acl: public-read",
        "IMAGE/PNG",
        "image/*",
        "*/*",
        "",
    ):
        refused.by_service(user.presign(content_type, 100), 415, "type-not-allowed")


def test_a_picture_under_anothers_type(attacker: Attacker, subtests: pytest.Subtests) -> None:
    for declared, actual in itertools.permutations(CONTENT_TYPES, 2):
        with subtests.test(f"{actual} as {declared}"):
            attacker.is_refused(declared, make_picture(actual), "type-mismatch")


# Bombs


def claim(content_type: str, width: int, height: int) -> bytes:
    """A small picture whose header says that it is as large as this, or as large as the format can say."""
    small = (37, 21)
    fields, most, turned = {
        "image/png": (">II", 2**31 - 1, False),
        "image/jpeg": (">HH", 2**16 - 1, True),
        "image/webp": ("<HH", 2**14 - 1, False),
        "image/gif": ("<HH", 2**15 - 1, False),
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
def test_a_header_that_claims_too_much(attacker: Attacker, content_type: str) -> None:
    for width, height in ((2**32, 2**32), (2**32, 1), (1, 2**32), (LIMIT + 1, 1), (1, LIMIT + 1)):
        attacker.is_refused(content_type, claim(content_type, width, height), "too-many-pixels")


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_picture_one_pixel_too_large(attacker: Attacker, content_type: str) -> None:
    """They are whole and good, and a row of pixels less would do."""
    for size in ((LIMIT + 1, 8), (8, LIMIT + 1)):
        attacker.is_refused(content_type, make_picture(content_type, size=size), "too-many-pixels")
    assert measure(make_picture(content_type, size=(LIMIT, 8))) == (LIMIT, 8)


def test_a_decompression_bomb(attacker: Attacker) -> None:
    """Some KB that unpack to 900 million pixels."""
    attacker.is_refused("image/png", make_bomb(), "too-many-pixels")


def make_gif_of_hidden_size() -> bytes:
    gif = make_picture("image/gif", size=(LIMIT + 1, 8))
    return gif[:6] + struct.pack("<HH", 1, 1) + gif[10:]


def make_jpeg_behind_an_odd_marker() -> bytes:
    """Decoders skip FF 00; who takes it for a segment lands in a comment, on the header of another frame."""
    jpeg = make_picture("image/jpeg", size=(LIMIT + 1, 8))
    scan = jpeg.index(b"\xff\xda")
    decoy = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 1, 1, 3) + bytes(9)
    skipped = jpeg[2:scan] + b"\xff\xfe" + struct.pack(">H", 2 + len(decoy))
    return jpeg[:2] + b"\xff\0" + struct.pack(">H", 2 + len(skipped)) + skipped + decoy + jpeg[scan:]


def make_png_of_two_headers() -> bytes:
    """Decoders that take it take the second."""
    width, height = LIMIT + 1, 8
    pixels = zlib.compress((b"\0" + bytes(width)) * height)
    headers = make_png_header(1, 1) + make_png_header(width, height)
    return PNG + headers + make_chunk(b"IDAT", pixels) + make_chunk(b"IEND", b"")


HIDDEN = {
    "a GIF whose screen is smaller than its frame": ("image/gif", make_gif_of_hidden_size, "too-many-pixels"),
    "a JPEG with an odd marker": ("image/jpeg", make_jpeg_behind_an_odd_marker, "unreadable-picture"),
    "a PNG of two headers": ("image/png", make_png_of_two_headers, "unreadable-picture"),
}


def test_a_size_that_is_hidden_behind_a_smaller_one(attacker: Attacker, subtests: pytest.Subtests) -> None:
    for name, (content_type, make, problem) in HIDDEN.items():
        with subtests.test(name):
            attacker.is_refused(content_type, make(), problem)


# Damage


def test_a_truncated_picture(attacker: Attacker, subtests: pytest.Subtests) -> None:
    """Cut off anywhere in its header. Before its kind can be told it is no picture, and then an unreadable one."""
    for content_type in CONTENT_TYPES:
        picture = make_picture(content_type)
        told = next(length for length in range(len(picture)) if identify(picture[:length]))
        measured = next(length for length in range(len(picture)) if measure(picture[:length]))
        assert told < measured
        for length in (1, told - 1, told, (told + measured) // 2, measured - 1):
            with subtests.test(f"{content_type}, {length} bytes"):
                problem = "not-a-picture" if length < told else "unreadable-picture"
                attacker.is_refused(content_type, picture[:length], problem)
    attacker.is_refused("image/jpeg", cut_off(make_picture("image/jpeg")), "unreadable-picture")


def test_a_malformed_picture(attacker: Attacker, subtests: pytest.Subtests) -> None:
    png, jpeg, webp, gif = (make_picture(f"image/{name}") for name in ("png", "jpeg", "webp", "gif"))
    malformed = {
        "no extent": ("image/png", png[:16] + bytes(8) + png[24:]),
        "another chunk first": ("image/png", PNG + make_chunk(b"tEXt", b"a\0b") + png[8:]),
        "pixels before the header": ("image/png", PNG + make_chunk(b"IDAT", b"") + png[8:]),
        "a chunk that never ends": ("image/png", png[:33] + b"\xff\xff\xff\xfftEXt" + png[33:]),
        "nothing but markers": ("image/jpeg", b"\xff\xd8" + b"\xff" * 2000),
        "an end before the frame": ("image/jpeg", b"\xff\xd8\xff\xd9" + jpeg[2:]),
        "a segment of no length": ("image/jpeg", b"\xff\xd8\xff\xe0\0\0" + jpeg[2:]),
        "endless small segments": ("image/jpeg", b"\xff\xd8" + b"\xff\xe1\0\2" * 500_000 + jpeg[2:]),
        "no chunk within": ("image/webp", webp[:15]),
        "an end before the picture": ("image/gif", gif[:10] + b"\0\0\0;" + gif[13:]),
        "endless small blocks": ("image/gif", gif[:10] + b"\0\0\0!\xfe" + b"\1x" * 500_000),
    }
    for name, (content_type, file) in malformed.items():
        with subtests.test(name):
            attacker.is_refused(content_type, file, "unreadable-picture")


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
    """A picture of some format with bytes of its header changed, added, repeated or lost."""
    file = bytearray(SOUND[draw(st.sampled_from(CONTENT_TYPES))])
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


SOUND = {content_type: make_picture(content_type, size=(37, 21)) for content_type in CONTENT_TYPES}


def decode(file: bytes, content_type: str) -> tuple[int, int] | None:
    """The extent of what Pillow makes of it, if it makes anything of it."""
    # Whatever a decoder raises, it has not decoded.
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
@example(make_gif_of_hidden_size())
@example(make_jpeg_behind_an_odd_marker())
@example(make_png_of_two_headers())
def test_a_header_damaged_by_chance(file: bytes) -> None:
    """Reading it raises nothing, and never finds less than a decoder does."""
    content_type, extent = identify(file), measure(file)
    if content_type is None or extent is None:
        return
    assert min(extent) > 0
    if max(extent) <= LIMIT and (decoded := decode(file, content_type)):
        assert decoded[0] <= extent[0]
        assert decoded[1] <= extent[1]


# Good pictures, and what comes with them


def check_served(user: User, bucket: Bucket, content_type: str, file: bytes) -> httpx2.Response:
    """It is taken, and handed out as what it was verified to be: a picture, and no document."""
    form = user.put_up(content_type, file)
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    way = user.http.get(f"/users/{user.username}/avatar")
    assert (way.status_code, way.content, way.headers["X-Content-Type-Options"]) == (303, b"", "nosniff")
    # Without the token, as a browser goes there.
    served = web.get(way.headers["Location"])
    assert (served.status_code, served.content) == (200, file)
    assert served.headers["Content-Type"] == content_type
    assert served.headers["Content-Disposition"] == "attachment"
    assert "Content-Encoding" not in served.headers
    return way


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_a_polyglot(user: User, bucket: Bucket, untouched: Untouched, refused: Refused, polyglot: str) -> None:
    """It is a picture, and is taken as one; in a browser, tests/browser/test_polyglots.py."""
    content_type, make = POLYGLOTS[polyglot]
    file = make()
    assert decode(file, content_type)
    assert b"window.ran" in file
    untouched.but_for_avatar(user)
    check_served(user, bucket, content_type, file)
    refused.otherwise("served as a picture, to be saved")


def test_the_way_to_a_picture_with_another_type(
    user: User, bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    """S3 lets a signed URL say with which headers it answers, and signs them."""
    content_type, make = POLYGLOTS["JPEG and page"]
    untouched.but_for_avatar(user)
    way = urlsplit(check_served(user, bucket, content_type, make()).headers["Location"])
    asked = {name: values[0] for name, values in parse_qs(way.query).items()}
    for name, value in (
        ("response-content-type", "text/html"),
        ("response-content-disposition", "inline"),
        ("response-content-encoding", "gzip"),
        ("X-Amz-Expires", "604800"),
    ):
        url = way._replace(query="").geturl()
        refused.by_s3(web.get(url, params=asked | {name: value}), 403, "SignatureDoesNotMatch")
    without = {name: value for name, value in asked.items() if name != "response-content-disposition"}
    refused.by_s3(web.get(way._replace(query="").geturl(), params=without), 403, "SignatureDoesNotMatch")


def test_exif_with_script(
    user: User, http: httpx2.Client, bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    """It stays in the picture's bytes: neither the object's metadata nor any page has it."""
    content_type, make = POLYGLOTS["JPEG and page"]
    untouched.but_for_avatar(user)
    check_served(user, bucket, content_type, make())
    avatar = user.avatar or ""
    assert "window.ran" not in str(bucket.head(avatar))
    for path in ("/", "/inspector/objects"):  # which begin with the newest
        shown = http.get(path).text
        assert avatar in shown
        assert "window.ran" not in shown
    refused.otherwise("shown nowhere")


def test_huge_metadata(user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> None:
    """As much of it as a file may have bytes, and a text that unpacks to 64 MB: it is passed over, not read."""
    jpeg = push_dimensions_back(make_picture("image/jpeg"), 4_800_000)
    bomb = make_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64_000_000), 9))
    text = make_chunk(b"tEXt", b"Comment\0" + random.Random(1).randbytes(4_800_000))  # noqa: S311 - bytes, not secrets
    png = make_picture()
    header = len(PNG) + 25
    untouched.but_for_avatar(user)
    for content_type, file in (
        ("image/jpeg", jpeg),
        ("image/png", png[:header] + bomb + png[header:]),
        ("image/png", png[:header] + text + png[header:]),
    ):
        assert len(file) < 5_000_000
        check_served(user, bucket, content_type, file)
    refused.otherwise("passed over")


def test_other_bytes_than_were_announced(user: User, untouched: Untouched, refused: Refused) -> None:
    """A form for a picture, and a document of its size; what S3 can't see the confirm sees."""
    picture = make_picture()
    form = user.presign("image/png", len(picture)).json()
    untouched.but_for_object(form["key"])
    assert post_form(form, PAGE.ljust(len(picture))).status_code == 204
    refused.by_service(user.confirm(form), 422, "not-a-picture")
