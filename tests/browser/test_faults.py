"""The demo's faults, chosen on the page, and its reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from infra.local.faults import FAULTS_PATH, Fault
from infra.local.processes import KILL_SIGNAL
from tests import web
from tests.browser.test_accessibility import check
from tests.browsing import PHOTOGRAPH, only_chromium
from tests.conftest import only_prefix
from tests.eventually import eventually

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User

pytestmark = [only_chromium, only_prefix]


def choose(site: Site, fault: str) -> None:
    with site.page.expect_response("**/_faults"):
        site.page.locator("#break").get_by_label(fault).check()


def expect_no_fault(site: Site) -> None:
    """Most faults happen once."""
    expect(site.page.locator("#break").get_by_label("No fault")).to_be_checked()


def test_an_upload_survives_each_fault_and_a_reset_removes_it(
    site: Site, stack: Stack, user: User, browser_errors: BrowserErrors
) -> None:
    site.log_in(user.username)
    browser_errors.expect("status of 503", "status of 504")

    choose(site, "503 from S3")
    site.page.get_by_role("button", name="Upload a test picture").click()
    site.expect_entry("done")
    expect(site.calls.locator(".answer")).to_contain_text(["200", "503", "503", "204", "200"])
    expect_no_fault(site)

    choose(site, "A lost response of confirm")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("failed")
    expect_no_fault(site)
    avatar = user.avatar
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert user.avatar == avatar
    site.expect_avatar(user.username, avatar or "")

    choose(site, "A kill after the copy")
    site.page.get_by_role("button", name="Upload a test picture").click()
    site.expect_entry("failed")
    assert user.avatar == avatar
    check(site.page, "a fault chosen, and a failed upload")
    # The copy, to which no row refers yet.
    expect(site.page.locator(f'#objects [data-owner="{user.username}"][data-state="orphan"]')).to_have_count(1)
    killed = [process for process in stack.processes.started if process.module == "services.uploads"]
    assert [process.popen.wait() for process in killed] == [-KILL_SIGNAL] * 2
    stack.processes.check()
    for process in stack.processes.started:
        process.wait_until_ready()
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert user.avatar != avatar

    site.page.get_by_role("button", name="Reset the demo").click()
    site.page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(site.page.locator("#timeline > li")).to_have_count(0)
    expect(site.page.locator("[data-login]").first).to_be_visible()
    expect(site.card(user.username)).to_have_count(0)
    eventually(lambda: user.avatar is None)


def test_a_fault_of_another_tab_is_shown_when_the_tab_is_visible_again(site: Site, stack: Stack) -> None:
    site.open()
    web.post(stack.origin + FAULTS_PATH, json={"fault": Fault.SLOW_NETWORK}).raise_for_status()
    site.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(site.page.locator("#break").get_by_label("A slow network")).to_be_checked()
    choose(site, "No fault")


def test_a_slow_network_lasts_until_another_fault_is_chosen(site: Site, user: User) -> None:
    site.log_in(user.username)
    choose(site, "A slow network")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.page.locator("#break").get_by_label("A slow network")).to_be_checked()
    site.open()
    expect(site.page.locator("#break").get_by_label("A slow network")).to_be_checked()
    choose(site, "No fault")
