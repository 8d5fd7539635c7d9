"""The sequence diagram: an explanation at first, then the calls of the latest upload as they were measured."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.test_timeline import hold_posts, wait_for_one
from tests.browsing import PATIENCE_MILLISECONDS, PHOTOGRAPH, only_chromium
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Route

    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User

# The diagram is drawn by the same script under both strategies.
pytestmark = only_prefix

CALLS_TO_AWS = ["GetItem", "GetObject", "CopyObject", "UpdateItem"]


def find_steps(site: Site, start: str, end: str) -> Locator:
    return site.page.locator(f'#diagram .step[data-from="{start}"][data-to="{end}"]')


def test_the_diagram_explains_an_upload_before_anything_happened(site: Site) -> None:
    site.open()
    steps = site.page.locator("#diagram .step")
    expect(site.page.locator("#diagram")).to_have_attribute("data-drawn", "explanation")
    expect(find_steps(site, "browser", "uploads")).to_have_count(2)
    expect(find_steps(site, "browser", "S3")).to_have_count(1)
    for call in CALLS_TO_AWS:
        expect(steps.filter(has_text=call)).to_have_count(1)
    assert not re.search(r"\d ms", site.page.locator("#diagram").inner_text())


def test_the_calls_are_drawn_as_they_happen_with_key_size_and_milliseconds(site: Site, user: User) -> None:
    site.log_in(user.username)
    with hold_posts(site.page, "**/uploads/confirm") as held:
        site.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(site.page, held)
        expect(find_steps(site, "browser", "uploads")).to_have_count(2)
        expect(find_steps(site, "uploads", "S3")).to_have_count(0)
        posted = find_steps(site, "browser", "S3")
        expect(posted).to_contain_text(f"{PHOTOGRAPH.stat().st_size:,} bytes to pending/")
        expect(find_steps(site, "S3", "browser")).to_contain_text(re.compile(r"204 · [\d,]+ ms"))
        held[0].continue_()
        site.expect_entry("done")
    expect(find_steps(site, "uploads", "browser").last).to_contain_text(re.compile(rf"200 · [\d,]+ ms: {user.avatar}"))
    measured = site.page.locator("#diagram .step.inner").all_inner_texts()
    assert sorted(re.findall(r"(\w+) · [\d.]+ ms", " ".join(measured))) == sorted(CALLS_TO_AWS)


@only_chromium
def test_calls_that_were_not_measured_are_not_drawn(site: Site, user: User) -> None:
    def remove_times(route: Route) -> None:
        response = route.fetch(timeout=PATIENCE_MILLISECONDS)
        headers = {name: value for name, value in response.headers.items() if name != "server-timing"}
        route.fulfill(response=response, headers=headers)

    site.log_in(user.username)
    site.page.route("**/uploads/confirm", remove_times)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(find_steps(site, "browser", "uploads")).to_have_count(2)
    expect(site.page.locator("#diagram .step.inner")).to_have_count(0)


def test_a_refused_call_is_drawn_as_refused(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    site.log_in(user.username)
    browser_errors.expect("status of 403")
    site.page.locator('[data-attack="user"]').click()
    expect(find_steps(site, "S3", "browser")).to_have_class("step response refused")
    expect(find_steps(site, "S3", "browser")).to_contain_text("403 AccessDenied")


def test_an_older_upload_is_drawn_again_when_it_is_clicked(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    expect(find_steps(site, "browser", "uploads")).to_have_count(1)
    site.page.locator("#timeline > li").last.locator("summary").last.click()
    expect(find_steps(site, "browser", "uploads")).to_have_count(2)
