"""The signed policy as the page shows it, and the condition that an attack violates."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browsing import PHOTOGRAPH
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User


def find_condition(call: Locator, name: str) -> Locator:
    return call.locator(".policy tbody tr", has=call.page.locator("th", has_text=re.compile(f"^{re.escape(name)}$")))


def test_presign_and_post_show_each_condition_with_its_value(site: Site, user: User) -> None:
    site.log_in(user.username)
    with site.page.expect_response("**/uploads/presign") as response:
        site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    form = response.value.json()
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    for call in (site.calls.nth(0), site.calls.nth(1)):
        call.locator("summary").click()
        # Beside the conditions there are the expiration and the signature.
        expect(call.locator(".policy tbody tr")).to_have_count(len(policy["conditions"]) + 2)
        expect(find_condition(call, "key")).to_contain_text(f"{form['key']}")
        expect(find_condition(call, "key")).to_contain_text("another user's avatar")
        size = f"exactly {PHOTOGRAPH.stat().st_size:,} bytes"
        expect(find_condition(call, "content-length-range")).to_contain_text(size)
        expect(find_condition(call, "x-amz-meta-username")).to_contain_text(user.username)
        expect(find_condition(call, "expiration")).to_contain_text(policy["expiration"])
        expect(call.locator(".is-violated")).to_have_count(0)
        signature = form["fields"]["x-amz-signature"]
        assert signature not in call.inner_text()
        assert form["fields"]["x-amz-credential"] not in call.inner_text()


@only_prefix
def test_a_phone_shows_all_columns_and_no_line_over_the_entry_s_head(site: Site, user: User) -> None:
    site.page.set_viewport_size({"width": 390, "height": 844})
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    site.calls.nth(1).locator("summary").click()
    box = site.calls.nth(1).locator(".policy .scroll")
    assert box.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    line = site.calls.nth(1).locator(".effects li").first
    on_top = """(line) => {
        line.scrollIntoView({ block: "start" });
        const { left, top } = line.getBoundingClientRect();
        return document.elementFromPoint(left + 5, top + 5).closest(".entry-head") !== null;
    }"""
    assert line.evaluate(on_top)


@only_prefix
def test_the_expiration_counts_down(site: Site, user: User) -> None:
    site.page.clock.install()
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    remaining = site.calls.nth(1).locator("[data-form-ends]")
    site.calls.nth(1).locator("summary").click()
    expect(remaining).to_have_text(re.compile(r"^valid for another [45]:\d\d$"))
    site.page.clock.fast_forward(120_000)
    expect(remaining).to_have_text(re.compile(r"^valid for another [23]:\d\d$"))
    site.page.clock.fast_forward(300_000)
    expect(remaining).to_have_text("expired")


@only_prefix
@pytest.mark.parametrize(
    ("attack", "condition"), [("user", "x-amz-meta-username"), ("key", "key"), ("larger", "content-length-range")]
)
def test_an_attack_shows_the_changed_field_and_the_violated_condition(
    site: Site, user: User, browser_errors: BrowserErrors, attack: str, condition: str
) -> None:
    site.log_in(user.username)
    browser_errors.expect("status of 40")
    card = site.page.locator("li.attack", has=site.page.locator(f'[data-attack="{attack}"]'))
    card.get_by_role("button").click()
    expect(card).to_have_attribute("data-verdict", "refused")
    expect(card.locator(".condition dd").first).to_contain_text(f"{condition}: ")
    sent = card.locator(".condition dd").nth(1).inner_text()
    call = site.calls.nth(1)
    call.locator("summary").click()
    expect(call.locator(".is-violated")).to_have_count(1)
    violated = find_condition(call, condition)
    expect(violated).to_have_class("is-violated")
    expect(violated).to_contain_text(f"sent: {sent}")
    # The card has the calls, the last of them with S3's refusal.
    expect(card.locator(".made li")).to_have_count(2)
    expect(card.locator(".made li").last).to_contain_text("POST → S3: 40")
