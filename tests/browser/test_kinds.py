"""What the page says about a file by its first bytes, whatever its name is."""

from __future__ import annotations

import base64
import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, expect

from services.pictures.formats import FORMATS, identify
from tests.browsing import SAME, difference, each_in_firefox
from tests.conftest import only_prefix
from tests.pictures import CASES, draw_scene, make_picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, User

# The page recognizes files in the same way under both strategies.
pytestmark = only_prefix

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96"><rect width="96" height="96"/></svg>'


def make_ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return struct.pack(">I", 16 + len(brands)) + b"ftyp" + major + bytes(4) + brands + bytes(50)


def save(format_name: str) -> bytes:
    file = io.BytesIO()
    draw_scene(60, 40, seed=1).save(file, format_name)
    return file.getvalue()


@dataclass(frozen=True)
class Kind:
    what: str
    content: bytes
    advice: str | None = None
    """What the page says if no browser shows the file as a picture. None for a picture."""
    is_shown: bool = False
    """Whether Chromium shows the file."""


EXPORT = "Export it as a PNG, and choose that file."
SAVE_PAGE = "Save the page that you want as a PNG, and choose that file."
SAVE_FRAME = "Save one of its frames as a PNG or JPEG, and choose that file."

KINDS = {
    "AVIF": Kind("an AVIF picture", save("AVIF"), is_shown=True),
    "AVIF by a compatible brand": Kind("an AVIF picture", make_ftyp(b"mif1", b"mif1", b"avif")),
    "moving AVIF": Kind("an AVIF picture", make_ftyp(b"avis", b"msf1")),
    "HEIC": Kind("a HEIC picture", make_ftyp(b"heic", b"mif1", b"heic")),
    "HEIC by a general brand": Kind("a HEIC picture", make_ftyp(b"mif1", b"heic")),
    "JPEG XL": Kind("a JPEG XL picture", b"\xff\x0a" + bytes(50)),
    "JPEG XL in a container": Kind("a JPEG XL picture", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(50)),
    "TIFF": Kind("a TIFF or raw picture", save("TIFF")),
    "BMP": Kind("a BMP picture", save("BMP"), is_shown=True),
    "SVG": Kind("an SVG drawing", SVG, EXPORT),
    "SVG with a declaration": Kind("an SVG drawing", b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x -->" + SVG, EXPORT),
    "SVG with a prefix": Kind("an SVG drawing", SVG.replace(b"svg xmlns", b"s:svg xmlns:s"), EXPORT),
    "PDF after blank lines": Kind("a PDF document", b"\n\r\n%PDF-1.7\n" + bytes(50), SAVE_PAGE),
    "PDF": Kind("a PDF document", b"%PDF-1.7\n" + bytes(50), SAVE_PAGE),
    "MP4": Kind("a video", make_ftyp(b"isom", b"mp42"), SAVE_FRAME),
    "QuickTime": Kind("a video", make_ftyp(b"qt  "), SAVE_FRAME),
    "WebM": Kind("a video", b"\x1a\x45\xdf\xa3" + bytes(50), SAVE_FRAME),
    "AVI": Kind("a video", b"RIFF\0\0\0\0AVI LIST" + bytes(50), SAVE_FRAME),
    "MPEG": Kind("a video", b"\0\0\x01\xba" + bytes(50), SAVE_FRAME),
}


def pack(content: bytes, name: str = "photo.jpg", content_type: str = "image/jpeg") -> FilePayload:
    return FilePayload(name=name, mimeType=content_type, buffer=content)


def test_each_kind_of_file_that_is_not_accepted_has_its_own_sentence(site: Site, user: User) -> None:
    old = user.avatar
    site.log_in(user.username)
    for case, kind in KINDS.items():
        file = pack(kind.content, f"{case}.jpg")
        sentence = f"{case}.jpg is {kind.what}{'.' if kind.advice else ','}"
        advice = kind.advice or "which is not accepted as it is. Choose it in the box above"
        site.input("confirm").set_input_files(file)
        expect(site.failure).to_contain_text(f"{sentence} {advice}")
        site.page.locator("#choose").set_input_files(file)
        if kind.is_shown:
            expect(site.editor).to_contain_text(f"{case}.jpg")
            site.editor.get_by_role("button", name="Another picture").click()
            expect(site.editor).to_be_hidden()
        else:
            save_as = (
                "which this browser can't show. Save it as a JPEG or PNG in another program, and choose that file."
            )
            expect(site.page.locator("#picture-problem")).to_have_text(f"{sentence} {kind.advice or save_as}")
    expect(site.calls).to_have_count(0)
    assert user.avatar == old


UNKNOWN = (
    FilePayload(name="UTF-16.svg", mimeType="image/svg+xml", buffer=SVG.decode().encode("utf-16")),
    FilePayload(name="text.png", mimeType="image/png", buffer=b"Dear Sir or Madam"),
    FilePayload(name="after a space.jpg", mimeType="image/jpeg", buffer=b" " + make_picture("image/jpeg")),
    FilePayload(name="music.m4a", mimeType="audio/mp4", buffer=make_ftyp(b"M4A ", b"isom")),
)


def test_a_file_of_no_known_kind_is_uploaded_only_after_a_click(site: Site, user: User) -> None:
    old = user.avatar
    site.log_in(user.username)
    for file in UNKNOWN:
        site.page.locator("#choose").set_input_files(file)
        expect(site.page.locator("#picture-problem")).to_contain_text(f"{file['name']} can't be read as a picture.")
        expect(site.editor).to_be_hidden()
        site.input("confirm").set_input_files(file)
        question = site.page.get_by_role("dialog", name="Metadata stays in the file")
        expect(question).to_contain_text(
            f"can't be stripped from {file['name']}, since its bytes are no picture that this page knows."
        )
        question.get_by_role("button", name="Cancel").click()
        expect(question).to_be_hidden()
        expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    expect(site.calls).to_have_count(0)
    assert user.avatar == old


def test_a_moving_avif_becomes_its_first_frame(site: Site, user: User) -> None:
    file = io.BytesIO()
    frames = [draw_scene(60, 40, seed=seed) for seed in (1, 2)]
    frames[0].save(file, "AVIF", save_all=True, append_images=frames[1:])
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(pack(file.getvalue(), "moving.avif", "image/avif"))
    expect(site.editor).to_contain_text("Will upload 40 × 40 px of the first frame, without the animation")
    expect(site.editor.get_by_label("a square")).to_be_checked()


@each_in_firefox
@pytest.mark.parametrize("case", [case for case, kind in KINDS.items() if kind.is_shown])
def test_the_editor_converts_what_the_browser_shows(site: Site, user: User, bucket: Bucket, case: str) -> None:
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(pack(KINDS[case].content, f"photo.{case.lower()}", ""))
    expect(site.editor).to_contain_text("60 × 40 pixels")
    expect(site.editor.get_by_label("the original file")).to_be_disabled()
    site.editor.get_by_role("button", name="Upload").click()
    site.expect_entry("done")
    assert user.avatar
    with Image.open(io.BytesIO(bucket.read(user.avatar))) as picture:
        assert (picture.format, picture.size) == ("PNG", (40, 40))
        shown = Image.open(io.BytesIO(KINDS[case].content)).convert("RGB").crop((10, 0, 50, 40))
        assert difference(picture.convert("RGB"), shown) < SAME


@pytest.mark.parametrize(("name", "declared"), [("photo", ""), ("photo.png", "image/png"), ("photo.jpg", "image/jpeg")])
def test_the_content_type_is_that_of_the_first_bytes(
    site: Site, user: User, bucket: Bucket, name: str, declared: str
) -> None:
    site.log_in(user.username)
    for content_type, known in FORMATS.items():
        with site.expect_new_entry("done"):
            site.input("confirm").set_input_files(pack(make_picture(content_type), name, declared))
        assert user.avatar
        assert bucket.head(user.avatar)["ContentType"] == content_type
        with Image.open(io.BytesIO(bucket.read(user.avatar))) as picture:
            assert picture.format == known.name.upper()


RECOGNIZE = """async (file) => {
    const { recognize } = await import("/static/formats.js");
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    const { file: found, format, other } = await recognize(new File([bytes], "photo.tiff", { type: "image/tiff" }));
    return [format?.content_type ?? null, other?.what ?? null, found.type];
}"""

HEADS = [
    *(make_picture(content_type) for content_type in FORMATS),
    *(kind.content for kind in KINDS.values()),
    *(b"", b"\xff\xd8", b"\x89PNG\r\n\x1a", b"GIF87a", b"GIF88a", b"RIFF\x10\0\0\0WEBP", b"RIFF\x10\0\0\0WEBPVP8L"),
    *(
        b"RIFF\x10\0\0\0WEBPEXIF",
        b"RIFF\n\0\0\0WEBPVP8X",
        b" \xff\xd8\xff",
        b"<!doctype html><svg></svg>",
        b"BMW is a car",
        make_ftyp(b"M4A ", b"isom"),
    ),
]


@pytest.mark.parametrize("head", HEADS, ids=repr)
def test_the_page_recognizes_the_formats_that_the_service_recognizes(frame: Page, head: bytes) -> None:
    content_type = identify(head)
    whats = {kind.content: kind.what for kind in KINDS.values()}
    found = frame.evaluate(RECOGNIZE, base64.b64encode(head).decode())
    assert found == [content_type, whats.get(head), content_type or "image/tiff"]


VERDICTS = {
    "apng-trns-after-idat.png": "unreadable-picture",
    "gif-screen-0x0.gif": "done",
    "gif-screen-40000.gif": "Too many pixels",
    "jpeg-comment-length-0.jpg": "done",
    "jpeg-density-anisotropic.jpg": "done",
    "jpeg-ff00.jpg": "done",
    "jpeg-lossless-sof3.jpg": "unreadable-picture",
    "jpeg-no-eoi.jpg": "done",
    "jpeg-two-stray-bytes.jpg": "done",
    "png-bit-depth-0.png": "unreadable-picture",
    "png-no-iend.png": "done",
    "webp-vp8-scale-bit.webp": "done",
}
"""What becomes of each file in `tests/cases`: it is the avatar, the service refuses it, or the page asks."""


def test_each_case_has_its_verdict_on_the_page(
    site: Site, user: User, bucket: Bucket, browser_errors: BrowserErrors
) -> None:
    assert set(VERDICTS) == {file.name for file in CASES.iterdir()}
    # Firefox shows a file that is cut off, and reports it.
    browser_errors.ignored += ("Image corrupt or truncated.",)
    browser_errors.expect("status of 422")
    site.log_in(user.username)
    for name, verdict in VERDICTS.items():
        old = user.avatar
        file = site.input("confirm")
        if verdict == "done":
            with site.expect_new_entry("done"):
                file.set_input_files(CASES / name)
            assert user.avatar
            assert user.avatar != old
            assert identify(bucket.read(user.avatar)) == identify((CASES / name).read_bytes())
        elif verdict == "unreadable-picture":
            with site.expect_new_entry("failed"):
                file.set_input_files(CASES / name)
                # The page can't remove its metadata.
                if name == "jpeg-lossless-sof3.jpg":
                    site.page.get_by_role("button", name="Upload it as it is").click()
            expect(site.failure).to_contain_text(f"(422, urn:problem:{verdict})")
            assert user.avatar == old
        else:
            file.set_input_files(CASES / name)
            question = site.page.get_by_role("dialog", name=verdict)
            expect(question).to_be_visible()
            assert user.avatar == old
            question.get_by_role("button", name="Cancel").click()
            expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
