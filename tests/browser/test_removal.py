"""The button that removes the avatar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browsing import PHOTOGRAPH, fail_once, read_key, same_in_firefox
from tests.conftest import make_user, only_prefix
from tests.eventually import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Route

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, User

pytestmark = same_in_firefox

UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
"""The value of `Removed`."""


def remove_button(site: Site, user: User) -> Locator:
    return site.card(user.username).get_by_role("button", name="Remove avatar")


def placeholder(site: Site, user: User) -> Locator:
    return site.card(user.username).get_by_role("img", name=f"{user.name} has no avatar yet")


def test_the_button_removes_the_avatar(site: Site, user: User, bucket: Bucket) -> None:
    old = user.avatar
    site.log_in(user.username)
    remove_button(site, user).click()
    site.expect_entry("done")
    expect(site.entry.get_by_role("status")).to_have_text("Done: the avatar is removed.")
    expect(site.calls).to_have_count(1)
    expect(site.calls.first).to_contain_text("DELETE /uploads/avatar")
    expect(site.calls.first).to_contain_text("204")
    expect(site.calls.first).to_contain_text(f"row {user.username}: Avatar {old} → none")
    expect(site.calls.first).to_contain_text(f"deleted object {old}")

    expect(placeholder(site, user)).to_be_visible()
    expect(remove_button(site, user)).to_be_disabled()
    cells = site.row(user.username).locator("td")
    expect(cells.nth(2)).to_have_text("none")
    expect(cells.nth(3)).to_have_text(re.compile(UUID7))
    assert user.avatar is None
    eventually(lambda: bucket.keys(user.username) == [])


def test_an_upload_after_a_removal_becomes_the_avatar(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    remove_button(site, user).click()
    site.expect_entry("done")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.page.locator("#timeline > li")).to_have_count(2)
    site.expect_entry("done")
    avatar = read_key(site.calls.nth(2))
    site.expect_avatar(user.username, avatar)
    expect(remove_button(site, user)).to_be_enabled()
    assert user.avatar == avatar
    eventually(lambda: bucket.keys(user.username) == [avatar])


def test_an_upload_that_was_presigned_before_a_removal_is_refused(
    site: Site, user: User, browser_errors: BrowserErrors
) -> None:
    held: list[Route] = []
    site.log_in(user.username)
    site.page.route("**/uploads/confirm", lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright counts its arguments
    browser_errors.expect("status of 409")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.calls).to_have_count(3)
    # Otherwise the page could load the picture after the removal.
    site.see_picture(user.username)
    assert user.http.delete("/uploads/avatar").status_code == 204
    held[0].continue_()
    expect(site.failure).to_have_text(
        "The avatar was removed after this upload was presigned. Upload the picture again. (409, urn:problem:removed)"
    )
    expect(placeholder(site, user)).to_be_visible()
    assert user.avatar is None

    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert user.avatar == read_key(site.calls.last)


def test_a_repeated_confirm_after_a_removal_has_failed(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.http.delete("/uploads/avatar").status_code == 204
    browser_errors.expect("status of 409")
    site.entry.get_by_role("button", name="Confirm again").click()
    site.expect_entry("failed")
    expect(site.failure).to_have_text(
        "It was not confirmed again. The avatar was removed after this upload was presigned. Upload the picture again. "
        "(409, urn:problem:removed)"
    )
    expect(site.entry.get_by_role("button")).to_have_count(0)
    expect(placeholder(site, user)).to_be_visible()
    assert user.avatar is None


@only_prefix
def test_a_repeated_confirm_without_a_response_can_be_tried_again(
    site: Site, user: User, browser_errors: BrowserErrors
) -> None:
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    fail_once(site.page, browser_errors, "**/uploads/confirm")
    site.entry.get_by_role("button", name="Confirm again").click()
    site.expect_entry("failed")
    expect(site.failure).to_have_text(re.compile(r"can't be reached\. Check the connection and try again\.$"))
    site.entry.get_by_role("button", name="Confirm again").press("Enter")
    site.expect_entry("done")
    expect(site.calls.last).to_contain_text("Nothing will delete it")
    expect(site.entry.get_by_role("button")).to_have_count(0)


@only_prefix
def test_a_failed_removal_is_explained(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    old = user.avatar
    assert old
    site.log_in(user.username)
    fail_once(site.page, browser_errors, "**/uploads/avatar")
    remove_button(site, user).click()
    site.expect_entry("failed")
    expect(site.failure).to_have_text(re.compile(r"can't be reached\. Check the connection and try again\.$"))
    site.expect_avatar(user.username, old)
    expect(remove_button(site, user)).to_be_enabled()
    assert user.avatar == old


@only_prefix
def test_only_a_user_with_an_avatar_can_remove_it(site: Site, stack: Stack, user: User) -> None:
    site.open()
    expect(site.page.get_by_role("button", name="Remove avatar")).to_have_count(0)
    site.log_in(user.username)
    expect(site.page.get_by_role("button", name="Remove avatar")).to_have_count(1)
    expect(remove_button(site, user)).to_be_enabled()
    with make_user(stack, portrait=False) as other:
        site.log_in(other.username)
        expect(remove_button(site, other)).to_be_disabled()
