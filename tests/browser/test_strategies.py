"""The page under each strategy, and the lifecycle rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.store.kinds import AVATAR
from tests.browsing import PHOTOGRAPH, fail_once, read_key, same_in_firefox
from tests.conftest import only_prefix, only_tag
from tests.eventually import eventually

if TYPE_CHECKING:
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, User

pytestmark = same_in_firefox


def test_the_page_names_the_strategy(site: Site, user: User, strategy: str) -> None:
    site.log_in(user.username)
    expect(site.page.locator("#strategy")).to_have_attribute("data-strategy", strategy)
    expect(site.page.locator("#strategy")).to_contain_text(f"Strategy {strategy}:")


@only_prefix
def test_a_post_after_the_confirm_makes_a_separate_object(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.calls).to_have_count(5)
    expect(site.calls.nth(4)).to_contain_text("the avatar is unchanged")
    key = read_key(site.calls.nth(0))
    avatar = key.replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    site.turn_pages_to(site.bucket, site.object(avatar))
    expect(site.object(avatar)).to_have_attribute("data-state", "live")
    expect(site.object(avatar).locator(".expires")).to_have_text("never")
    expect(site.object(key)).to_have_attribute("data-state", "pending")
    expect(site.object(key).locator(".expires")).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d 00:00:00\s*in \d+ [dh]"))
    assert user.avatar == avatar
    assert bucket.read(avatar) == PHOTOGRAPH.read_bytes()


@only_tag
def test_a_post_after_the_confirm_makes_the_avatar_expire_until_it_is_confirmed_again(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.calls).to_have_count(5)
    expect(site.calls.nth(4)).to_contain_text("The live avatar is pending again")
    key = read_key(site.calls.nth(0))
    assert user.avatar == key
    site.turn_pages_to(site.bucket, site.object(key))
    row = site.object(key)
    expect(row).to_have_attribute("data-state", "live")
    expect(row).to_contain_text("but a lifecycle rule will delete it")
    expect(row).to_contain_text("Status=Pending")

    site.page.get_by_role("button", name="Confirm again").click()
    expect(site.calls).to_have_count(6)
    expect(site.calls.nth(5)).to_contain_text("Nothing will delete it")
    expect(row.locator(".expires")).to_have_text("never")
    expect(row).not_to_contain_text("Status=Pending")


def test_unconfirmed_objects_are_deleted_after_days(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    key = read_key(site.calls.nth(0))
    lifecycle = site.page.locator("#lifecycle")
    button = lifecycle.get_by_role("button", name="Let a day pass")
    before = lifecycle.locator("[data-clock]").inner_text()
    # A rule applies at the midnight after one day, so two days are always enough.
    for _ in range(2):
        with site.page.expect_response(re.compile("/_lifecycle$")):
            button.click()
        expect(button).to_be_enabled()
    expect(lifecycle.locator("[data-clock]")).not_to_have_text(before)
    expect(lifecycle.locator("[data-clock]")).to_contain_text("ahead")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert key != user.avatar


@only_prefix
@pytest.mark.parametrize(("button", "path"), [("Let a day pass", "_lifecycle"), ("Sweep now", "_sweep")])
def test_a_failed_sweep_or_day_shows_no_earlier_result(
    site: Site, browser_errors: BrowserErrors, button: str, path: str
) -> None:
    site.open()
    lifecycle = site.page.locator("#lifecycle")
    lifecycle.get_by_role("button", name="Sweep now").click()
    expect(lifecycle.locator("[data-told]")).to_have_text("Sweep finished.")
    expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    fail_once(site.page, browser_errors, f"**/{path}")
    lifecycle.get_by_role("button", name=button).click()
    expect(site.failure).to_have_text(re.compile(r"can't be reached\. Check the connection and try again\.$"))
    expect(lifecycle.locator("[data-told]")).to_be_empty()
    expect(lifecycle.locator("[data-deleted]")).to_be_empty()
