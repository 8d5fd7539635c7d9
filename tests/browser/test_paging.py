"""Lists of several pages: they turn without a page load, and the URL contains their cursors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browsing import same_in_firefox
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

    from infra.local.stack import Stack
    from tests.browsing import OpenPage, Site

# The behaviour is the same under both strategies.
pytestmark = [only_prefix, pytest.mark.usefixtures("many_users"), same_in_firefox]

LISTS = {
    "users": ("#users", "data-user", 12),
    "objects": ("#bucket", "data-key", 20),
    "rows": ("#table", "data-username", 20),
}
"""Section, attribute of an entry and page size of each list, by the query parameter of its cursor."""


def read_entries(section: Locator, attribute: str) -> list[str]:
    return section.locator(f"[{attribute}]").evaluate_all(
        "(entries, attribute) => entries.map((entry) => entry.getAttribute(attribute))", attribute
    )


def read_lists(page: Page, *, without: str | None = None) -> dict[str, list[str]]:
    return {
        parameter: read_entries(page.locator(selector), attribute)
        for parameter, (selector, attribute, _) in LISTS.items()
        if parameter != without
    }


@pytest.mark.parametrize("parameter", LISTS)
def test_a_list_turns_without_a_page_load_and_the_back_button_works(site: Site, parameter: str) -> None:
    selector, attribute, size = LISTS[parameter]
    site.open()
    section = site.page.locator(selector)
    others = {
        name: read_entries(site.page.locator(LISTS[name][0]), LISTS[name][1]) for name in LISTS.keys() - {parameter}
    }
    first = read_entries(section, attribute)
    assert len(first) == size
    site.page.evaluate("window.loaded = 'once'")

    site.turn_page(section, "Next page")
    assert f"?{parameter}=" in site.page.url
    second = read_entries(section, attribute)
    assert second
    assert set(first).isdisjoint(second)
    assert read_lists(site.page, without=parameter) == others
    address = site.page.url

    site.page.go_back()
    expect(section.locator(f'[{attribute}="{first[0]}"]')).to_be_visible()
    assert site.page.url == f"{site.origin}/"
    assert read_entries(section, attribute) == first

    site.page.go_forward()
    expect(section.locator(f'[{attribute}="{second[0]}"]')).to_be_visible()
    assert site.page.url == address
    assert read_entries(section, attribute) == second

    site.turn_page(section, "First page")
    assert read_entries(section, attribute) == first
    assert site.page.url.rstrip("?") == f"{site.origin}/"
    assert site.page.evaluate("window.loaded") == "once"


def test_a_late_response_does_not_replace_the_list_of_the_current_url(site: Site) -> None:
    site.open()
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
    # The page has handled the late response once a later request is complete.
    site.page.evaluate("async () => { await fetch('/users') }")
    assert site.page.url == f"{site.origin}/"
    assert read_entries(site.users, "data-user") == first


@pytest.mark.parametrize("parameter", LISTS)
def test_the_pages_of_a_list_contain_each_entry_once(site: Site, stack: Stack, parameter: str) -> None:
    selector, attribute, _ = LISTS[parameter]
    site.open()
    section = site.page.locator(selector)
    seen = read_entries(section, attribute)
    while section.get_by_role("link", name="Next page").count():
        site.turn_page(section, "Next page")
        seen += read_entries(section, attribute)
    assert sorted(seen) == sorted(list_keys(stack) if parameter == "objects" else list_usernames(stack))


def test_the_lists_turn_independently_and_the_url_keeps_each_page(site: Site, open_page: OpenPage) -> None:
    site.open()
    first = read_lists(site.page)
    for selector, _, _ in LISTS.values():
        site.turn_page(site.page.locator(selector), "Next page")
    shown = read_lists(site.page)
    assert all(set(first[parameter]).isdisjoint(shown[parameter]) for parameter in LISTS)
    other_page = open_page()
    other_page.goto(site.page.url)
    assert read_lists(other_page) == shown


def list_keys(stack: Stack) -> list[str]:
    pages = stack.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.resources.bucket)
    return [entry.get("Key", "") for page in pages for entry in page.get("Contents", [])]


def list_usernames(stack: Stack) -> list[str]:
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.resources.table)
    return [row["Username"].get("S", "") for page in pages for row in page["Items"]]
