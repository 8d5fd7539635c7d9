"""WebKitGTK, and the page as a user operates it there. Playwright can't drive this browser, so WebDriver does."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.webkitgtk.options import Options
from selenium.webdriver.webkitgtk.service import Service

from tests.eventually import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Generator

    from selenium.webdriver.remote.webelement import WebElement

DRIVER = "WebKitWebDriver"
DISPLAY = "Xvfb"
PROGRAMS = (DRIVER, DISPLAY)
BROWSERS = Path("/usr/lib")
"""Debian has the browser in a folder of the processor's name in here."""

WIDTH, HEIGHT = 1280, 1000

RECORD_ERRORS = """
window.errors = [];
addEventListener("error", ({ message }) => errors.push(message));
addEventListener("unhandledrejection", ({ reason }) => errors.push(String(reason)));
addEventListener("securitypolicyviolation", ({ effectiveDirective }) => errors.push(effectiveDirective));
"""


def find_webkit() -> Path | None:
    """The browser, if its driver and a virtual display are installed as well."""
    if not all(map(shutil.which, PROGRAMS)):
        return None
    return next(iter(sorted(BROWSERS.glob("*/webkit2gtk-4.*/MiniBrowser"))), None)


@contextmanager
def run_display() -> Generator[str, None, None]:
    """A virtual display for the browser, which has no headless mode."""
    command = [DISPLAY, "-displayfd", "1", "-screen", "0", f"{WIDTH}x{HEIGHT}x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as display:  # noqa: S603
        try:
            assert display.stdout
            yield f":{display.stdout.readline().strip()}"
        finally:
            display.terminate()


@contextmanager
def run_webkit(browser: Path, folder: Path) -> Generator[webdriver.WebKitGTK, None, None]:
    """The browser with an empty profile. `folder`: its home folder."""
    options = Options()
    options.binary_location = str(browser)
    options.add_argument("--automation")
    with run_display() as display:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "DISPLAY": display,
        }
        driver = webdriver.WebKitGTK(options, Service(shutil.which(DRIVER), env=environment))
        try:
            driver.set_window_rect(0, 0, WIDTH, HEIGHT)
            driver.set_script_timeout(PATIENCE_SECONDS)
            yield driver
        finally:
            driver.quit()


@dataclass(frozen=True)
class WebKitSite:
    """The page. Each expectation waits for its condition."""

    driver: webdriver.WebKitGTK
    origin: str

    def open(self) -> None:
        self.driver.get(self.origin)
        self.run(RECORD_ERRORS)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def count(self, selector: str) -> int:
        return self.run("return document.querySelectorAll(arguments[0]).length", selector)

    def read(self, selector: str) -> str:
        """The text of the first such element, with single spaces; empty without one."""
        text: str = self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)
        return " ".join(text.split())

    def read_attribute(self, selector: str, name: str) -> str | None:
        script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null"
        return self.run(script, selector, name)

    def expect(self, selector: str, pattern: str = "") -> None:
        """Expect an element whose text matches."""
        eventually(lambda: self.count(selector) > 0 and re.search(pattern, self.read(selector)) is not None)

    def expect_none(self, selector: str) -> None:
        eventually(lambda: self.count(selector) == 0)

    def expect_entry(self, state: Literal["done", "failed", "left-out"], entries: int) -> None:
        """Expect this many entries in the timeline, and the latest in this state."""
        self.expect(f'#timeline > li:first-child[data-state="{state}"]:nth-last-child({entries})')
        self.expect('body[data-busy="false"]')

    def click(self, selector: str) -> None:
        self.expect('body[data-busy="false"]')
        self.find(selector).click()

    def choose(self, selector: str, file: Path) -> None:
        self.expect('body[data-busy="false"]')
        self.find(selector).send_keys(str(file))

    def is_focused(self, selector: str) -> bool:
        return self.run("return document.activeElement.matches(arguments[0])", selector)

    def log_in(self, username: str) -> None:
        """Log in without the button, which may be many pages away."""
        body = json.dumps({"username": username})
        status = self.driver.execute_async_script(
            """const [body, done] = arguments;
            const headers = { "Content-Type": "application/json" };
            fetch("/auth/login", { method: "POST", headers, body }).then(({ status }) => done(status));""",
            body,
        )
        assert status == 200
        self.open()
        self.expect(f'[data-user="{username}"].current', "Current user")

    def turn_pages_to(self, section: str, wanted: str) -> None:
        """Follow the section's "Next page" links until the wanted element is there."""
        while self.count(wanted) == 0:
            # One script reads the link, since the page can replace its sections between two commands.
            address = self.run(
                """const links = [...document.querySelectorAll(arguments[0])];
                return links.find((link) => link.textContent.includes("Next")).getAttribute("href");""",
                f"{section} .pager a",
            )
            link = f'{section} .pager a[href="{address}"]'
            self.click(link)
            self.expect_none(link)

    def see(self, selector: str) -> Image.Image:
        """The element as the browser draws it, after it is decoded and painted."""
        script = """const [selector, done] = arguments;
            const element = document.querySelector(selector);
            element.scrollIntoView({ block: "center" });
            scrollTo(0, Math.floor(scrollY));
            const { left, top, right, bottom } = element.getBoundingClientRect();
            const box = [left, top, right, bottom].map(Math.round);
            const afterPaint = () => requestAnimationFrame(() => requestAnimationFrame(() => done(box)));
            Promise.resolve(element.decode?.()).then(afterPaint);"""
        box = self.driver.execute_async_script(script, selector)
        return Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB").crop(box)

    def drag(self, selector: str, distance: int, step: int) -> None:
        """Drag from the element's middle to the right, in steps."""
        actions = ActionChains(self.driver, duration=0)
        actions.move_to_element(self.find(selector)).click_and_hold()
        for _ in range(0, distance, step):
            actions.move_by_offset(step, 0)
        actions.release().perform()
