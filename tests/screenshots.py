"""`uv run screenshots`: the pictures of the page in docs/screenshots, taken from a demo of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

from infra.local.stack import Options, run_stack
from tests.browsing import CHROMIUM_ARGUMENTS, PHOTOGRAPH, Site, find_chromium

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, Route

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"

FORM_SECONDS = 5
"""So that one attack need not wait for minutes until its form is over."""
PATIENCE_MILLISECONDS = 60_000

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="screenshots", description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="DIR", help="default: docs/screenshots")
    folder: Path = parser.parse_args(arguments).to
    chromium = find_chromium()
    if chromium is None:
        sys.exit("There is no Chromium.")
    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    options = Options(port=0, emulator_port=0, form_seconds=FORM_SECONDS)
    with run_stack(options, lambda _part, _where: None) as stack, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        try:
            _take_desktop(browser, stack.origin, folder)
            _take(browser, stack.origin, folder / "dark.png", **DESKTOP, color_scheme="dark")
            _take(browser, stack.origin, folder / "phone.png", **PHONE)
        finally:
            browser.close()


def _take_desktop(browser: Browser, origin: str, folder: Path) -> None:
    site = _open(browser, origin, **DESKTOP)
    page = site.page
    page.locator("[data-login]").first.click()
    page.locator("#choose").set_input_files(PHOTOGRAPH)
    expect(site.editor).to_be_visible()
    page.screenshot(path=folder / "before.png", full_page=True)

    held: list[Route] = []
    page.route("**/uploads/confirm", lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright counts its arguments
    site.editor.get_by_role("button", name="Upload").click()
    expect(site.calls).to_have_count(3)
    site.calls.nth(1).locator("summary").click()
    page.screenshot(path=folder / "during.png", full_page=True)
    held[0].continue_()
    site.expect_entry("done")
    site.calls.nth(1).locator("summary").click()
    page.screenshot(path=folder / "after.png", full_page=True)

    page.locator("#attack-lab summary").click()
    page.get_by_role("button", name="Try all of them").click()
    expect(page.locator('[data-verdict="refused"], [data-verdict="harmless"]')).to_have_count(
        page.locator("[data-attack]").count()
    )
    page.locator("#lab").screenshot(path=folder / "attacks.png")


def _take(browser: Browser, origin: str, file: Path, **options: Any) -> None:
    """After an upload."""
    site = _open(browser, origin, **options)
    site.page.locator("[data-login]").last.click()
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    site.page.screenshot(path=file, full_page=True)


def _open(browser: Browser, origin: str, **options: Any) -> Site:
    site = Site(browser.new_page(**options, reduced_motion="reduce"), origin)
    site.open()
    return site


if __name__ == "__main__":
    main()
