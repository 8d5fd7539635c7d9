"""A browser, and the page as somebody uses it who sits in front of it."""

from __future__ import annotations

import io
import math
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat
from playwright.sync_api import expect, sync_playwright

from bench.chromium import CHROMIUM_ARGUMENTS, CHROMIUM_NAMES, find_chromium
from infra.seed.people import PICTURES
from tests.conftest import make_user
from tests.eventually import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, WebError

    from infra.local.stack import Stack

PATIENCE_MILLISECONDS = 1000 * PATIENCE_SECONDS

PHOTOGRAPH = PICTURES / "cat.jpg"

SIDE = 96
"""Of an avatar on the page, in pixels."""
INNER = 66
"""The side of the square in its middle that the round corners leave whole."""

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  window.violations = (window.violations ?? 0) + 1;
  reportViolation(`Content-Security-Policy: ${event.effectiveDirective} blocked ${event.blockedURI}`);
});
"""


@pytest.fixture(scope="session")
def chromium_path() -> str:
    if path := find_chromium():
        return path
    reason = f"There is no browser: none of {', '.join(CHROMIUM_NAMES)} is installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    """No longer than it is needed: Playwright keeps an event loop running in this thread, which suffers no other."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path, args=CHROMIUM_ARGUMENTS, timeout=PATIENCE_MILLISECONDS
        )
        yield browser
        browser.close()


@dataclass
class Noise:
    """What the browser complains of. A test announces what it expects of that, by a part of each complaint."""

    heard: list[str] = field(default_factory=list[str])
    announced: list[str] = field(default_factory=list[str])

    def expect(self, *parts: str) -> None:
        self.announced.extend(parts)

    def hear_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.heard.append(f"console: {message.text} ({message.location.get('url', '')})")

    def hear_error(self, error: WebError) -> None:
        self.heard.append(f"page error: {error.error}")

    def hear_violation(self, _: object, what: str) -> None:
        self.heard.append(what)

    def check(self) -> None:
        unexpected = [line for line in self.heard if not any(part in line for part in self.announced)]
        in_vain = [part for part in self.announced if not any(part in line for line in self.heard)]
        assert not unexpected, f"The browser complained: {unexpected}"
        assert not in_vain, f"The browser was expected to complain of {in_vain} and did not: {self.heard}"


@pytest.fixture
def noise() -> Noise:
    return Noise()


class OpenPage(Protocol):
    """Opens a page in a context of its own, as if in another browser."""

    def __call__(self, **options: Any) -> Page: ...


@pytest.fixture
def open_page(browser: Browser, noise: Noise) -> Iterator[OpenPage]:
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.on("console", noise.hear_console)
        context.on("weberror", noise.hear_error)
        context.expose_binding("reportViolation", noise.hear_violation)
        context.add_init_script(REPORT_VIOLATIONS)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    noise.check()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()


@pytest.fixture
def site(page: Page, stack: Stack) -> Site:
    """The page, opened by somebody who is not logged in."""
    site = Site(page, stack.origin)
    site.open()
    return site


@pytest.fixture(scope="module")
def crowd(stack: Stack) -> None:
    """So many users with pictures that no list fits on one page."""
    for _ in range(25):
        with make_user(stack):
            pass


@dataclass(frozen=True)
class Site:
    page: Page
    origin: str

    @property
    def users(self) -> Locator:
        return self.page.locator("#users")

    @property
    def bucket(self) -> Locator:
        return self.page.locator("#bucket")

    @property
    def table(self) -> Locator:
        return self.page.locator("#table")

    @property
    def editor(self) -> Locator:
        """Where a picture is seen before it goes."""
        return self.page.locator("#editor")

    @property
    def entry(self) -> Locator:
        """What the timeline tells of the latest upload or attack."""
        return self.page.locator("#timeline > li:first-child")

    @property
    def calls(self) -> Locator:
        return self.entry.locator(".call")

    @property
    def failure(self) -> Locator:
        """What went wrong, in words: with an upload, or with anything else."""
        return self.entry.locator(".entry-status.failed").or_(self.page.locator("#failure:not(:empty)"))

    def expect_entry(self, state: Literal["done", "failed", "left-out"]) -> None:
        """The latest upload has come to this end."""
        expect(self.entry).to_have_attribute("data-state", state)
        expect(self.page.locator("body")).to_have_attribute("data-busy", "false")

    def card(self, username: str) -> Locator:
        return self.page.locator(f'[data-user="{username}"]')

    def picture(self, username: str) -> Locator:
        return self.card(username).locator("img.avatar")

    def object(self, key: str) -> Locator:
        return self.page.locator(f'#objects [data-key="{key}"]')

    def row(self, username: str) -> Locator:
        return self.page.locator(f'#rows [data-username="{username}"]')

    def input(self, flow: Literal["confirm", "skip", "repeat"]) -> Locator:
        return self.page.locator(f'input[type=file][data-flow="{flow}"]')

    def open(self) -> None:
        self.page.goto(self.origin)

    def log_in(self, username: str) -> None:
        """Without the button, which may be many pages away."""
        status = self.page.evaluate(
            """async (username) => {
                const headers = { "Content-Type": "application/json" };
                const body = JSON.stringify({ username });
                return (await fetch("/auth/login", { method: "POST", headers, body })).status;
            }""",
            username,
        )
        assert status == 200
        self.open()
        expect(self.card(username)).to_contain_text("Current user")

    def turn_to(self, section: Locator, wanted: Locator) -> None:
        """Go through the section's pages, by its links, until this shows."""
        while wanted.count() == 0:
            self.turn(section, "Next page")

    def turn(self, section: Locator, label: Literal["Next page", "First page"]) -> None:
        link = section.get_by_role("link", name=label)
        assert link.count() == 1, f"There is no link {label!r}."
        target = link.get_attribute("href")
        link.click()
        expect(section.locator(f'.pager a[href="{target}"]')).to_have_count(0)

    def see_picture(self, username: str) -> Image.Image:
        """The middle of the avatar as it is drawn on the screen."""
        picture = self.picture(username)
        picture.evaluate("async (image) => image.decode()")
        picture.scroll_into_view_if_needed()
        box = picture.bounding_box()
        assert box is not None
        assert (box["width"], box["height"]) == (SIDE, SIDE)
        # Browsers draw a picture at whole pixels, wherever between two the layout puts it.
        left, top = math.floor(box["x"] + 0.5), math.floor(box["y"] + 0.5)
        shot = self.page.screenshot(clip={"x": left, "y": top, "width": SIDE, "height": SIDE})
        return _middle(Image.open(io.BytesIO(shot)).convert("RGB"))

    def expect_avatar(self, username: str, avatar: str) -> None:
        """The card asks for this very picture."""
        expect(self.picture(username)).to_have_attribute("src", f"/users/{username}/avatar?v={avatar}")


def read_key(line: Locator) -> str:
    """The one that the page names in what it says of a call."""
    found = re.search(r"(?:pending|avatars)/[0-9a-f-]{36}", line.inner_text())
    assert found
    return found[0]


def draw_avatar(file: Path) -> Image.Image:
    """The middle of the avatar as the page ought to draw it: upright, cut to a square, scaled."""
    with Image.open(file) as picture:
        return _middle(ImageOps.fit(ImageOps.exif_transpose(picture).convert("RGB"), (SIDE, SIDE)))


def difference(one: Image.Image, other: Image.Image) -> float:
    """Between two pictures: the mean over all pixels and colours, from 0 to 255."""
    means = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return sum(means) / len(means)


SAME = 4.0
"""A difference below this is the scaling's, which browsers and Pillow do each in their own way."""
ANOTHER = 25.0
"""A difference above this is that of another picture."""


def _middle(picture: Image.Image) -> Image.Image:
    edge = (SIDE - INNER) // 2
    return picture.crop((edge, edge, edge + INNER, edge + INNER))
