"""The service accepts exactly those files of `tests/cases` that the browser shows."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from services.pictures.formats import identify, measure
from tests.pictures import CASES

if TYPE_CHECKING:
    from playwright.sync_api import Page

CRASHES = "apng-trns-after-idat.png"
"""This file crashes the tab of Chromium 156 (docs/upstream.md)."""

SHOW = """(url) => new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
    image.onerror = () => resolve(null);
    image.src = url;
})"""


@pytest.mark.parametrize("name", sorted({file.name for file in CASES.iterdir()} - {CRASHES}))
def test_a_file_is_accepted_if_the_browser_shows_it(page: Page, name: str) -> None:
    content = (CASES / name).read_bytes()
    shown = page.evaluate(SHOW, f"data:{identify(content)};base64,{base64.b64encode(content).decode()}")
    found = measure(content)
    assert (found is None) == (shown is None)
    if found:
        # Chromium divides by the resolution in EXIF data, so a picture can be shown smaller.
        assert shown[0] <= found[0]
        assert shown[1] <= found[1]
