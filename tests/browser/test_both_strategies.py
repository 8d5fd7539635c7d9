"""Both pending strategies in one demo: the page chooses the uploads service by its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from services.store.kinds import AVATAR
from tests.browser.test_accessibility import check
from tests.browsing import PHOTOGRAPH, fail_once, only_chromium, read_key
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User

pytestmark = [only_chromium, only_prefix]


def switch(site: Site, strategy: str) -> None:
    site.page.locator(f"#use-{strategy}").press("Enter")
    expect(site.page.locator("#strategy")).to_have_attribute("data-strategy", strategy)
    expect(site.page.locator(f"#use-{strategy}")).to_have_attribute("aria-current", "true")
    # Someone who uses the keyboard stays where they are.
    expect(site.page.locator(f"#use-{strategy}")).to_be_focused()


def test_the_page_switches_between_the_strategies(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    site.log_in(user.username)
    expect(site.page.locator("#diagram")).to_contain_text("pending → avatars")
    switch(site, "tag")
    expect(site.page.locator("#diagram")).to_contain_text("onto itself")
    expect(site.page.locator("#why")).to_contain_text("14 conditions")
    fail_once(site.page, browser_errors, "**/uploads/confirm")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("failed")
    key = read_key(site.calls.nth(0))
    assert key.startswith(AVATAR.permanent_prefix)
    expect(site.object(key)).to_contain_text("Status=Pending")

    # An upload keeps its strategy.
    switch(site, "prefix")
    expect(site.object(key)).to_have_attribute("data-state", "pending")
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert user.avatar == key

    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.calls).to_have_count(3)
    site.expect_entry("done")
    assert read_key(site.calls.nth(0)).startswith(AVATAR.pending_prefix)

    site.page.get_by_role("button", name="Upload under both").click()
    expect(site.page.locator('[data-tried="prefix"]')).to_contain_text("is pending.")
    expect(site.page.locator('[data-tried="tag"]')).to_contain_text("is live, now scheduled for deletion.")
    expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    check(site.page, "both strategies tried")
    # The repeated confirm restored it.
    expect(site.object(user.avatar or "").locator(".expires")).to_have_text("never")
