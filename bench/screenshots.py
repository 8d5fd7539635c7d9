"""`uv run screenshots` takes the pictures of the page in docs/screenshots from a demo that it starts."""

from __future__ import annotations

import argparse
import sys
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from bench.chromium import CHROMIUM_ARGUMENTS, find_chromium
from infra.local.stack import Options, run_stack
from infra.seed.people import PICTURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, Locator, Page, Route

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
PHOTOGRAPH = PICTURES / "cat.jpg"
LATEST_ENTRY = "#timeline > li:first-child"
"""The timeline's entry of the latest upload."""

FORM_SECONDS = 5
"""How long a form is valid. One attack waits until its form has expired."""
TIMEOUT_MILLISECONDS = 180_000

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
WIDE: dict[str, Any] = {"viewport": {"width": 1920, "height": 1080}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
README_WIDTH = 1280
"""Width of the README's picture, which is half as high. A code host shows it smaller, so its text is enlarged."""
README: dict[str, Any] = {"viewport": {"width": 1100, "height": 900}, "device_scale_factor": README_WIDTH / 1100}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="DIR", help="default: docs/screenshots")
    folder: Path = parser.parse_args(arguments).to
    chromium = find_chromium()
    if chromium is None:
        sys.exit("Chromium is not installed.")
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=TIMEOUT_MILLISECONDS)
    options = Options(port=0, emulator_port=0, form_seconds=FORM_SECONDS)
    with run_stack(options, lambda _part, _where: None) as stack, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        try:
            _take(browser, stack.origin, folder / "wide.png", **WIDE)
            _take_readme(browser, stack.origin, folder / "upload.png")
            _take_desktop(browser, stack.origin, folder)
            _take(browser, stack.origin, folder / "dark.png", **DESKTOP, color_scheme="dark")
            _take(browser, stack.origin, folder / "phone.png", **PHONE)
        finally:
            browser.close()


def _take_desktop(browser: Browser, origin: str, folder: Path) -> None:
    page = _open(browser, origin, **DESKTOP)
    editor, calls = page.locator("#editor"), page.locator(f"{LATEST_ENTRY} .call")
    _log_in(page, page.locator("[data-login]").first)
    page.locator("#choose").set_input_files(PHOTOGRAPH)
    expect(editor).to_be_visible()
    page.screenshot(path=folder / "before.png")

    held: list[Route] = []
    page.route("**/uploads/confirm", lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright counts its arguments
    editor.get_by_role("button", name="Upload").click()
    expect(calls).to_have_count(3)
    calls.nth(1).locator("summary").click()
    page.screenshot(path=folder / "during.png")
    held[0].continue_()
    _expect_done(page)
    calls.nth(1).locator("summary").click()
    page.screenshot(path=folder / "after.png")

    page.get_by_role("button", name="Try all of them").click()
    expect(page.locator('[data-verdict="refused"], [data-verdict="harmless"]')).to_have_count(
        page.locator("[data-attack]").count()
    )
    page.locator("#lab").screenshot(path=folder / "attacks.png")


def _take(browser: Browser, origin: str, file: Path, **options: Any) -> None:
    """Take one picture of the page after an upload."""
    page = _open(browser, origin, **options)
    _upload(page, page.locator("[data-login]").last)
    page.screenshot(path=file)


def _take_readme(browser: Browser, origin: str, file: Path) -> None:
    """Take the README's picture of a user's first upload: users, sequence diagram, result."""
    page = _open(browser, origin, **README)
    _upload(page, page.locator("[data-login]").nth(1))
    page.locator(".timeline").evaluate("timeline => timeline.scrollTo(0, 0)")
    width = README["viewport"]["width"]
    taken = page.screenshot(clip={"x": 0, "y": 0, "width": width, "height": width // 2})
    Image.open(BytesIO(taken)).quantize(256).save(file, optimize=True)


def _upload(page: Page, login: Locator) -> None:
    _log_in(page, login)
    page.locator('input[type=file][data-flow="confirm"]').set_input_files(PHOTOGRAPH)
    _expect_done(page)


def _log_in(page: Page, button: Locator) -> None:
    button.click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def _open(browser: Browser, origin: str, **options: Any) -> Page:
    page = browser.new_page(**options, reduced_motion="reduce")
    page.goto(origin)
    return page


def _expect_done(page: Page) -> None:
    expect(page.locator(LATEST_ENTRY)).to_have_attribute("data-state", "done")
    expect(page.locator("body")).to_have_attribute("data-busy", "false")


if __name__ == "__main__":
    main()
