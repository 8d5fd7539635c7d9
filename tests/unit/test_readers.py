"""The dimensions that the readers find, compared with what Chromium, Firefox and Pillow show.

The browsers' behaviour was tried with Chromium 156 and Firefox 153.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from services.pictures.formats import CONTENT_TYPES, identify, measure
from tests.pictures import (
    CASES,
    FORMATS,
    PNG,
    draw_scene,
    make_bomb,
    make_camera_photograph,
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


def save(picture: Image.Image, name: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


# All formats


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [
        ("apng-trns-after-idat.png", None),
        ("gif-screen-0x0.gif", (120, 90)),
        ("gif-screen-40000.gif", (40_000, 1)),
        ("jpeg-comment-length-0.jpg", (120, 90)),
        ("jpeg-density-anisotropic.jpg", (120, 120)),
        ("jpeg-ff00.jpg", (120, 90)),
        ("jpeg-lossless-sof3.jpg", None),
        ("jpeg-no-eoi.jpg", (120, 90)),
        ("jpeg-two-stray-bytes.jpg", (120, 90)),
        ("png-bit-depth-0.png", None),
        ("png-no-iend.png", (120, 120)),
        ("webp-vp8-scale-bit.webp", (120, 90)),
    ],
)
def test_a_file_is_measured_as_browsers_show_it(name: str, dimensions: tuple[int, int] | None) -> None:
    assert measure((CASES / name).read_bytes()) == dimensions


@pytest.mark.parametrize("content_type", sorted({*CONTENT_TYPES} - {"image/webp"}))
def test_a_cut_off_picture_has_its_own_dimensions_or_none(content_type: str) -> None:
    picture = make_picture(content_type, size=(37, 21))
    assert measure(picture) == (37, 21)
    found = [measure(picture[:length]) for length in range(len(picture))]
    known = found.index((37, 21))
    assert set(found[:known]) == {None}
    assert set(found[known:]) == {(37, 21)}


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_bytes_after_the_end_of_a_picture_are_ignored(content_type: str) -> None:
    picture = make_picture(content_type, size=(37, 21))
    assert measure(picture + bytes(1_000_000)) == (37, 21)
    assert measure(picture + make_picture(content_type, size=(99, 99))) == (37, 21)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_picture_with_a_dimension_of_zero_has_no_dimensions(content_type: str) -> None:
    pictures = {
        "image/png": PNG + make_png_header(0, 21) + PIXELS,
        "image/jpeg": make_picture("image/jpeg", size=(37, 21)).replace(b"\0\x15\0\x25", b"\0\0\0\x25"),
        "image/webp": make_webp(make_webp_chunk(b"VP8 ", LOSSY.replace(b"\x10\0\x10\0", b"\x10\0\0\0"))),
        "image/gif": make_gif((0, 0), (0, 0, 4, 0)),
    }  # a further format needs its entry
    assert identify(pictures[content_type]) == content_type
    assert measure(pictures[content_type]) is None


VALID = [
    *(make_picture(content_type, size=(37, 21)) for content_type in CONTENT_TYPES),
    *(
        save(draw_scene(60, 40, 1), name, save_all=True, append_images=[draw_scene(60, 40, seed) for seed in (2, 3)])
        for name in ("PNG", "GIF", "WEBP")
    ),
    save(draw_scene(37, 21, 1), "JPEG", progressive=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
    save(draw_scene(37, 21, 1), "WEBP", lossless=True),
    *(file.read_bytes() for file in sorted(CASES.iterdir())),
]


@st.composite
def damaged_pictures(draw: st.DrawFn) -> bytes:
    """A picture with parts changed, removed, repeated, moved, or taken from another picture."""
    file = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start, other, length = (draw(st.integers(0, most)) for most in (len(file), len(file), 60))
        part = file[other : other + length] * draw(st.sampled_from((1, 1, 1, 1000)))
        part = draw(st.sampled_from((part, b"", draw(st.binary(max_size=12)), draw(st.sampled_from(VALID)))))
        file = file[:start] + part + file[start + draw(st.sampled_from((0, len(part), length))) :]
    return file


@settings(max_examples=600, database=None, derandomize=True, deadline=None)
@given(damaged_pictures() | st.binary(max_size=100))
@example(b"")
def test_a_damaged_picture_raises_nothing_and_has_positive_dimensions_or_none(content: bytes) -> None:
    dimensions = measure(content)
    assert dimensions is None or min(dimensions) > 0


@settings(max_examples=150, database=None, derandomize=True, deadline=None)
@given(
    st.sampled_from(CONTENT_TYPES),
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"]),
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 3),
    st.fixed_dictionaries({}, optional={"progressive": st.booleans(), "lossless": st.booleans()}),
)
def test_a_valid_picture_has_the_dimensions_that_pillow_finds(
    content_type: str, mode: str, width: int, height: int, frames: int, options: dict[str, bool]
) -> None:
    file = io.BytesIO()
    pictures = [Image.new("RGB", (width, height), (40 * number, 90, 200)).convert(mode) for number in range(frames)]
    more: dict[str, Any] = {} if content_type == "image/jpeg" else {"save_all": True, "append_images": pictures[1:]}
    try:
        pictures[0].save(file, FORMATS[content_type], **more, **options)
    except (OSError, KeyError, ValueError):
        return  # the format can't have this mode
    assert measure(file.getvalue()) == (width, height)


# PNG

PIXELS = make_chunk(b"IDAT", zlib.compress((b"\0" + bytes(8)) * 8))
HEADER = make_png_header(8, 8)
END = make_chunk(b"IEND", b"")
ANIMATION = make_chunk(b"acTL", struct.pack(">II", 2, 0))
FRAME_DATA = make_chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress((b"\0" + bytes(8)) * 8))
TRANSPARENCY = make_chunk(b"tRNS", bytes(2))
PALETTE = make_chunk(b"PLTE", bytes(768))
TEXT = make_chunk(b"tEXt", b"a\0b")
UNKNOWN_CRITICAL = make_chunk(b"TEST", b"")
FIRST, SECOND = make_png_frame(8, 8), make_png_frame(4, 3, 4, 5, number=1)


def make_header(depth: int, colour_type: int, *methods: int, width: int = 8) -> bytes:
    return make_chunk(b"IHDR", struct.pack(">IIBBBBB", width, 8, depth, colour_type, *(methods or (0, 0, 0))))


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(HEADER + PIXELS, id="no end"),
        pytest.param(HEADER + TEXT + PIXELS + PIXELS + TEXT + END, id="more chunks"),
        pytest.param(HEADER + PIXELS + TRANSPARENCY + PALETTE + END, id="transparency after the pixels"),
        pytest.param(HEADER + PIXELS + UNKNOWN_CRITICAL + END, id="an unknown critical chunk after the pixels"),
        pytest.param(HEADER + PIXELS + END + HEADER, id="a header after the end"),
        pytest.param(HEADER + PIXELS + b"\xff\xff\xff\xfftEXt", id="a chunk that never ends after the pixels"),
        pytest.param(make_header(8, 3) + PALETTE + PIXELS + END, id="palette"),
        pytest.param(make_header(1, 0, 0, 0, 1) + PIXELS + END, id="interlaced"),
        pytest.param(HEADER + ANIMATION + FIRST + PIXELS + SECOND + FRAME_DATA + END, id="animation"),
        pytest.param(HEADER + ANIMATION + PIXELS + SECOND + FRAME_DATA + END, id="animation without the pixels"),
        pytest.param(HEADER + TRANSPARENCY + ANIMATION + FIRST + PIXELS + SECOND + FRAME_DATA + END, id="transparent"),
        pytest.param(HEADER + PIXELS + ANIMATION + SECOND + FRAME_DATA + END, id="a late start of the animation"),
        pytest.param(HEADER + ANIMATION + FIRST + PIXELS + make_png_frame(99, 99)[:15], id="cut off in a frame"),
    ],
)
def test_a_png_that_browsers_show_has_the_dimensions_of_its_header(chunks: bytes) -> None:
    assert measure(PNG + chunks) == (8, 8)


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(HEADER + HEADER + PIXELS + END, id="two headers"),
        pytest.param(HEADER + PIXELS + HEADER + END, id="a header after the pixels"),
        pytest.param(TEXT + HEADER + PIXELS + END, id="another chunk first"),
        pytest.param(PIXELS + HEADER + END, id="pixels first"),
        pytest.param(HEADER + END + PIXELS, id="the end before the pixels"),
        pytest.param(HEADER + TEXT, id="no pixels"),
        pytest.param(HEADER + b"\xff\xff\xff\xfftEXt" + PIXELS, id="a chunk that never ends"),
        pytest.param(HEADER[:-4] + bytes(4) + PIXELS, id="a wrong checksum"),
        pytest.param(make_chunk(b"IHDR", HEADER[8:21] + b"\0") + PIXELS, id="a long header"),
        pytest.param(make_header(0, 2) + PIXELS, id="bit depth 0"),
        pytest.param(make_header(4, 2) + PIXELS, id="bit depth 4 for RGB"),
        pytest.param(make_header(16, 3) + PALETTE + PIXELS, id="bit depth 16 for a palette"),
        pytest.param(make_header(8, 5) + PIXELS, id="colour type 5"),
        pytest.param(make_header(8, 0, 1, 0, 0) + PIXELS, id="compression method 1"),
        pytest.param(make_header(8, 0, 0, 1, 0) + PIXELS, id="filter method 1"),
        pytest.param(make_header(8, 0, 0, 0, 2) + PIXELS, id="interlace method 2"),
        pytest.param(make_header(8, 3) + PIXELS + PALETTE, id="pixels before their palette"),
        pytest.param(HEADER + UNKNOWN_CRITICAL + PIXELS, id="an unknown critical chunk before the pixels"),
        pytest.param(HEADER + ANIMATION + FIRST + PIXELS + TRANSPARENCY + SECOND + FRAME_DATA, id="late transparency"),
        pytest.param(HEADER + ANIMATION + FIRST + FRAME_DATA + PIXELS, id="frame data before the pixels"),
        pytest.param(HEADER + ANIMATION + SECOND + PIXELS, id="a small first frame"),
        pytest.param(HEADER + ANIMATION + make_png_frame(9, 8) + PIXELS, id="a large first frame"),
        pytest.param(HEADER + ANIMATION + FIRST + PIXELS + make_png_frame(9, 8) + FRAME_DATA, id="a large frame"),
        pytest.param(
            HEADER + ANIMATION + FIRST + PIXELS + make_png_frame(8, 8, 0, 1), id="a frame across the lower edge"
        ),
        pytest.param(
            HEADER + ANIMATION + FIRST + PIXELS + make_png_frame(8, 8, 1, 0), id="a frame across the right edge"
        ),
        pytest.param(HEADER + PIXELS + make_png_frame(9, 8) + FRAME_DATA, id="a large frame of no animation"),
        pytest.param(HEADER + ANIMATION + FIRST + PIXELS + make_chunk(b"fcTL", bytes(27)), id="a long frame header"),
    ],
)
def test_a_png_with_chunks_out_of_order_or_an_impossible_header_is_refused(chunks: bytes) -> None:
    assert measure(PNG + chunks) is None


def test_pillow_uses_the_second_header_of_a_png() -> None:
    pixels = make_chunk(b"IDAT", zlib.compress(bytes(3001 * 2000)))
    picture = PNG + make_png_header(10, 10) + make_png_header(3000, 2000) + pixels
    assert Image.open(io.BytesIO(picture)).size == (3000, 2000)
    assert measure(picture) is None


def test_a_bomb_is_measured_without_unpacking_it() -> None:
    assert measure(make_bomb()) == (30_000, 30_000)


# JPEG

JPEG = make_picture("image/jpeg", size=(37, 21))
FRAME_AT, SCAN_AT = JPEG.index(b"\xff\xc0"), JPEG.index(b"\xff\xda")
FRAME = JPEG[FRAME_AT : FRAME_AT + 19]
SMALL_FRAME = FRAME[:5] + struct.pack(">HH", 1, 1) + FRAME[9:]


@pytest.mark.parametrize(
    "inserted",
    [
        pytest.param(b"\0\0", id="two stray bytes"),
        pytest.param(b"\xff\0" * 3, id="FF 00"),
        pytest.param(b"\xff" * 100, id="fill bytes"),
        pytest.param(b"\xff\xff\0\xff\x01", id="fill bytes before FF 00, and TEM"),
        pytest.param(b"\xff\xd0\xff\xd7", id="restart markers"),
        pytest.param(b"\xff\xfe\0\0", id="a comment of length 0"),
        pytest.param(b"\xff\xe1\0\1", id="an application segment of length 1"),
        pytest.param(b"\xff\xe0\0\0", id="an application segment of length 0"),
        pytest.param(b"\xff\xdb\0\2", id="no tables"),
        pytest.param(b"\xff\xdc\0\4\0\1", id="a number of lines"),
        pytest.param(b"\xff\xe1\0\x15" + SMALL_FRAME, id="a frame header in an application segment"),
    ],
)
def test_a_jpeg_that_browsers_show_has_the_dimensions_of_its_frame(inserted: bytes) -> None:
    assert measure(JPEG[:FRAME_AT] + inserted + JPEG[FRAME_AT:]) == (37, 21)
    assert measure(JPEG[:SCAN_AT] + inserted + JPEG[SCAN_AT:]) == (37, 21)


@pytest.mark.parametrize(
    "inserted",
    [
        pytest.param(FRAME, id="the same frame header again"),
        pytest.param(SMALL_FRAME, id="another frame header"),
        pytest.param(b"\xff\xd8", id="a second start"),
        pytest.param(b"\xff\xd9", id="an end"),
        pytest.param(b"\xff\xdb\0\0", id="tables of length 0"),
        pytest.param(b"\xff\xfe\xff\xff", id="a comment that never ends"),
        pytest.param(b"\xff\xc8\0\2", id="JPG"),
        pytest.param(b"\xff\xf0\0\2", id="JPG0"),
        pytest.param(b"\xff\x02\0\2", id="RES"),
        pytest.param(b"\xff\xde" + FRAME[2:], id="the header of a hierarchical process"),
    ],
)
def test_a_jpeg_with_a_marker_that_chromium_refuses_is_refused(inserted: bytes) -> None:
    assert measure(JPEG[:FRAME_AT] + inserted + JPEG[FRAME_AT:]) is None
    assert measure(JPEG[:SCAN_AT] + inserted + JPEG[SCAN_AT:]) is None


def put(at: int, value: bytes) -> bytes:
    """The JPEG with these bytes at this place of its frame header."""
    return JPEG[: FRAME_AT + at] + value + JPEG[FRAME_AT + at + len(value) :]


@pytest.mark.parametrize(
    ("jpeg", "dimensions"),
    [
        *(pytest.param(put(1, bytes([code])), (37, 21), id=f"SOF{code - 0xC0}") for code in (0xC0, 0xC1, 0xC2, 0xC9)),
        *(
            pytest.param(put(1, bytes([code])), None, id=f"SOF{code - 0xC0}")
            for code in (0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF)
        ),
        *(pytest.param(put(4, bytes([bits])), None, id=f"{bits} bits") for bits in (7, 9, 12, 16)),
        pytest.param(put(2, b"\0\x12"), None, id="a long frame header"),
        pytest.param(put(2, b"\0\x0e\x08\0\x15\0\x25\2"), None, id="two components"),
        pytest.param(put(11, b"\0"), None, id="sampling factors of 0"),
        pytest.param(put(11, b"\x51"), None, id="a sampling factor of 5"),
        pytest.param(put(5, b"\0\0"), None, id="no height"),
        pytest.param(put(5, b"\0\0") + b"\xff\xdc\0\4\0\x15\xff\xd9", None, id="a height after the scan"),
        pytest.param(JPEG[:-2] + b"\xff\xdc\0\4\7\xff\xff\xd9", (37, 21), id="another number of lines"),
        pytest.param(JPEG[:SCAN_AT], None, id="no scan"),
        pytest.param(JPEG[: SCAN_AT + 5], None, id="a scan without its header"),
        pytest.param(JPEG[:FRAME_AT] + JPEG[SCAN_AT:], None, id="no frame header"),
        pytest.param(b"\xff\xd8" + b"\xff" * 2000, None, id="only fill bytes"),
        pytest.param(push_dimensions_back(JPEG, 2_000_000), (37, 21), id="two megabytes of metadata"),
    ],
)
def test_a_jpeg_is_measured_by_its_frame_header(jpeg: bytes, dimensions: tuple[int, int] | None) -> None:
    assert measure(jpeg) == dimensions


def test_a_photograph_has_its_stored_dimensions_whatever_its_orientation() -> None:
    photograph = make_camera_photograph(size=(300, 200))
    assert Image.open(io.BytesIO(photograph)).getexif()[0x0112] == 6  # rotated by 90 degrees
    assert measure(photograph) == (300, 200)


SCAN = JPEG[SCAN_AT : SCAN_AT + 14]
"""The header of a scan with the components 1, 2 and 3."""
QUANTIZATION, HUFFMAN = b"\xff\xdb", b"\xff\xc4"


@pytest.mark.parametrize(
    "jpeg",
    [
        pytest.param(JPEG.replace(SCAN, SCAN[:4] + b"\0" + SCAN[5:]), id="a scan without components"),
        pytest.param(JPEG.replace(SCAN, SCAN[:4] + b"\2" + SCAN[5:]), id="a scan that is too long"),
        pytest.param(JPEG.replace(SCAN, SCAN[:5] + b"\x09" + SCAN[6:]), id="a component that the frame does not have"),
        pytest.param(JPEG.replace(SCAN, SCAN[:5] + b"\2" + SCAN[6:]), id="a component twice"),
        pytest.param(JPEG[:2] + QUANTIZATION + b"\0\x43\4" + bytes(64) + JPEG[2:], id="a fifth quantization table"),
        pytest.param(JPEG[:2] + QUANTIZATION + b"\0\x42\0" + bytes(63) + JPEG[2:], id="a short quantization table"),
        pytest.param(JPEG[:2] + HUFFMAN + b"\0\x13\4" + bytes(16) + JPEG[2:], id="a fifth Huffman table"),
        pytest.param(JPEG[:2] + HUFFMAN + b"\0\x12\0" + bytes(15) + JPEG[2:], id="a short Huffman table"),
        pytest.param(JPEG[:2] + HUFFMAN + b"\0\x14\0\5" + bytes(15) + b"x" + JPEG[2:], id="codes beyond the segment"),
        pytest.param(
            JPEG[:2] + HUFFMAN + b"\1\x23\0" + b"\xff\x11" + bytes(14) + bytes(272) + JPEG[2:], id="too many codes"
        ),
    ],
)
def test_a_jpeg_with_a_scan_or_table_that_decoders_refuse_is_refused(jpeg: bytes) -> None:
    assert identify(jpeg) == "image/jpeg"
    assert measure(jpeg) is None


def test_a_thumbnail_of_a_jpeg_does_not_count() -> None:
    thumbnail = make_picture("image/jpeg", size=(300, 300))
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(thumbnail)) + thumbnail
    assert measure(JPEG[:2] + segment + JPEG[2:] + thumbnail) == (37, 21)


def test_a_jpeg_has_the_dimensions_that_decoders_read_after_ff_00() -> None:
    # A reader that takes FF 00 for a segment would continue inside the comment below, at another frame header.
    jpeg = make_picture("image/jpeg", size=(3000, 2000))
    scan = jpeg.index(b"\xff\xda")
    skipped = jpeg[2:scan] + b"\xff\xfe" + struct.pack(">H", 2 + len(SMALL_FRAME))
    picture = jpeg[:2] + b"\xff\0" + struct.pack(">H", 2 + len(skipped)) + skipped + SMALL_FRAME + jpeg[scan:]
    assert Image.open(io.BytesIO(picture)).size == (3000, 2000)
    assert measure(picture) == (3000, 2000)


# GIF

COMMENT = b"!\xfe" + b"\3abc" + b"\2,," + b"\0"


@pytest.mark.parametrize(
    ("gif", "dimensions"),
    [
        pytest.param(make_gif((10, 10), (0, 0, 5, 5)), (10, 10), id="a frame within the screen"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20)), (30, 20), id="a frame beyond the screen"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 5)), (30, 10), id="a frame beyond one side"),
        pytest.param(make_gif((10, 10), (8, 9, 5, 5)), (13, 14), id="a frame across the edge"),
        pytest.param(make_gif((0, 0), (0, 0, 30, 20)), (30, 20), id="an empty screen"),
        pytest.param(make_gif((0, 30), (0, 0, 30, 20)), (30, 30), id="a screen without width"),
        pytest.param(make_gif((65_535, 1), (0, 0, 4, 1)), (65_535, 1), id="the widest screen"),
        pytest.param(make_gif((1, 1), (65_535, 0, 65_535, 1)), (131_070, 1), id="the widest frame"),
        pytest.param(make_gif((10, 10), (0, 0, 5, 5), (0, 0, 30, 20)), (30, 20), id="a second frame beyond the screen"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), flags=0x80), (30, 20), id="two colours"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), flags=0xF7), (30, 20), id="256 colours"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), flags=0x77), (30, 20), id="no colours but a number of them"),
        pytest.param(
            make_gif((1, 1), (0, 0, 5, 5), (0, 0, 30, 20), frame_flags=0x87), (30, 20), id="colours of a frame"
        ),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), before=COMMENT * 2), (30, 20), id="comments"),
        pytest.param(make_gif((1, 1), (0, 0, 5, 5), (0, 0, 9, 9), data=(b"\xff" + b"," * 255) * 3), (9, 9), id="255"),
        pytest.param(make_gif((1, 1), (0, 0, 5, 5), (0, 0, 9, 9), data=(b"\xfe" + b"," * 254) * 3), (9, 9), id="254"),
        pytest.param(make_gif((1, 1), (0, 0, 5, 5), (0, 0, 9, 9), data=b"\xff" * 256 + b"\1,"), (9, 9), id="mixed"),
        pytest.param(make_gif((10, 10), (0, 0, 5, 5), end=b"x,,,,"), (10, 10), id="no block after a frame"),
        pytest.param(make_gif((10, 10), (0, 0, 5, 5), end=b""), (10, 10), id="no trailer"),
        pytest.param(make_gif((10, 10), (0, 0, 5, 5), end=b"," + bytes(7)), (10, 10), id="cut off in the second frame"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), before=COMMENT)[:-25], None, id="cut off in a comment"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), end=b"")[:-8], None, id="cut off in the frame"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), before=b";"), None, id="an end before the frame"),
        pytest.param(make_gif((10, 10), (0, 0, 30, 20), before=b"\0"), None, id="no block before the frame"),
        pytest.param(make_gif((10, 10)), None, id="no frame"),
    ],
)
def test_a_gif_is_measured_with_all_its_frames(gif: bytes, dimensions: tuple[int, int] | None) -> None:
    assert measure(gif) == dimensions


def test_pillow_enlarges_the_screen_of_a_gif_to_each_frame() -> None:
    pictures = [draw_scene(30, 20, seed) for seed in (1, 2)]
    gif = save(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
    second = gif.rindex(struct.pack("<HH", 30, 20))
    picture = Image.open(
        io.BytesIO(gif[:6] + bytes(4) + gif[10:second] + struct.pack("<HH", 90, 20) + gif[second + 4 :])
    )
    assert picture.size == (30, 20)
    picture.seek(1)
    assert picture.size == (90, 20)


# WebP

LOSSY = b"\x10\0\0\x9d\x01\x2a\x10\0\x10\0"
"""The header of a VP8 picture of 16 x 16 pixels."""
PICTURE, LARGE_PICTURE = make_webp_chunk(b"VP8 ", LOSSY), make_webp_chunk(b"VP8 ", LOSSY[:6] + b"\x40\0\x40\0")
LOSSLESS = make_webp_chunk(b"VP8L", b"\x2f" + struct.pack("<I", 15 | 15 << 14))
CANVAS = make_webp_canvas(16, 16)
MOVING = make_webp_canvas(16, 16, animated=True)
START = make_webp_chunk(b"ANIM", bytes(6))
UNKNOWN = make_webp_chunk(b"test", b"abc")


@pytest.mark.parametrize(
    "webp",
    [
        pytest.param(make_webp(PICTURE), id="VP8"),
        pytest.param(make_webp(LOSSLESS), id="VP8L"),
        pytest.param(make_webp(CANVAS, UNKNOWN, PICTURE, UNKNOWN), id="VP8X"),
        pytest.param(make_webp(make_webp_chunk(b"VP8 ", LOSSY[:7] + b"\xc0\x10\x40")), id="scale bits"),
        pytest.param(make_webp(make_webp_chunk(b"VP8 ", b"\x16" + LOSSY[1:])), id="version 3"),
        pytest.param(make_webp(PICTURE) + bytes(1000), id="bytes after the end"),
        pytest.param(make_webp(PICTURE, PICTURE), id="a second picture of the same size"),
        pytest.param(make_webp(MOVING, START, make_webp_frame(PICTURE), make_webp_frame(LOSSLESS)), id="animation"),
        pytest.param(make_webp(MOVING, START, make_webp_frame(PICTURE), make_webp_frame()), id="an empty frame"),
    ],
)
def test_a_webp_that_browsers_show_has_the_dimensions_of_its_canvas(webp: bytes) -> None:
    assert measure(webp) == (16, 16)


@pytest.mark.parametrize(
    "webp",
    [
        pytest.param(make_webp(make_webp_canvas(99, 99), PICTURE), id="a canvas larger than the picture"),
        pytest.param(make_webp(make_webp_canvas(1, 1), PICTURE), id="a canvas smaller than the picture"),
        pytest.param(make_webp(PICTURE, LARGE_PICTURE), id="a second, larger picture"),
        pytest.param(make_webp(CANVAS, PICTURE, LARGE_PICTURE), id="a second, larger picture on the canvas"),
        pytest.param(
            make_webp(MOVING, START, make_webp_frame(PICTURE), make_webp_frame(PICTURE, 2)), id="a frame beyond"
        ),
        pytest.param(make_webp(MOVING, START, make_webp_frame(LARGE_PICTURE)), id="a frame with a larger picture"),
        pytest.param(make_webp(MOVING, START, make_webp_frame(PICTURE, size=17)), id="a larger frame"),
        pytest.param(make_webp(CANVAS, START, make_webp_frame(PICTURE)), id="a frame of no animation"),
        pytest.param(make_webp(MOVING, PICTURE), id="an animation without a frame"),
        pytest.param(make_webp(CANVAS, UNKNOWN), id="no picture"),
        pytest.param(make_webp(UNKNOWN, PICTURE), id="another chunk first"),
        pytest.param(make_webp(CANVAS[:4] + b"\x0c" + CANVAS[5:] + bytes(2), PICTURE), id="a long VP8X"),
        pytest.param(make_webp(make_webp_chunk(b"VP8 ", b"\x11" + LOSSY[1:])), id="no key frame"),
        pytest.param(make_webp(make_webp_chunk(b"VP8 ", b"\0" + LOSSY[1:])), id="not shown"),
        pytest.param(make_webp(make_webp_chunk(b"VP8 ", b"\x18" + LOSSY[1:])), id="version 4"),
        pytest.param(make_webp(make_webp_chunk(b"VP8 ", LOSSY[:3] + bytes(3) + LOSSY[6:])), id="no start code"),
        pytest.param(make_webp(make_webp_chunk(b"VP8L", b"\x2e" + bytes(4))), id="no signature"),
        pytest.param(make_webp(make_webp_chunk(b"VP8L", b"\x2f" + bytes(3) + b"\x20")), id="version 1 of VP8L"),
        pytest.param(b"RIFF\x08\0\0\0" + make_webp(PICTURE)[8:], id="a size that ends before the picture"),
        pytest.param(b"RIFF\x15\0\0\0" + make_webp(PICTURE)[8:], id="a size that ends within the picture"),
        pytest.param(make_webp(MOVING, START, make_webp_frame(PICTURE), make_webp_frame(PICTURE))[:-30], id="cut off"),
        pytest.param(b"RIFF\xff\0\0\0" + make_webp(PICTURE)[8:], id="cut off before its size"),
        pytest.param(make_webp(PICTURE, UNKNOWN[:-1]), id="a last chunk without its padding"),
        pytest.param(make_webp(CANVAS, PICTURE, b"test\x10\0\0\0abc"), id="a last chunk longer than the file"),
        pytest.param(make_webp(PICTURE, b"test\0"), id="a last chunk without its length"),
        pytest.param(
            make_webp(make_webp_canvas(17, 17, animated=True), START, make_webp_frame(PICTURE, 2)),
            id="a frame one pixel beyond the canvas",
        ),
    ],
)
def test_a_webp_with_a_second_size_or_an_impossible_header_is_refused(webp: bytes) -> None:
    assert identify(webp) in {"image/webp", None}
    assert measure(webp) is None
