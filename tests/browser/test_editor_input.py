"""What the editor makes of a slow drag, of a paste without a file, and of an EXIF orientation."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browsing import SAME, difference, draw_avatar
from tests.conftest import only_prefix
from tests.pictures import draw_scene

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browsing import Site
    from tests.conftest import Bucket, User

# The editor is the same under both strategies.
pytestmark = only_prefix

PASTE_TEXT = """() => {
    const transfer = new DataTransfer();
    transfer.setData("text/plain", "https://example.org/cat.jpg");
    document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: transfer }));
}"""


def choose(site: Site, file: Path) -> None:
    site.page.locator("#choose").set_input_files(file)
    expect(site.editor).to_be_visible()


def drag(page: Page, start: tuple[float, float], distance: int, step: int) -> None:
    x, y = start
    page.mouse.move(x, y)
    page.mouse.down()
    for moved in range(step, distance + step, step):
        page.mouse.move(x + moved, y)
    page.mouse.up()


@pytest.mark.parametrize("step", [1, 60])
def test_a_picture_follows_the_pointer_at_any_speed(site: Site, user: User, tmp_path: Path, step: int) -> None:
    """A movement of one pixel is less than half a step of the slider, which rounds to steps."""
    file = tmp_path / "square.png"
    draw_scene(400, 400, seed=3).save(file)
    site.log_in(user.username)
    choose(site, file)
    site.editor.get_by_label("Zoom").fill("5")
    canvas = site.editor.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    drag(site.page, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), 60, step)
    # The picture is five times as wide as the canvas, so four widths are out of sight.
    value = float(site.editor.get_by_label("Left to right").input_value())
    assert value == pytest.approx(0.5 - 60 / (4 * box["width"]), abs=0.005)
    assert float(site.editor.get_by_label("Top to bottom").input_value()) == 0.5


def test_a_second_drag_starts_where_the_first_one_ended(site: Site, user: User, tmp_path: Path) -> None:
    file = tmp_path / "wide.png"
    draw_scene(800, 400, seed=3).save(file)
    site.log_in(user.username)
    choose(site, file)
    canvas = site.editor.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    for _ in range(2):
        drag(site.page, (box["x"] + 100, box["y"] + 100), 36, 12)
    value = float(site.editor.get_by_label("Left to right").input_value())
    assert value == pytest.approx(0.5 - 72 / box["width"], abs=0.02)


def test_a_paste_without_a_file_is_explained(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.page.evaluate(PASTE_TEXT)
    expect(site.page.locator("#picture-problem")).to_have_text(
        "This is text, not a file. Save the picture as a file, and choose that."
    )
    expect(site.editor).to_be_hidden()


def test_the_editor_turns_a_picture_whose_xmp_stands_before_its_exif(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    """Firefox ignores the orientation in such a file, and the page uploads the file without XMP."""
    file = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    draw_scene(600, 400, seed=4).save(file, exif=exif, quality=95)
    content = file.read_bytes()
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"
    file.write_bytes(content[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + content[2:])

    site.log_in(user.username)
    choose(site, file)
    expect(site.editor).to_contain_text("400 × 600 pixels")
    site.editor.get_by_role("button", name="Upload").click()
    site.expect_entry("done")
    assert user.avatar
    assert Image.open(io.BytesIO(bucket.read(user.avatar))).size == (400, 400)
    assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME

    choose(site, file)
    site.editor.get_by_label("the original file").check()
    site.editor.get_by_role("button", name="Upload").click()
    expect(site.page.locator("#timeline > li")).to_have_count(2)
    site.expect_entry("done")
    assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME
