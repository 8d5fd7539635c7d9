"""Chromium and Firefox, and the page as a user operates it."""

from __future__ import annotations

import contextlib
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
from infra.local.ports import HOST
from infra.seed.people import PICTURES
from services.store.kinds import AVATAR
from tests.conftest import make_user
from tests.eventually import PATIENCE_SECONDS
from tests.firefox import FIREFOX_NAMES, find_firefox, write_launcher

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Playwright, WebError

    from infra.local.stack import Stack

PATIENCE_MILLISECONDS = 1000 * PATIENCE_SECONDS

PHOTOGRAPH = PICTURES / "cat.jpg"

SIDE = 96
"""Width and height of an avatar on the page, pixels."""
INNER = 66
"""Width and height of the square in an avatar's middle that the round corners do not cut, pixels."""

HOSTNAME = "pictures.test"
"""A name of this machine that the browser resolves. Unlike localhost, it is no secure context over HTTP."""

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  window.violations = (window.violations ?? 0) + 1;
  reportViolation(`Content-Security-Policy: ${event.effectiveDirective} blocked ${event.blockedURI}`);
});
"""


FIREFOX_PREFERENCES: dict[str, str | float | bool] = {
    "network.dns.localDomains": HOSTNAME,
    "ui.useOverlayScrollbars": 1,
}

SCROLL_TO = """(element) => {
    const top = scrollY + element.getBoundingClientRect().top;
    scrollTo(0, 0);
    scrollTo(0, Math.floor(top - innerHeight / 2));
}"""
"""Scroll to a whole pixel: after another scroll Firefox draws pictures a pixel lower than it says. From a fraction of a
pixel, Firefox scrolls to another fraction, but from 0 it does not.
"""

BrowserName = Literal["chromium", "firefox"]

PLAYWRIGHT_STYLE = ("style-src-elem blocked inline", "sha256-YjaKGiklmzC6wjXA513HAMmzus8VE61XCOT+SmwNZWA=")
"""Parts of the two reports of the style `body {}`, which Playwright inserts into the page for a screenshot in Firefox.

The page's Content Security Policy blocks it. The report of any other style has another digest.
"""

ABORTED_REQUEST = "(Reason: CORS request did not succeed)"
"""The report of a request to the bucket that a test aborts. Firefox does not always make it."""

only_chromium = pytest.mark.parametrize("browser_name", ["chromium"], indirect=True, scope="session")
only_firefox = pytest.mark.parametrize("browser_name", ["firefox"], indirect=True, scope="session")
"""For tests of behaviour that only one browser has, or that need what Playwright can do with one browser only."""


each_in_firefox = pytest.mark.each_in_firefox
"""For tests of what a browser decodes."""

same_in_firefox = pytest.mark.same_in_firefox
"""For tests of what the page does with a response, which depends on no browser. They run in Chromium only."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    run_in_firefox: set[tuple[Path, str]] = set()
    deselected = [item for item in items if not _runs(item, run_in_firefox)]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def _runs(item: pytest.Item, run_in_firefox: set[tuple[Path, str]]) -> bool:
    """Whether this test runs in its browser.

    Firefox shows the page under one strategy, since its scripts are the same under both. It runs a test with the first
    of its parameter sets, since most of them are about the service's responses: `each_in_firefox` marks the others.
    `same_in_firefox` marks tests that it does not run.
    The attacks by other sites and the documented clients run in Chromium only.
    """
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if parameters.get("browser_name") != "firefox":
        return True
    if parameters.get("strategy") != "prefix" or not item.nodeid.startswith("tests/browser/"):
        return False
    if item.get_closest_marker("same_in_firefox"):
        return False
    test = (item.path, item.name.partition("[")[0])
    is_first = test not in run_in_firefox
    run_in_firefox.add(test)
    return is_first or item.get_closest_marker("each_in_firefox") is not None


@pytest.fixture(scope="session", params=["chromium", "firefox"])
def browser_name(request: pytest.FixtureRequest) -> BrowserName:
    """Each test that opens a page runs once in each browser."""
    return request.param


def require_program(path: str | None, names: Iterable[str]) -> str:
    """Skip the test without the program, and fail with `CI` set."""
    if path:
        return path
    reason = f"There is no browser: none of {', '.join(names)} is installed"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


class RunningBrowser:
    """The browser of this process. It runs on from one file to the next, since its start takes seconds."""

    def __init__(self) -> None:
        self._name: BrowserName | None = None
        self._running = contextlib.ExitStack()
        self._browser: Browser | None = None

    def start(self, name: BrowserName, folder: Path) -> Browser:
        if self._browser and self._browser.is_connected() and self._name == name:
            return self._browser
        self.stop()
        start = {"chromium": start_chromium, "firefox": start_firefox}[name]
        playwright = self._running.enter_context(sync_playwright())
        self._browser = self._running.enter_context(start(playwright, folder))
        self._name = name
        return self._browser

    def stop(self) -> None:
        self._browser = None
        self._running.close()


_running_browser = RunningBrowser()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
    """Stop the browser after a file, unless the next test needs one: Playwright runs an event loop in this thread, in
    which no other can then run.
    """
    yield
    fixtures: list[str] = getattr(nextitem, "fixturenames", [])
    if nextitem is None or (nextitem.path != item.path and "browser" not in fixtures):
        _running_browser.stop()


@pytest.fixture(scope="module")
def browser(browser_name: BrowserName, tmp_path_factory: pytest.TempPathFactory) -> Browser:
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    return _running_browser.start(browser_name, tmp_path_factory.mktemp("browser"))


def start_chromium(playwright: Playwright, _: Path) -> Browser:
    return playwright.chromium.launch(
        executable_path=require_program(find_chromium(), CHROMIUM_NAMES),
        args=[*CHROMIUM_ARGUMENTS, f"--host-resolver-rules=MAP {HOSTNAME} {HOST}"],
        timeout=PATIENCE_MILLISECONDS,
    )


def start_firefox(playwright: Playwright, folder: Path) -> Browser:
    launcher = folder / "firefox"
    write_launcher(launcher, require_program(find_firefox(), FIREFOX_NAMES))
    return playwright.firefox.launch(
        channel="moz-firefox",  # Playwright's way to an unmodified Firefox
        executable_path=launcher,
        firefox_user_prefs=FIREFOX_PREFERENCES,
        timeout=PATIENCE_MILLISECONDS,
    )


@dataclass
class BrowserErrors:
    """The errors that the browser reports. A test declares the errors that it expects, by a part of each message."""

    reports_responses: bool = True
    """Whether the browser reports failed requests. Firefox does not report them to Playwright."""
    ignored: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list[str])
    expected: list[str] = field(default_factory=list[str])

    def expect(self, *parts: str) -> None:
        self.expected.extend(parts)

    def record_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.seen.append(f"console: {message.text} ({message.location.get('url', '')})")

    def record_page_error(self, error: WebError) -> None:
        self.seen.append(f"page error: {error.error}")

    def record_violation(self, _: object, violation: str) -> None:
        self.seen.append(violation)

    def check(self) -> None:
        known = [*self.expected, *self.ignored]
        unexpected = [line for line in self.seen if not any(part in line for part in known)]
        missing = [part for part in self.expected if not any(part in line for line in self.seen)]
        assert not unexpected, f"Unexpected browser errors: {unexpected}"
        assert not (missing and self.reports_responses), f"Missing browser errors: {missing} is in none of {self.seen}"


@pytest.fixture
def browser_errors(browser_name: BrowserName) -> BrowserErrors:
    if browser_name == "firefox":
        return BrowserErrors(reports_responses=False, ignored=(*PLAYWRIGHT_STYLE, ABORTED_REQUEST))
    return BrowserErrors()


def fail_once(page: Page, browser_errors: BrowserErrors, pattern: str) -> None:
    """Let the next request to the pattern fail as if the network did."""
    page.route(pattern, lambda route: route.abort(), times=1)
    browser_errors.expect("net::ERR_FAILED")


class OpenPage(Protocol):
    """Opens a page in a new browser context, which shares no cookies with others."""

    def __call__(self, **options: Any) -> Page: ...


@pytest.fixture
def open_page(browser: Browser, browser_errors: BrowserErrors) -> Iterator[OpenPage]:
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.on("console", browser_errors.record_console)
        context.on("weberror", browser_errors.record_page_error)
        context.expose_binding("reportViolation", browser_errors.record_violation)
        context.add_init_script(REPORT_VIOLATIONS)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    browser_errors.check()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()


@pytest.fixture
def site(page: Page, stack: Stack) -> Site:
    """The page, which is not open yet: a login opens it, so that it is loaded once."""
    return Site(page, stack.origin)


@pytest.fixture(scope="module")
def many_users(stack: Stack) -> None:
    """Users with avatars, more than fit on one page of any list."""
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
        """The editor that shows a picture before its upload."""
        return self.page.locator("#editor")

    @property
    def entry(self) -> Locator:
        """The timeline's entry of the latest upload or attack."""
        return self.page.locator("#timeline > li:first-child")

    @property
    def calls(self) -> Locator:
        return self.entry.locator(".call")

    @property
    def failure(self) -> Locator:
        """The message about a failed upload or any other failure."""
        return self.entry.locator(".entry-status.failed").or_(self.page.locator("#failure:not(:empty)"))

    @contextlib.contextmanager
    def expect_new_entry(self, state: Literal["done", "failed", "left-out"]) -> Generator[None, None, None]:
        """Expect an action to start an upload that ends in this state, after other uploads on the same page."""
        entries = self.page.locator("#timeline > li")
        count = entries.count()
        yield
        expect(entries).to_have_count(count + 1)
        self.expect_entry(state)

    def expect_entry(self, state: Literal["done", "failed", "left-out"]) -> None:
        """Expect the latest upload to end in this state."""
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

    def choose_flow(self, flow: Literal["confirm", "skip", "repeat"]) -> None:
        """Choose which calls an upload makes. Only the file input of the chosen flow is shown."""
        self.page.locator(f"#flow-{flow}").check()

    def open(self) -> None:
        self.page.goto(self.origin)

    def log_in(self, username: str) -> None:
        """Log in without the button, which may be many pages away, and open the page."""
        answer = self.page.request.post(f"{self.origin}/auth/login", data={"username": username})
        assert answer.status == 200
        self.open()
        expect(self.card(username)).to_contain_text("Current user")

    def turn_pages_to(self, section: Locator, wanted: Locator) -> None:
        """Follow the section's "Next page" links until the wanted element is there."""
        while wanted.count() == 0:
            self.turn_page(section, "Next page")

    def turn_page(self, section: Locator, label: Literal["Next page", "First page"]) -> None:
        link = section.get_by_role("link", name=label)
        assert link.count() == 1, f"There is no link {label!r}."
        target = link.get_attribute("href")
        link.click()
        expect(section.locator(f'.pager a[href="{target}"]')).to_have_count(0)

    def see_picture(self, username: str) -> Image.Image:
        """The middle of the avatar as the browser draws it."""
        picture = self.picture(username)
        picture.evaluate("async (image) => image.decode()")
        picture.evaluate(SCROLL_TO)
        box = picture.bounding_box()
        assert box is not None
        assert (box["width"], box["height"]) == (SIDE, SIDE)
        # Browsers draw a picture at whole pixels, even if its position in the layout is between two.
        left, top = math.floor(box["x"] + 0.5), math.floor(box["y"] + 0.5)
        shot = self.page.screenshot(
            animations="disabled", caret="initial", clip={"x": left, "y": top, "width": SIDE, "height": SIDE}
        )
        return _middle(Image.open(io.BytesIO(shot)).convert("RGB"))

    def expect_avatar(self, username: str, avatar: str) -> None:
        """Expect the card to load this avatar."""
        expect(self.picture(username)).to_have_attribute("src", f"/users/{username}/avatar?v={avatar}")


def read_key(line: Locator) -> str:
    """The key in the page's description of a call."""
    found = re.search(rf"(?:{AVATAR.pending_prefix}|{AVATAR.permanent_prefix})[0-9a-f-]{{36}}", line.inner_text())
    assert found
    return found[0]


def draw_avatar(file: Path) -> Image.Image:
    """The middle of the avatar as the page should draw it: upright, cropped to a square, scaled."""
    with Image.open(file) as picture:
        return _middle(ImageOps.fit(ImageOps.exif_transpose(picture).convert("RGB"), (SIDE, SIDE)))


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures over all pixels and colours, from 0 to 255."""
    means = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return sum(means) / len(means)


SAME = 4.0
"""A smaller difference means the same picture: browsers and Pillow scale in different ways."""
ANOTHER = 25.0
"""A larger difference means another picture."""


def _middle(picture: Image.Image) -> Image.Image:
    edge = (SIDE - INNER) // 2
    return picture.crop((edge, edge, edge + INNER, edge + INNER))
