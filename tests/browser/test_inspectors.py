"""The page's tables of the bucket and the rows: order, state filters, expiry and sweep."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.store.table import make_key
from tests.browsing import PHOTOGRAPH, read_key, same_in_firefox
from tests.conftest import only_prefix, only_tag

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from infra.local.stack import Stack
    from tests.browsing import Site
    from tests.conftest import Bucket, User

pytestmark = same_in_firefox


def choose(section: Locator, state: str) -> None:
    link = section.get_by_role("link", name=state, exact=True)
    link.click()
    expect(link).to_have_attribute("aria-current", "true")


def read_all(table: Locator, attribute: str) -> list[str]:
    return table.locator(f"[{attribute}]").evaluate_all(
        "(entries, attribute) => entries.map((entry) => entry.getAttribute(attribute))", attribute
    )


@only_prefix
@pytest.mark.usefixtures("many_users")
def test_the_newest_objects_come_first(site: Site, user: User) -> None:
    site.log_in(user.username)
    for _ in range(2):
        site.input("skip").set_input_files(PHOTOGRAPH)
        site.expect_entry("left-out")
    keys = read_all(site.bucket, "data-key")
    assert keys[0] == read_key(site.calls.nth(0))
    names = [key.partition("/")[2] for key in keys]
    assert len(names) == 20
    assert names == sorted(names, reverse=True)


def test_a_state_filter_shows_only_that_state(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    pending = read_key(site.calls.nth(0))
    live = user.avatar
    assert live
    expect(site.object(live)).to_be_visible()
    rows = read_all(site.table, "data-username")

    choose(site.bucket, "pending")
    expect(site.object(pending)).to_be_visible()
    assert set(read_all(site.bucket, "data-state")) == {"pending"}
    expect(site.bucket).to_contain_text(re.compile(r"\d+ shown, \d+ scanned"))
    choose(site.bucket, "live")
    expect(site.object(live)).to_be_visible()
    assert set(read_all(site.bucket, "data-state")) == {"live"}
    assert read_all(site.table, "data-username") == rows

    choose(site.table, "dangling")
    expect(site.row(user.username)).to_have_count(0)
    expect(site.page).to_have_url(re.compile(r"object_state=live.*row_state=dangling"))
    # An upload shows its changes while filters are set.
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.calls.nth(2)).to_contain_text(f"row {user.username}: Avatar {live} → {user.avatar}")
    site.page.go_back()
    expect(site.row(user.username)).to_be_visible()
    choose(site.bucket, "all")
    assert bucket.owner(pending) == user.username
    expect(site.object(pending)).to_be_visible()


@only_prefix
def test_the_filter_dangling_finds_a_row_without_its_object(site: Site, user: User, stack: Stack) -> None:
    assert user.avatar
    stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=user.avatar)
    key = make_key(user.username)
    try:
        site.open()
        choose(site.table, "dangling")
        site.turn_pages_to(site.table, site.row(user.username))
        expect(site.row(user.username)).to_contain_text("there is no such object")
    finally:
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=key)


@only_prefix
def test_the_time_until_an_objects_expiry_is_shown(site: Site, user: User) -> None:
    """The time is by the bucket's clock, which the demo can move: a day later it is a day less."""
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    remaining = site.object(read_key(site.calls.nth(0))).locator(".expires small")
    before = read_hours(remaining)
    assert 24 <= before <= 48
    with site.page.expect_response(re.compile("/_lifecycle$")):
        site.page.get_by_role("button", name="Let a day pass").click()
    expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    if before > 24:
        assert read_hours(remaining) in {before - 24, before - 25}


def read_hours(remaining: Locator) -> int:
    amounts = {unit: int(amount) for amount, unit in re.findall(r"(\d+) (d|h|min)", remaining.inner_text())}
    assert amounts
    return amounts.get("d", 0) * 24 + amounts.get("h", 0)


@only_tag
def test_a_sweep_restores_an_avatar_that_was_posted_again_and_reports_it(
    site: Site, user: User, bucket: Bucket
) -> None:
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar
    assert "Expiration" in bucket.head(user.avatar)
    expect(site.object(user.avatar)).to_contain_text("but a lifecycle rule will delete it")
    site.page.get_by_role("button", name="Sweep now").click()
    told = site.page.locator("#lifecycle [data-deleted]")
    expect(told).to_contain_text("restored: live pictures that had the pending tag; it was removed")
    expect(told).to_contain_text(f"restored: {user.avatar}")
    expect(site.object(user.avatar).locator(".expires")).to_have_text("never")
    assert "Expiration" not in bucket.head(user.avatar)
