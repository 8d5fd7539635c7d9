"""Login and logout on the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.store.table import make_key
from tests.browser.test_timeline import hold_posts, wait_for_one
from tests.browsing import PHOTOGRAPH, same_in_firefox
from tests.conftest import make_user, only_prefix

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, OpenPage, Site
    from tests.conftest import User

# The behaviour is the same under both strategies.
pytestmark = only_prefix


def test_the_buttons_of_a_card_log_in_and_out(user: User, site: Site) -> None:
    site.open()
    inputs = site.page.locator("input[type=file]")
    assert len(inputs.all()) == 4
    for field in inputs.all():
        expect(field).to_be_disabled()
    site.turn_pages_to(site.users, site.card(user.username))
    card = site.card(user.username)
    expect(card.get_by_role("heading")).to_have_text(user.name)
    card.get_by_role("button", name=f"Log in as {user.username}").click()
    expect(card).to_contain_text("Current user")
    expect(site.page.get_by_text("Current user")).to_have_count(1)
    expect(site.input("confirm")).to_be_enabled()
    expect(site.input("skip")).to_be_enabled()
    expect(site.page.get_by_text(f"Choose a picture for {user.username}")).to_be_visible()

    card.get_by_role("button", name="Log out").click()
    expect(card.get_by_role("button", name=f"Log in as {user.username}")).to_be_visible()
    expect(site.page.get_by_text("Current user")).to_have_count(0)
    for field in inputs.all():
        expect(field).to_be_disabled()
    assert site.page.context.cookies() == []


def test_a_session_survives_a_reload_and_is_shared_by_tabs(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.page.reload()
    expect(site.card(user.username)).to_contain_text("Current user")
    tab = site.page.context.new_page()
    tab.goto(site.origin)
    expect(tab.locator(f'[data-user="{user.username}"]')).to_contain_text("Current user")


def test_another_browser_is_not_logged_in(site: Site, user: User, open_page: OpenPage) -> None:
    site.log_in(user.username)
    other_page = open_page()
    other_page.goto(site.origin)
    expect(other_page.locator("#users")).to_be_visible()
    expect(other_page.get_by_text("Current user")).to_have_count(0)


def test_a_login_as_another_user_needs_no_logout(site: Site, user: User, other_user: User) -> None:
    site.log_in(user.username)
    site.turn_pages_to(site.users, site.card(other_user.username))
    site.card(other_user.username).get_by_role("button", name="Log in").click()
    expect(site.card(other_user.username)).to_contain_text("Current user")
    expect(site.page.get_by_text("Current user")).to_have_count(1)
    expect(site.page.get_by_text(f"Choose a picture for {other_user.username}")).to_be_visible()


@pytest.mark.usefixtures("many_users")
def test_the_current_users_card_comes_first(site: Site, stack: Stack) -> None:
    with make_user(stack) as user:
        site.log_in(user.username)
        site.turn_pages_to(site.users, site.users.locator(f'li:first-child[data-user="{user.username}"]'))
        expect(site.card(user.username)).to_have_count(1)


def test_a_login_of_a_deleted_user_is_explained(
    user: User, site: Site, stack: Stack, browser_errors: BrowserErrors
) -> None:
    site.open()
    site.turn_pages_to(site.users, site.card(user.username))
    key = make_key(user.username)
    stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=key)
    browser_errors.expect("status of 404")
    site.card(user.username).get_by_role("button", name="Log in").click()
    expect(site.failure).to_contain_text("urn:problem:unknown-user")
    expect(site.failure).to_contain_text(re.compile("no user", re.IGNORECASE))
    # The page reloads the users.
    expect(site.card(user.username)).to_have_count(0)


@same_in_firefox
def test_a_file_that_is_chosen_during_the_login_is_uploaded_after_it(site: Site) -> None:
    site.open()
    button = site.page.locator("[data-login]").first
    username = button.get_attribute("data-login")
    with hold_posts(site.page, "**/auth/login") as held:
        button.click()
        site.input("skip").set_input_files(PHOTOGRAPH)
        wait_for_one(site.page, held)
        expect(site.calls).to_have_count(0)
        held[0].continue_()
        site.expect_entry("left-out")
    expect(site.entry.get_by_role("heading")).to_have_text(f"{PHOTOGRAPH.name} for {username}")


@same_in_firefox
def test_a_file_without_a_login_is_not_uploaded(site: Site) -> None:
    site.open()
    site.input("skip").set_input_files(PHOTOGRAPH)
    expect(site.failure).to_have_text("Log in as one of the users first.")
    expect(site.page.locator("#timeline > li")).to_have_count(0)
