"""The editor: a picture is chosen, dropped or pasted, previewed, cropped and scaled before its upload."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageFile, ImageOps
from playwright.sync_api import expect

from services.pictures.formats import FORMATS
from services.settings.limits import MAX_HEIGHT, MAX_WIDTH
from tests.browsing import ANOTHER, PHOTOGRAPH, SAME, difference, draw_avatar, read_key
from tests.conftest import only_prefix
from tests.pictures import (
    CASES,
    cut_off,
    draw_scene,
    make_animation,
    make_bomb,
    make_camera_photograph,
    make_gif,
    make_picture,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browsing import Site
    from tests.conftest import Bucket, User

# The editor is the same under both strategies.
pytestmark = only_prefix

SIDE = 512

TURNED = 15.0
"""A smaller difference means that the editor's preview, which has round corners and other pixels, is turned in the same
way: any other orientation of the scene differs more."""

CHOOSE_ANOTHER = "Choose a {} or {}.".format(
    ", ".join(known.name for known in [*FORMATS.values()][:-1]), [*FORMATS.values()][-1].name
)

INSERT = """([kind, name, type, file]) => {
    const bytes = Uint8Array.from(atob(file), (character) => character.charCodeAt());
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type }));
    const target = document.querySelector("#drop b");
    const options = { bubbles: true, cancelable: true };
    if (kind === "paste") {
        const event = new ClipboardEvent("paste", options);
        // The constructor in Firefox drops the files of its option `clipboardData`.
        Object.defineProperty(event, "clipboardData", { value: transfer });
        document.body.dispatchEvent(event);
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
    with site.expect_new_entry("done"):
        site.editor.get_by_role("button", name="Upload").click()


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
    expect(site.editor).to_contain_text("Will upload 300 × 300 px")
    shown = site.editor.locator("canvas").screenshot()
    assert difference(shrink(Image.open(io.BytesIO(shown)), 66), draw_avatar(PHOTOGRAPH).resize((66, 66))) < ANOTHER
    expect(site.calls).to_have_count(0)
    assert user.avatar == old

    start(site)
    picture, head = read_avatar(user, bucket)
    assert (picture.format, picture.size, head["ContentType"]) == ("JPEG", (300, 300), "image/jpeg")
    expect(site.editor).to_be_hidden()
    expect(site.page.locator("#choose")).to_be_focused()
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


def test_a_cropped_picture_is_saved_in_the_content_type_for_its_format(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    site.log_in(user.username)
    for seed, (content_type, known) in enumerate(FORMATS.items()):
        file = tmp_path / f"picture.{known.extensions[0]}"
        file.write_bytes(make_picture(content_type, size=(90, 60), seed=seed))
        choose(site, file)
        start(site)
        picture, head = read_avatar(user, bucket)
        assert (picture.size, head["ContentType"]) == ((60, 60), known.edited_as)
        site.expect_avatar(user.username, str(user.avatar))
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
    expect(site.editor).to_contain_text("Will upload 200 × 200 px")
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
    expect(site.editor).to_contain_text("Will upload the file as it is")
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
    expect(site.page.locator("#choose")).to_be_focused()
    choose(site, other)
    expect(site.editor).to_contain_text("other.png")
    start(site)
    picture, _ = read_avatar(user, bucket)
    assert difference(picture.convert("RGB"), ImageOps.fit(Image.open(other).convert("RGB"), picture.size)) < SAME


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


def make_transparent_picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (60, 60), (255, 0, 0, 0)).save(file, "WEBP", lossless=True)
    return file.getvalue()


def test_a_transparent_webp_with_the_name_of_a_jpeg_stays_transparent(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(make_transparent_picture())
    site.log_in(user.username)
    choose(site, file)
    start(site)
    picture, head = read_avatar(user, bucket)
    assert (picture.format, head["ContentType"]) == ("WEBP", "image/webp")
    assert picture.convert("RGBA").getchannel("A").getextrema() == (0, 0)


@pytest.mark.parametrize("case", ["jpeg-no-eoi.jpg", "png-no-iend.png"])
def test_a_picture_without_its_end_is_shown_and_cropped(site: Site, user: User, bucket: Bucket, case: str) -> None:
    site.log_in(user.username)
    choose(site, CASES / case)
    width, height = (120, 90) if case.startswith("jpeg") else (120, 120)
    expect(site.editor).to_contain_text(f"{width} × {height} pixels")
    start(site)
    picture, _ = read_avatar(user, bucket)
    assert picture.size == (height, height)
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        assert difference(site.see_picture(user.username), draw_avatar(CASES / case)) < SAME
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def test_a_tiny_picture_can_be_zoomed(site: Site, user: User, bucket: Bucket, tmp_path: Path) -> None:
    site.log_in(user.username)
    for side, colour in ((1, (0, 255, 0)), (2, (0, 0, 255))):
        file = tmp_path / f"{side}.png"
        Image.new("RGB", (side, side), colour).save(file)
        choose(site, file)
        site.editor.get_by_label("Zoom").fill("5")
        expect(site.editor).to_contain_text("Will upload 1 × 1 px")
        start(site)
        picture, _ = read_avatar(user, bucket)
        assert picture.size == (1, 1)
        assert picture.convert("RGB").getpixel((0, 0)) == colour


def test_an_animation_is_uploaded_as_the_original(site: Site, user: User, bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "moving"
    site.log_in(user.username)
    for content_type in ("image/png", "image/webp", "image/gif"):
        file.write_bytes(make_animation(content_type))
        choose(site, file)
        expect(site.editor.get_by_label("the original file")).to_be_checked()
        expect(site.editor).to_contain_text("Will upload the file as it is, with its animation.")
        site.editor.get_by_label("a square").check()
        expect(site.editor).to_contain_text("Will upload 96 × 96 px of the first frame, without the animation")
        site.editor.get_by_label("the original file").check()
        start(site)
        picture, head = read_avatar(user, bucket)
        assert head["ContentType"] == content_type
        assert getattr(picture, "n_frames", 1) == 2


@pytest.mark.parametrize("still", ["JPEG", "GIF"])
def test_a_still_picture_after_an_animation_is_cropped(site: Site, user: User, tmp_path: Path, still: str) -> None:
    """The GIF has the extensions of an animation, and one frame."""
    moving, file = tmp_path / "moving.gif", tmp_path / "still"
    moving.write_bytes(make_animation("image/gif"))
    draw_scene(300, 300, seed=1).save(file, still, loop=0, duration=100)
    site.log_in(user.username)
    choose(site, moving)
    site.editor.get_by_role("button", name="Another picture").click()
    choose(site, file)
    expect(site.editor.get_by_label("a square")).to_be_checked()
    expect(site.editor).to_contain_text("Will upload 300 × 300 px, no metadata.")


def test_the_editor_shows_each_orientation_as_it_is_uploaded(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    site.log_in(user.username)
    for orientation in range(1, 9):
        file = tmp_path / f"turned-{orientation}.jpg"
        scene = draw_scene(160, 120, seed=3)
        exif = Image.Exif()
        exif[0x0112] = orientation
        scene.save(file, exif=exif)
        width, height = scene.size if orientation < 5 else scene.size[::-1]
        # test_metadata.py shows that the original file keeps each orientation.
        for form in ("the original file", "a square") if orientation == 6 else ("a square",):
            choose(site, file)
            expect(site.editor).to_contain_text(file.name)
            expect(site.editor).to_contain_text(f"{width} × {height} pixels")
            site.editor.get_by_label(form).check()
            shown = Image.open(io.BytesIO(site.editor.locator("canvas").screenshot()))
            assert difference(shrink(shown, 66), draw_avatar(file)) < TURNED
            start(site)
            site.expect_avatar(user.username, str(user.avatar))
            assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME
        picture, _ = read_avatar(user, bucket)
        assert dict(picture.getexif()) == {}


def test_the_editor_shows_the_pixels_of_a_picture_with_a_resolution(site: Site, user: User) -> None:
    file = CASES / "jpeg-density-anisotropic.jpg"
    site.log_in(user.username)
    choose(site, file)
    expect(site.editor).to_contain_text("120 × 120 pixels")
    site.editor.get_by_label("the original file").check()
    start(site)
    natural = site.picture(user.username).evaluate("async (image) => image.decode().then(() => image.naturalWidth)")
    assert natural == 120
    assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME


def make_wide_picture(content_type: str, side: int) -> bytes:
    """A picture of one colour with very many pixels and few bytes."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, FORMATS[content_type].name)
    return file.getvalue()


SCALE_DOWN = "Scale it down in another program, and choose that file."


def say_too_many(side: str) -> str:
    limit = f"the limit is {MAX_WIDTH:,} × {MAX_HEIGHT:,}."
    return f"has {side} × {side} pixels, more than this browser can show; {limit} {SCALE_DOWN}"


UNSHOWN: dict[str, tuple[Callable[[], bytes], str]] = {
    "png-of-too-many-pixels": (
        make_bomb,
        say_too_many("30,000"),
    ),
    "jpeg-of-too-many-pixels": (
        lambda: make_wide_picture("image/jpeg", 30_000),
        say_too_many("30,000"),
    ),
    "gif-of-too-many-pixels": (
        lambda: make_gif((20_000, 20_000), (0, 0, 20_000, 20_000)),
        say_too_many("20,000"),
    ),
    "damaged": (
        lambda: cut_off(make_picture()),
        "is damaged: this browser can't show it as a PNG. Choose another file.",
    ),
    "empty": (bytes, f"is empty. {CHOOSE_ANOTHER}"),
    "text": (lambda: b"Dear Sir or Madam", f"can't be read as a picture. {CHOOSE_ANOTHER}"),
}
"""Files that the editor can't open: bytes, and the rest of the sentence that begins with the file's name."""


@pytest.mark.parametrize("case", UNSHOWN)
def test_each_file_that_the_editor_cannot_open_has_its_own_sentence(
    site: Site, user: User, tmp_path: Path, case: str
) -> None:
    make, sentence = UNSHOWN[case]
    file = tmp_path / "photo.png"
    file.write_bytes(make())
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(file)
    expect(site.page.locator("#picture-problem")).to_have_text(f"photo.png {sentence}")
    expect(site.editor).to_be_hidden()
    expect(site.calls).to_have_count(0)
    choose(site, PHOTOGRAPH)
    expect(site.page.locator("#picture-problem")).to_be_empty()
