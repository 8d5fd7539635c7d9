"""The editor: a picture is chosen, dropped or pasted, previewed, cropped and scaled before its upload."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import expect

from services.pictures.formats import FORMATS
from tests.browsing import ANOTHER, PHOTOGRAPH, SAME, difference, draw_avatar, read_key
from tests.conftest import only_prefix
from tests.pictures import make_camera_photograph, make_picture

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browsing import Site
    from tests.conftest import Bucket, User

# The editor is the same under both strategies.
pytestmark = only_prefix

SIDE = 512

INSERT = """([kind, name, type, file]) => {
    const bytes = Uint8Array.from(atob(file), (character) => character.charCodeAt());
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const target = document.querySelector("#drop b");
    const options = { bubbles: true, cancelable: true };
    if (kind === "paste") {
        document.body.dispatchEvent(new ClipboardEvent("paste", { ...options, clipboardData: transfer }));
        return [];
    }
    const events = ["dragover", "drop"].map((name) => new DragEvent(name, { ...options, dataTransfer: transfer }));
    return events.map((event) => target.dispatchEvent(event));
}"""
"""Dispatch the events of a dropped or pasted file. For each event of a drop the result is whether the browser would
then open the file, which is its default action."""


def insert(page: Page, kind: str, file: Path, content_type: str = "image/jpeg") -> list[bool]:
    return page.evaluate(INSERT, [kind, file.name, content_type, base64.b64encode(file.read_bytes()).decode()])


def choose(site: Site, file: Path) -> None:
    site.page.locator("#choose").set_input_files(file)
    expect(site.editor).to_be_visible()


def start(site: Site) -> None:
    site.editor.get_by_role("button", name="Upload").click()
    site.expect_entry("done")


def read_avatar(user: User, bucket: Bucket) -> tuple[Image.Image, dict[str, Any]]:
    assert user.avatar
    return Image.open(io.BytesIO(bucket.read(user.avatar))), bucket.head(user.avatar)


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_the_editor_shows_a_picture_before_its_upload(site: Site, user: User, bucket: Bucket, way: str) -> None:
    site.log_in(user.username)
    old = user.avatar
    if way == "choose":
        choose(site, PHOTOGRAPH)
    else:
        assert insert(site.page, way, PHOTOGRAPH) == ([False, False] if way == "drop" else [])
    expect(site.editor).to_contain_text("cat.jpg")
    expect(site.editor).to_contain_text("451 × 300 pixels, 45,755 bytes")
    expect(site.editor).to_contain_text("Uploaded: 300 × 300 pixels")
    shown = site.editor.locator("canvas").screenshot()
    assert difference(shrink(Image.open(io.BytesIO(shown)), 66), draw_avatar(PHOTOGRAPH).resize((66, 66))) < ANOTHER
    expect(site.calls).to_have_count(0)
    assert user.avatar == old

    start(site)
    picture, head = read_avatar(user, bucket)
    assert (picture.format, picture.size, head["ContentType"]) == ("JPEG", (300, 300), "image/jpeg")
    expect(site.editor).to_be_hidden()
    assert difference(site.see_picture(user.username), draw_avatar(PHOTOGRAPH)) < SAME


def shrink(shown: Image.Image, side: int) -> Image.Image:
    """The middle of the editor's preview, which its frame does not darken, scaled to the size of an avatar's middle."""
    edge = round(shown.width * (96 - side) / 2 / 96)
    return shown.convert("RGB").crop((edge, edge, shown.width - edge, shown.height - edge)).resize((side, side))


def test_a_large_photograph_is_scaled_and_loses_its_metadata(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(make_camera_photograph(size=(1600, 1200)))
    site.log_in(user.username)
    choose(site, file)
    # Its EXIF orientation turns it upright.
    expect(site.editor).to_contain_text("1,200 × 1,600 pixels")
    start(site)
    picture, _ = read_avatar(user, bucket)
    assert picture.size == (SIDE, SIDE)
    assert dict(picture.getexif()) == {}
    assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME


@pytest.mark.parametrize("content_type", FORMATS)
def test_a_cropped_picture_is_saved_in_the_content_type_for_its_format(
    site: Site, user: User, bucket: Bucket, tmp_path: Path, content_type: str
) -> None:
    file = tmp_path / f"picture.{FORMATS[content_type].extensions[0]}"
    file.write_bytes(make_picture(content_type, size=(90, 60)))
    site.log_in(user.username)
    choose(site, file)
    start(site)
    picture, head = read_avatar(user, bucket)
    assert (picture.size, head["ContentType"]) == ((60, 60), FORMATS[content_type].edited_as)
    assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME


def test_sliders_keys_and_dragging_choose_the_uploaded_square(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    """The picture has four squares, each of another colour, so the colour shows where it was cropped."""
    file = tmp_path / "colours.png"
    colours = Image.new("RGB", (400, 400), "red")
    colours.paste("lime", (200, 0, 400, 200))
    colours.paste("blue", (0, 200, 200, 400))
    colours.paste("white", (200, 200, 400, 400))
    colours.save(file)
    site.log_in(user.username)
    choose(site, file)
    sliders = {name: site.editor.get_by_label(name) for name in ("Zoom", "Left to right", "Top to bottom")}
    sliders["Zoom"].fill("2")
    sliders["Left to right"].fill("1")
    sliders["Top to bottom"].fill("0")
    expect(site.editor).to_contain_text("Uploaded: 200 × 200 pixels")
    assert see_colour(site) == (0, 255, 0)

    canvas = site.editor.locator("canvas")
    canvas.focus()
    for _ in range(50):
        site.page.keyboard.press("ArrowDown")
    assert see_colour(site) == (255, 255, 255)

    box = canvas.bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    site.page.mouse.move(*middle)
    site.page.mouse.down()
    site.page.mouse.move(middle[0] + 300, middle[1], steps=5)
    site.page.mouse.up()
    assert see_colour(site) == (0, 0, 255)

    start(site)
    picture, _ = read_avatar(user, bucket)
    assert picture.size == (200, 200)
    assert picture.convert("RGB").getpixel((100, 100)) == (0, 0, 255)


def see_colour(site: Site) -> Any:
    shot = Image.open(io.BytesIO(site.editor.locator("canvas").screenshot())).convert("RGB")
    return shot.getpixel((shot.width // 2, shot.height // 2))


def test_the_original_file_can_be_uploaded(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    choose(site, PHOTOGRAPH)
    site.editor.get_by_label("the original file").check()
    expect(site.editor.get_by_label("Zoom")).to_be_disabled()
    expect(site.editor).to_contain_text("Uploaded: the file as it is")
    start(site)
    assert user.avatar
    assert bucket.read(user.avatar) == PHOTOGRAPH.read_bytes()


def test_another_picture_can_be_chosen_instead(site: Site, user: User, bucket: Bucket, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(make_picture(seed=9))
    site.log_in(user.username)
    choose(site, PHOTOGRAPH)
    site.editor.get_by_role("button", name="Another picture").click()
    expect(site.editor).to_be_hidden()
    choose(site, other)
    expect(site.editor).to_contain_text("other.png")
    start(site)
    picture, _ = read_avatar(user, bucket)
    assert difference(picture.convert("RGB"), ImageOps.fit(Image.open(other).convert("RGB"), picture.size)) < SAME


def test_a_file_that_is_no_picture_is_reported_before_any_call(site: Site, user: User, tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear Sir or Madam")
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(letter)
    *others, last = (known.name for known in FORMATS.values())
    expect(site.page.get_by_role("alert").first).to_have_text(
        f"letter.png can't be read as a picture. Choose a {', '.join(others)} or {last}."
    )
    expect(site.editor).to_be_hidden()
    expect(site.calls).to_have_count(0)
    choose(site, PHOTOGRAPH)
    expect(site.page.locator("#picture-problem")).to_be_empty()


def test_a_file_that_is_chosen_during_an_upload_is_uploaded_after_it(site: Site, user: User, tmp_path: Path) -> None:
    second = tmp_path / "second.png"
    second.write_bytes(make_picture(seed=6))
    site.log_in(user.username)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.input("confirm").set_input_files(second)
    expect(site.page.locator("#timeline > li")).to_have_count(2)
    site.expect_entry("done")
    expect(site.entry).to_contain_text("second.png")
    assert user.avatar == read_key(site.calls.nth(2))
    assert difference(site.see_picture(user.username), draw_avatar(second)) < SAME
