"""The page for those who have a keyboard only, a small screen, or dark colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import expect

from tests.browsing import PHOTOGRAPH, SAME, Site, difference, draw_avatar
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from infra.local.stack import Stack
    from tests.browsing import OpenPage
    from tests.conftest import User

# What this is about is the same under either strategy.
pytestmark = only_prefix

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 1,
    "is_mobile": True,
    "has_touch": True,
}


def press_tab_to(page: Page, selector: str) -> None:
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    pytest.fail(f"The Tab key does not lead to {selector}")


def test_the_keyboard_suffices_to_log_in_and_out(site: Site) -> None:
    press_tab_to(site.page, "button[data-login]")
    focused = site.page.locator(":focus")
    assert focused.evaluate("(button) => getComputedStyle(button).outlineStyle") == "solid"
    username = focused.get_attribute("data-login")
    assert username is not None
    site.page.keyboard.press("Enter")
    expect(site.card(username)).to_contain_text("Current user")
    press_tab_to(site.page, "button[data-logout]")
    site.page.keyboard.press("Space")
    expect(site.card(username)).not_to_contain_text("Current user")


def test_the_keyboard_suffices_to_upload(site: Site, user: User) -> None:
    # Playwright takes over file choosers once somebody listens, and is not waited for: so that comes long before.
    site.page.on("filechooser", lambda _: None)
    site.log_in(user.username)
    press_tab_to(site.page, 'input[data-flow="confirm"]')
    with site.page.expect_file_chooser() as chooser:
        site.page.keyboard.press("Space")
    chooser.value.set_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar is not None
    site.expect_avatar(user.username, user.avatar)


@pytest.mark.usefixtures("crowd")
def test_the_keyboard_suffices_to_turn_pages(site: Site) -> None:
    press_tab_to(site.page, "#users a[data-page]")
    site.page.keyboard.press("Enter")
    expect(site.users.get_by_role("link", name="First page")).to_be_visible()


@pytest.mark.usefixtures("crowd")
def test_the_focus_stays_where_a_page_was_turned(site: Site) -> None:
    press_tab_to(site.page, "#users a[data-page]")
    site.page.keyboard.press("Enter")
    expect(site.users.get_by_role("link", name="First page")).to_be_visible()
    assert site.page.evaluate("document.activeElement.closest('#users') !== null")


def test_what_happened_is_read_out(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.entry.get_by_role("status")).to_have_text("Done: it is the avatar.")


@pytest.mark.usefixtures("crowd")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(open_page: OpenPage, stack: Stack, user: User, scheme: Literal["light", "dark"]) -> None:
    longest: Any = {
        "Username": {"S": user.username},
        "Name": {"S": "Wolfeschlegelsteinhausenbergerdorff" * 3},
        "Avatar": {"S": user.avatar},
    }
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=longest)
    site = Site(open_page(**PHONE, color_scheme=scheme), stack.origin)
    site.open()
    assert fits(site.page)
    site.log_in(user.username)
    assert fits(site.page)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert fits(site.page)
    assert user.avatar is not None
    site.expect_avatar(user.username, user.avatar)
    assert difference(site.see_picture(user.username), draw_avatar(PHOTOGRAPH)) < SAME
    for button in site.page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["viewport"]["width"]


@pytest.mark.parametrize(("scheme", "ground"), [("light", range(200, 256)), ("dark", range(60))])
def test_colours_follow_what_the_reader_prefers(
    open_page: OpenPage, stack: Stack, scheme: Literal["light", "dark"], ground: range
) -> None:
    page = open_page(color_scheme=scheme)
    page.goto(stack.origin)
    for selector in (":root", ".card"):
        colour = page.locator(selector).first.evaluate("(element) => getComputedStyle(element).backgroundColor")
        channels = [int(channel) for channel in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        assert all(channel in ground for channel in channels), colour


def fits(page: Page) -> bool:
    # Phones zoom out of a page that is too wide, which then fits its innerWidth.
    width = PHONE["viewport"]["width"]
    return page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]
