"""The two tables: newest first, one state alone, how long it is until something goes, and what clears it up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browsing import PHOTOGRAPH, read_key
from tests.conftest import only_prefix, only_tag

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from infra.local.stack import Stack
    from tests.browsing import Site
    from tests.conftest import Bucket, User


def choose(section: Locator, state: str) -> None:
    link = section.get_by_role("link", name=state, exact=True)
    link.click()
    expect(link).to_have_attribute("aria-current", "true")


def read_all(table: Locator, attribute: str) -> list[str]:
    return table.locator(f"[{attribute}]").evaluate_all(
        "(entries, attribute) => entries.map((entry) => entry.getAttribute(attribute))", attribute
    )


@only_prefix
@pytest.mark.usefixtures("crowd")
def test_the_newest_come_first(site: Site, user: User) -> None:
    site.log_in(user.username)
    for _ in range(2):
        site.input("skip").set_input_files(PHOTOGRAPH)
        site.expect_entry("left-out")
    keys = read_all(site.bucket, "data-key")
    assert keys[0] == read_key(site.calls.nth(0))
    names = [key.partition("/")[2] for key in keys]
    assert len(names) == 20
    assert names == sorted(names, reverse=True)


def test_one_state_alone(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    waiting = read_key(site.calls.nth(0))
    live = user.avatar
    assert live
    expect(site.object(live)).to_be_visible()
    rows = read_all(site.table, "data-username")

    choose(site.bucket, "pending")
    expect(site.object(waiting)).to_be_visible()
    assert set(read_all(site.bucket, "data-state")) == {"pending"}
    expect(site.bucket).to_contain_text(re.compile(r"\d+ of the \d+ that this page has looked at"))
    choose(site.bucket, "live")
    expect(site.object(live)).to_be_visible()
    assert set(read_all(site.bucket, "data-state")) == {"live"}
    assert read_all(site.table, "data-username") == rows

    choose(site.table, "dangling")
    expect(site.row(user.username)).to_have_count(0)
    expect(site.page).to_have_url(re.compile(r"object_state=live.*row_state=dangling"))
    # What is uploaded meanwhile is told all the same.
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.calls.nth(2)).to_contain_text(f"row {user.username}: Avatar {live} → {user.avatar}")
    site.page.go_back()
    expect(site.row(user.username)).to_be_visible()
    choose(site.bucket, "all")
    assert bucket.owner(waiting) == user.username
    expect(site.object(waiting)).to_be_visible()


@only_prefix
def test_a_dangling_row_is_found(site: Site, user: User, stack: Stack) -> None:
    assert user.avatar
    stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=user.avatar)
    key: Any = {"Username": {"S": user.username}}
    try:
        site.open()
        choose(site.table, "dangling")
        site.turn_to(site.table, site.row(user.username))
        expect(site.row(user.username)).to_contain_text("there is no such object")
    finally:
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=key)


@only_prefix
def test_how_long_it_is_until_it_goes_is_counted_down(site: Site, user: User) -> None:
    """By the bucket's clock, which the demo can move: a day less after a day."""
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    left = site.object(read_key(site.calls.nth(0))).locator(".expires small")
    before = read_hours(left)
    assert 24 <= before <= 48
    with site.page.expect_response(re.compile("/_lifecycle$")):
        site.page.get_by_role("button", name="Let a day pass").click()
    expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    if before > 24:
        assert read_hours(left) in {before - 24, before - 25}


def read_hours(left: Locator) -> int:
    amounts = {unit: int(amount) for amount, unit in re.findall(r"(\d+) (d|h|min)", left.inner_text())}
    assert amounts
    return amounts.get("d", 0) * 24 + amounts.get("h", 0)


@only_tag
def test_a_sweep_restores_what_was_posted_again_and_says_so(site: Site, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar
    assert "Expiration" in bucket.head(user.avatar)
    expect(site.object(user.avatar)).to_contain_text("but a lifecycle rule will delete it")
    site.page.get_by_role("button", name="Sweep now").click()
    told = site.page.locator("#lifecycle [data-deleted]")
    expect(told).to_contain_text("restored: live avatars that had the pending tag; it was removed")
    expect(told).to_contain_text(f"restored: {user.avatar}")
    expect(site.object(user.avatar).locator(".expires")).to_have_text("never")
    assert "Expiration" not in bucket.head(user.avatar)
