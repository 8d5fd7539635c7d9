"""What browsers draw in ways of their own: progress bars, the focus ring of a canvas, and boxes that scroll."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageColor
from playwright.sync_api import expect

from tests.browsing import PHOTOGRAPH
from tests.conftest import only_prefix
from tests.pictures import make_picture

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator

    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User

# The appearance is the same under both strategies.
pytestmark = only_prefix

BLUE, GREEN, RED = "#3049c4", "#166534", "#a3182b"
"""The colours `--accent`, `--good` and `--bad` of page.css in its light scheme."""


def see_colour(element: Locator, x: float, y: float) -> tuple[int, ...]:
    """The colour at a point of the element: 0 is its left or upper edge, 1 the other one."""
    shot = Image.open(io.BytesIO(element.screenshot(caret="initial"))).convert("RGB")
    colour = shot.getpixel((round(x * (shot.width - 1)), round(y * (shot.height - 1))))
    assert isinstance(colour, tuple)
    return colour


def is_like(colour: tuple[int, ...], wanted: str) -> bool:
    """Whether it is this colour. The emulated screen may change each channel a little."""
    return all(abs(one - other) <= 3 for one, other in zip(colour, ImageColor.getrgb(wanted), strict=True))


@pytest.mark.parametrize("state", ["done", "failed"])
def test_the_progress_bar_has_the_colour_of_the_result(
    site: Site, user: User, browser_errors: BrowserErrors, tmp_path: Path, state: str
) -> None:
    file = tmp_path / "photo.png"
    file.write_bytes(make_picture() if state == "done" else b"I am a text")
    site.log_in(user.username)
    if state == "failed":
        browser_errors.expect("status of 422")
    site.input("confirm").set_input_files(file)
    if state == "failed":
        site.page.get_by_role("button", name="Upload it as it is").click()
    expect(site.entry).to_have_attribute("data-state", state)
    assert is_like(see_colour(site.entry.get_by_role("progressbar"), 0.5, 0.5), {"done": GREEN, "failed": RED}[state])


def test_the_focused_canvas_has_a_ring(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    expect(site.editor).to_be_visible()
    frame = site.editor.locator(".frame")
    assert not is_like(see_colour(frame, 0.5, 0.003), BLUE)
    site.editor.locator("[name=zoom]").focus()
    while not site.page.evaluate("document.activeElement.matches('canvas')"):
        site.page.keyboard.press("Shift+Tab")
    for x, y in ((0.5, 0.003), (0.5, 0.997), (0.003, 0.5), (0.997, 0.5)):
        assert is_like(see_colour(frame, x, y), BLUE)


def test_the_buttons_of_an_upload_stay_in_view(site: Site, user: User) -> None:
    """The timeline scrolls to the newest call, and the button stands above the calls."""
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.calls).to_have_count(5)
    box = site.page.locator(".timeline")
    assert is_within(site.entry.get_by_role("button", name="Confirm again"), box)
    assert is_within(site.calls.last, box)


def is_within(element: Locator, box: Locator) -> bool:
    inner, outer = element.bounding_box(), box.bounding_box()
    assert inner
    assert outer
    return outer["y"] <= inner["y"] and inner["y"] + inner["height"] <= outer["y"] + outer["height"]
