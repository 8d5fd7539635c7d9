"""A picture with more pixels than the service accepts: the page offers to scale it down before the upload."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import pytest
from PIL import Image
from playwright.sync_api import expect

from services.settings.limits import MAX_BYTES, MAX_HEIGHT, MAX_WIDTH
from tests.browsing import ANOTHER, SAME, difference, draw_avatar
from tests.conftest import only_prefix
from tests.pictures import make_animation, make_bomb, make_dense_picture, make_picture

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browsing import Site
    from tests.conftest import Bucket, User

# The page scales in the same way under both strategies.
pytestmark = only_prefix

LARGE = (MAX_WIDTH + 800, 3000)
LIMIT = f"the limit is {MAX_WIDTH:,} × {MAX_HEIGHT:,}. Scaled down, it has at most {MAX_WIDTH:,} ×"
ANIMATION = " Only the first frame of the animation stays."


def offer(site: Site) -> Locator:
    return site.page.get_by_role("dialog", name="Too many pixels")


def choose(site: Site, file: Path, way: Literal["at once", "in the editor"]) -> None:
    if way == "at once":
        site.input("confirm").set_input_files(file)
        return
    site.page.locator("#choose").set_input_files(file)
    site.editor.get_by_label("the original file").check()
    site.editor.get_by_role("button", name="Upload").click()


@pytest.mark.parametrize("way", ["at once", "in the editor"])
def test_a_too_large_picture_is_scaled_down_and_becomes_the_avatar(
    site: Site, user: User, bucket: Bucket, tmp_path: Path, way: Literal["at once", "in the editor"]
) -> None:
    file = tmp_path / "large.jpg"
    file.write_bytes(make_picture("image/jpeg", size=LARGE))
    site.log_in(user.username)
    before = site.see_picture(user.username)
    choose(site, file, way)
    expect(offer(site).get_by_role("paragraph").first).to_have_text(
        f"This picture has {LARGE[0]:,} × 3,000 pixels; {LIMIT} {3000 * MAX_WIDTH // LARGE[0]:,}."
    )
    expect(site.calls).to_have_count(0)

    offer(site).get_by_role("button", name="Scale it down").click()
    site.expect_entry("done")
    expect(site.calls.first).to_contain_text("The page scaled the picture down.")
    assert user.avatar
    with Image.open(io.BytesIO(bucket.read(user.avatar))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (MAX_WIDTH, 3000 * MAX_WIDTH // LARGE[0]))
    site.expect_avatar(user.username, user.avatar)
    assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME
    assert difference(before, draw_avatar(file)) > ANOTHER


def test_a_picture_that_is_too_high_is_scaled_to_the_maximum_height(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    file = tmp_path / "high.png"
    file.write_bytes(make_picture(size=(300, 2 * MAX_HEIGHT)))
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    offer(site).get_by_role("button", name="Scale it down").click()
    site.expect_entry("done")
    assert user.avatar
    with Image.open(io.BytesIO(bucket.read(user.avatar))) as picture:
        assert picture.size == (150, MAX_HEIGHT)


def test_a_scaled_picture_with_too_many_bytes_is_scaled_further(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    """Noise can't be compressed: scaled to the limit in pixels, it still has too many bytes."""
    width, height = MAX_WIDTH + 8, 2 * MAX_BYTES // (3 * MAX_WIDTH)
    file = tmp_path / "noise.png"
    Image.merge("RGB", [Image.effect_noise((width, height), 100) for _ in range(3)]).save(file, compress_level=1)
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    offer(site).get_by_role("button", name="Scale it down").click()
    site.expect_entry("done")
    assert user.avatar
    uploaded = bucket.read(user.avatar)
    assert len(uploaded) <= MAX_BYTES
    with Image.open(io.BytesIO(uploaded)) as picture:
        assert picture.width / picture.height == pytest.approx(width / height, rel=0.01)


@pytest.mark.parametrize("way", ["Cancel", "Escape"])
def test_a_cancelled_offer_uploads_nothing(site: Site, user: User, tmp_path: Path, way: str) -> None:
    file = tmp_path / "large.jpg"
    file.write_bytes(make_picture("image/jpeg", size=(MAX_WIDTH + 1, 10)))
    old = user.avatar
    site.log_in(user.username)
    site.input("confirm").focus()
    site.input("confirm").set_input_files(file)
    expect(offer(site).get_by_role("button", name="Scale it down")).to_be_focused()
    if way == "Cancel":
        offer(site).get_by_role("button", name="Cancel").click()
    else:
        site.page.keyboard.press("Escape")
    expect(offer(site)).to_be_hidden()
    expect(site.input("confirm")).to_be_focused()
    expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    expect(site.page.locator("#timeline > li")).to_have_count(0)
    assert user.avatar == old


@pytest.mark.parametrize("content_type", ["image/png", "image/webp", "image/gif"])
@pytest.mark.parametrize("animated", [False, True])
def test_the_offer_says_that_an_animation_is_lost(
    site: Site, user: User, tmp_path: Path, content_type: str, *, animated: bool
) -> None:
    file = tmp_path / "wide"
    size = (MAX_WIDTH + 1, 10)
    file.write_bytes(make_animation(content_type, size=size) if animated else make_picture(content_type, size=size))
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    expect(offer(site).get_by_role("paragraph").first).to_have_text(
        f"This picture has {MAX_WIDTH + 1:,} × 10 pixels; {LIMIT} 9.{ANIMATION if animated else ''}"
    )


def test_the_offer_counts_pixels_and_not_the_resolution_in_exif(
    site: Site, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    """Chromium would show this picture with half of its width."""
    file = tmp_path / "dense.jpg"
    file.write_bytes(make_dense_picture(size=(MAX_WIDTH + 2, 10), density=(2, 1)))
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    expect(offer(site).get_by_role("paragraph").first).to_contain_text(
        f"This picture has {MAX_WIDTH + 2:,} × 10 pixels"
    )
    offer(site).get_by_role("button", name="Scale it down").click()
    site.expect_entry("done")
    assert user.avatar
    with Image.open(io.BytesIO(bucket.read(user.avatar))) as picture:
        assert picture.width == MAX_WIDTH


def test_a_too_large_picture_that_the_browser_can_not_show_is_not_uploaded(
    site: Site, user: User, tmp_path: Path
) -> None:
    file = tmp_path / "bomb.png"
    file.write_bytes(make_bomb())
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    expect(site.failure).to_have_text(
        "bomb.png has 30,000 × 30,000 pixels, more than this browser can show; the limit is "
        f"{MAX_WIDTH:,} × {MAX_HEIGHT:,}. Scale it down in another program, and choose that file."
    )
    expect(site.calls).to_have_count(0)


def test_a_picture_at_the_limit_is_uploaded_as_it_is(site: Site, user: User, bucket: Bucket, tmp_path: Path) -> None:
    file = tmp_path / "at-the-limit.png"
    file.write_bytes(make_picture(size=(MAX_WIDTH, 10)))
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    site.expect_entry("done")
    assert user.avatar
    assert bucket.read(user.avatar) == file.read_bytes()
