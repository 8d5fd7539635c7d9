"""Cause and effect share a screen, the page asks once after an upload, and a click is answered at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.test_timeline import hold_posts, wait_for_one
from tests.browsing import PHOTOGRAPH, Site
from tests.conftest import only_prefix
from tests.eventually import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Request, Route

    from infra.local.stack import Stack
    from tests.browsing import OpenPage
    from tests.conftest import User

# The page is the same under both strategies.
pytestmark = only_prefix


def is_in_view(element: Locator) -> bool:
    box, page = element.bounding_box(), element.page
    assert box
    assert page.viewport_size
    return (
        box["x"] >= 0
        and box["y"] >= 0
        and box["x"] + box["width"] <= page.viewport_size["width"]
        and box["y"] + box["height"] <= page.viewport_size["height"]
    )


@pytest.mark.parametrize("size", [(1100, 800), (1280, 720), (1920, 1080)], ids=str)
def test_avatar_calls_bucket_and_table_are_in_view_after_an_upload(
    open_page: OpenPage, stack: Stack, user: User, size: tuple[int, int]
) -> None:
    site = Site(open_page(viewport={"width": size[0], "height": size[1]}), stack.origin)
    site.open()
    site.log_in(user.username)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar
    new = site.entry.locator(".pictures img").last
    expect(new).to_have_attribute("src", re.compile(f"{user.avatar}$"))
    assert is_in_view(new)
    assert is_in_view(site.card(user.username))
    assert is_in_view(site.page.locator("#diagram"))
    assert is_in_view(site.entry.get_by_role("status"))
    assert is_in_view(site.object(user.avatar).locator("td").first)
    assert is_in_view(site.row(user.username).locator("td").first)


def test_an_entry_on_a_phone_repeats_avatar_object_and_row(open_page: OpenPage, stack: Stack, user: User) -> None:
    site = Site(open_page(viewport={"width": 390, "height": 844}), stack.origin)
    site.open()
    site.log_in(user.username)
    old = user.avatar
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    result = site.entry.locator(".result")
    expect(site.entry.locator(".pictures").locator("img, canvas")).to_have_count(2)
    expect(result).to_contain_text(f"live expires never {user.avatar}")
    expect(result).to_contain_text(f"deleted {old}")
    expect(result).to_contain_text(f"row {user.username} {old} → {user.avatar}")
    assert is_in_view(site.page.locator("#diagram"))
    assert is_in_view(result.locator("li").first)

    card = site.card(user.username).element_handle()
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    assert card.evaluate("(card) => card.isConnected"), "a card that did not change was replaced"
    expect(result).to_contain_text(re.compile(r"pending expires 20\d\d-\d\d-\d\d .* pending/"))
    expect(result).to_contain_text(f"row {user.username} unchanged {user.avatar}")


def test_the_page_asks_once_for_what_changed(site: Site, user: User) -> None:
    site.log_in(user.username)
    old = user.avatar
    assert old
    asked: list[Request] = []
    site.page.on("requestfinished", lambda request: asked.append(request))  # noqa: PLW0108 - Playwright counts its arguments
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    read = [request for request in asked if request.method == "GET" and request.resource_type == "fetch"]
    assert {urlsplit(request.url).path for request in read} == {"/changes"}
    # It asks again only while the service has not deleted what the upload replaced.
    for request in read[:-1]:
        response = request.response()
        assert response
        assert old in response.text()
    query = parse_qs(urlsplit(read[0].url).query)
    assert query["username"] == [user.username]
    assert {user.avatar, old} <= set(query["key"])
    assert len(query["key"]) == 3
    expect(site.row(user.username)).to_contain_text(user.avatar or "")


@pytest.mark.parametrize(
    ("name", "path"), [("Sweep now", "/_sweep"), ("Let a day pass", "/_lifecycle"), ("Log in as", "/auth/login")]
)
def test_a_click_is_shown_as_taken_before_the_response(site: Site, name: str, path: str) -> None:
    site.open()
    button = site.page.get_by_role("button", name=name).first
    element = button.element_handle()
    with hold_posts(site.page, f"**{path}") as held:
        button.click()
        assert element.is_disabled()
        wait_for_one(site.page, held)
        assert element.is_disabled()
        held[0].continue_()
    expect(site.page.locator("body")).to_have_attribute("data-busy", "false")
    if name != "Log in as":
        expect(button).to_be_enabled()
        expect(site.page.locator("[data-told]")).not_to_be_empty()


def test_an_attack_that_waits_for_another_one_is_shown_as_taken(site: Site, user: User) -> None:
    site.log_in(user.username)
    cards = [
        site.page.locator("li.attack", has=site.page.locator(f'[data-attack="{name}"]')) for name in ("skip", "replay")
    ]
    with hold_posts(site.page, "**/uploads/presign") as held:
        for card in cards:
            card.get_by_role("button").click()
            assert card.get_attribute("data-verdict") == "running"
        wait_for_one(site.page, held)
        held[0].continue_()
        expect(cards[0]).to_have_attribute("data-verdict", "harmless")
        wait_for_next(site.page, held)
        held[1].continue_()
    expect(cards[1]).to_have_attribute("data-verdict", "harmless")


def wait_for_next(page: Page, held: list[Route]) -> None:
    eventually(lambda: bool(page.evaluate("true") and len(held) == 2))


def test_a_chosen_file_is_shown_as_taken(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.page.evaluate(
        """() => {
            const read = File.prototype.arrayBuffer;
            File.prototype.arrayBuffer = async function () {
                await new Promise((resolve) => (window.goOn = resolve));
                File.prototype.arrayBuffer = read;
                return read.call(this);
            };
        }"""
    )
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.page.locator("#taken")).to_have_text(f"Reading {PHOTOGRAPH.name} …")
    site.page.evaluate("goOn()")
    site.expect_entry("done")
    expect(site.page.locator("#taken")).to_be_empty()


def test_the_lifecycle_rules_are_shown_as_s3_has_them(site: Site) -> None:
    site.open()
    rules = site.page.locator("#rules")
    rules.locator("summary").click()
    expect(rules.locator("pre")).to_contain_text('"Prefix": "pending/"')
    expect(rules.locator("pre")).to_contain_text('"Days": 1')
