"""Lists longer than a page: turned without loading the page anew, and yet at an address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.conftest import only_prefix

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

    from infra.local.stack import Stack
    from tests.browsing import OpenPage, Site

# What this is about is the same under either strategy.
pytestmark = [only_prefix, pytest.mark.usefixtures("crowd")]

LISTS = {
    "users": ("#users", "data-user", 12),
    "objects": ("#bucket", "data-key", 20),
    "rows": ("#table", "data-username", 20),
}
"""By the parameter of its cursor: a list's section, what names an entry of it, and how many there are on a page."""


def read_entries(section: Locator, attribute: str) -> list[str]:
    return section.locator(f"[{attribute}]").evaluate_all(
        "(entries, attribute) => entries.map((entry) => entry.getAttribute(attribute))", attribute
    )


def read_lists(page: Page, *, but: str | None = None) -> dict[str, list[str]]:
    return {
        parameter: read_entries(page.locator(selector), attribute)
        for parameter, (selector, attribute, _) in LISTS.items()
        if parameter != but
    }


@pytest.mark.parametrize("parameter", LISTS)
def test_the_next_page_comes_in_place_and_the_back_button_returns(site: Site, parameter: str) -> None:
    selector, attribute, size = LISTS[parameter]
    section = site.page.locator(selector)
    others = {
        name: read_entries(site.page.locator(LISTS[name][0]), LISTS[name][1]) for name in LISTS.keys() - {parameter}
    }
    first = read_entries(section, attribute)
    assert len(first) == size
    site.page.evaluate("window.loaded = 'once'")

    site.turn(section, "Next page")
    assert f"?{parameter}=" in site.page.url
    second = read_entries(section, attribute)
    assert second
    assert set(first).isdisjoint(second)
    assert read_lists(site.page, but=parameter) == others
    address = site.page.url

    site.page.go_back()
    expect(section.locator(f'[{attribute}="{first[0]}"]')).to_be_visible()
    assert site.page.url == f"{site.origin}/"
    assert read_entries(section, attribute) == first

    site.page.go_forward()
    expect(section.locator(f'[{attribute}="{second[0]}"]')).to_be_visible()
    assert site.page.url == address
    assert read_entries(section, attribute) == second

    site.turn(section, "First page")
    assert read_entries(section, attribute) == first
    assert site.page.url.rstrip("?") == f"{site.origin}/"
    assert site.page.evaluate("window.loaded") == "once"


def test_what_is_shown_is_what_the_address_says_even_if_answers_come_late(site: Site) -> None:
    first = read_entries(site.users, "data-user")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    site.page.route(re.compile(r"\?users="), hold)
    with site.page.expect_request(re.compile(r"\?users=")):
        site.users.get_by_role("link", name="Next page").click()
    with site.page.expect_response(lambda response: urlsplit(response.url).path == "/"):
        site.page.go_back()
    (late,) = held
    with site.page.expect_response(re.compile(r"\?users=")) as answer:
        late.continue_()
    answer.value.finished()
    # What the page does with it is done once a later call is through.
    site.page.evaluate("async () => { await fetch('/users') }")
    assert site.page.url == f"{site.origin}/"
    assert read_entries(site.users, "data-user") == first


@pytest.mark.parametrize("parameter", LISTS)
def test_the_pages_of_a_list_have_everything_once(site: Site, stack: Stack, parameter: str) -> None:
    selector, attribute, _ = LISTS[parameter]
    section = site.page.locator(selector)
    seen = read_entries(section, attribute)
    while section.get_by_role("link", name="Next page").count():
        site.turn(section, "Next page")
        seen += read_entries(section, attribute)
    assert sorted(seen) == sorted(list_keys(stack) if parameter == "objects" else list_usernames(stack))


def test_the_lists_turn_one_by_one_and_the_address_keeps_each(site: Site, open_page: OpenPage) -> None:
    first = read_lists(site.page)
    for selector, _, _ in LISTS.values():
        site.turn(site.page.locator(selector), "Next page")
    shown = read_lists(site.page)
    assert all(set(first[parameter]).isdisjoint(shown[parameter]) for parameter in LISTS)
    elsewhere = open_page()
    elsewhere.goto(site.page.url)
    assert read_lists(elsewhere) == shown


def list_keys(stack: Stack) -> list[str]:
    pages = stack.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.resources.bucket)
    return [entry.get("Key", "") for page in pages for entry in page.get("Contents", [])]


def list_usernames(stack: Stack) -> list[str]:
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.resources.table)
    return [row["Username"].get("S", "") for page in pages for row in page["Items"]]
