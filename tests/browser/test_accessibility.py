"""Accessibility: every state of the page passes axe (https://github.com/dequelabs/axe-core) for WCAG 2.2 AA, and an
upload works with the keyboard alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import services.frontend
from services.settings.limits import MAX_WIDTH
from tests.browsing import PHOTOGRAPH, SAME, Site, difference, draw_avatar, only_chromium, same_in_firefox
from tests.conftest import only_prefix
from tests.pictures import make_picture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request, Route

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, OpenPage
    from tests.conftest import User

# The behaviour is the same under both strategies.
pytestmark = only_prefix

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]

STATIC = Path(services.frontend.__file__).parent / "static"

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 1,
    "is_mobile": True,
    "has_touch": True,
}

MEASURE_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
}).observe({ type: "layout-shift", buffered: true });
"""


def check(page: Page, state: str) -> None:
    results: Any = Axe().run(page, options={"runOnly": STANDARDS, "resultTypes": ["violations"]})
    violations = [
        f"{violation['id']}: {node['html'][:120]} {node['failureSummary']}"
        for violation in results.response["violations"]
        for node in violation["nodes"]
    ]
    assert not violations, f"{state}: {violations}"
    assert has_the_viewports_width(page), f"{state}: the page is too wide"


def has_the_viewports_width(page: Page) -> bool:
    assert page.viewport_size
    # Phones zoom out of a page that is too wide, which then has_the_viewports_width its innerWidth.
    width = page.viewport_size["width"]
    return page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [width, width]


# Colours do not depend on the device nor the layout on the colours, so two combinations are enough.
@pytest.fixture(params=["light desktop", "dark phone"])
def device_site(request: pytest.FixtureRequest, open_page: OpenPage, stack: Stack) -> Site:
    scheme, device = request.param.split()
    page = open_page(**(PHONE if device == "phone" else DESKTOP), color_scheme=scheme, reduced_motion="reduce")
    page.add_init_script(MEASURE_SHIFTS)
    site = Site(page, stack.origin)
    site.open()
    return site


@same_in_firefox
def test_every_state_of_the_page_passes_axe(
    device_site: Site, user: User, browser_errors: BrowserErrors, tmp_path: Path
) -> None:
    page = device_site.page
    check(page, "logged out")
    device_site.log_in(user.username)
    check(page, "logged in")
    page.locator("#choose").set_input_files(PHOTOGRAPH)
    expect(device_site.editor).to_be_visible()
    check(page, "picture chosen")
    device_site.editor.get_by_label("the original file").check()
    check(page, "original file chosen")

    held: list[Route] = []
    page.route("**/uploads/confirm", lambda route: held.append(route), times=1)  # noqa: PLW0108 - Playwright counts its arguments
    device_site.editor.get_by_role("button", name="Upload").click()
    expect(device_site.calls).to_have_count(3)
    check(page, "upload running")
    held[0].continue_()
    device_site.expect_entry("done")
    for call in device_site.calls.all():
        call.locator("summary").click()
    check(page, "upload done, requests and responses shown")
    assert sum(page.evaluate("window.shifts")) < 0.1

    letter = tmp_path / "letter.png"
    letter.write_text("Dear Sir or Madam")
    browser_errors.expect("status of 422", "status of 403")
    device_site.input("confirm").set_input_files(letter)
    page.get_by_role("button", name="Upload it as it is").click()
    device_site.expect_entry("failed")
    device_site.input("repeat").set_input_files(PHOTOGRAPH)
    device_site.expect_entry("done")
    page.locator("#choose").set_input_files(letter)
    expect(page.locator("#picture-problem")).not_to_be_empty()
    check(page, "failures and several uploads")

    wide = tmp_path / "wide.png"
    wide.write_bytes(make_picture(size=(MAX_WIDTH + 1, 10)))
    device_site.input("confirm").set_input_files(wide)
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page, "offer to scale down")
    page.keyboard.press("Escape")

    page.get_by_role("group", name="Who refuses it? Post as another user").get_by_label("S3").check()
    for name, verdict in (("skip", "harmless"), ("user", "refused"), ("late", "running")):
        page.locator(f'[data-attack="{name}"]').click()
        expect(page.locator("li.attack", has=page.locator(f'[data-attack="{name}"]'))).to_have_attribute(
            "data-verdict", verdict
        )
    check(page, "attacks with each outcome")
    check_step_by_step(device_site)
    page.get_by_role("button", name="Sweep now").click()
    expect(page.locator("[data-told]")).to_have_text("Sweep finished.")
    check(page, "after a sweep")


def check_step_by_step(site: Site) -> None:
    site.choose_flow("skip")
    site.page.get_by_label("Step by step").check()
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.entry.get_by_role("button", name="Send Presign").press("Enter")
    expect(site.entry.get_by_role("button", name="Send POST")).to_be_focused()
    check(site.page, "a call that waits for a click")
    site.entry.get_by_role("button", name="Close the tab here").press("Enter")
    site.expect_entry("left-out")
    check(site.page, "the tab was closed")


def test_an_upload_works_with_the_keyboard_alone(user: User, site: Site) -> None:
    site.open()
    page = site.page
    # Playwright intercepts file choosers some time after the first listener is added, so it is added early.
    page.on("filechooser", lambda _: None)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the users")
    site.turn_pages_to(site.users, site.card(user.username))
    press_until(page, "Tab", f'[data-login="{user.username}"]')
    page.keyboard.press("Enter")
    expect(site.card(user.username)).to_contain_text("Current user")

    press_until(page, "Tab", "#choose")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(PHOTOGRAPH)
    # The focus is on the button that starts the upload. The controls of the editor are right before it.
    expect(site.editor.get_by_role("button", name="Upload")).to_be_focused()
    press_until(page, "Shift+Tab", "#editor [name=zoom]")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    expect(site.editor).to_contain_text("Will upload 200 × 200 px")
    press_until(page, "Shift+Tab", "#editor canvas")
    page.keyboard.press("ArrowRight")
    press_until(page, "Tab", "#editor [data-start]")
    old = user.avatar
    page.keyboard.press("Enter")
    site.expect_entry("done")
    assert user.avatar != old

    press_until(page, "Tab", "#timeline summary")
    page.keyboard.press("Enter")
    expect(site.calls.first.locator("pre").first).to_be_visible()
    press_until(page, "Tab", '[data-attack="skip"]')
    page.keyboard.press("Enter")
    expect(page.locator('li.attack[data-verdict="harmless"]')).to_have_count(1)
    press_until(page, "Tab", "footer a")


def test_login_and_logout_work_with_the_keyboard_alone(site: Site) -> None:
    site.open()
    press_until(site.page, "Tab", "button[data-login]")
    username = site.page.locator(":focus").get_attribute("data-login")
    assert username is not None
    site.page.keyboard.press("Enter")
    expect(site.card(username)).to_contain_text("Current user")
    press_until(site.page, "Tab", "button[data-logout]")
    site.page.keyboard.press("Space")
    expect(site.card(username)).not_to_contain_text("Current user")


def test_the_focus_is_not_lost_after_an_action(site: Site) -> None:
    site.open()
    page = site.page
    for button in ("[data-login]", "[data-logout]"):
        page.locator(button).first.press("Enter")
        expect(page.locator("#users-heading")).to_be_focused()
        expect(page.locator("body")).to_have_attribute("data-busy", "false")
    sweep = page.locator("[data-sweep]")
    sweep.press("Enter")
    expect(page.locator("[data-told]")).to_have_text("Sweep finished.")
    expect(sweep).to_be_focused()
    reset = page.locator("[data-reset]")
    reset.press("Enter")
    expect(page.locator("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(reset).to_be_enabled()
    expect(reset).to_be_focused()


@pytest.mark.usefixtures("many_users")
def test_the_focus_stays_in_a_list_after_its_page_was_turned(site: Site) -> None:
    site.open()
    press_until(site.page, "Tab", "#users a[data-page]")
    site.page.keyboard.press("Enter")
    expect(site.users.get_by_role("link", name="First page")).to_be_visible()
    assert site.page.evaluate("document.activeElement.closest('#users') !== null")


def press_until(page: Page, key: str, selector: str) -> None:
    for _ in range(200):
        page.keyboard.press(key)
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            # The focused element has a visible outline.
            assert (
                page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none" or "[name" in selector
            )
            return
    pytest.fail(f"{key} does not lead to {selector}")


def test_the_result_of_an_upload_has_the_role_status(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.entry.get_by_role("status")).to_have_text("Done: it is the avatar.")


@pytest.mark.usefixtures("many_users")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_no_wider_than_a_phone(
    open_page: OpenPage, stack: Stack, user: User, scheme: Literal["light", "dark"]
) -> None:
    longest: Any = {
        "Username": {"S": user.username},
        "Name": {"S": "Wolfeschlegelsteinhausenbergerdorff" * 3},
        "Avatar": {"S": user.avatar},
    }
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=longest)
    site = Site(open_page(**PHONE, color_scheme=scheme), stack.origin)
    site.open()
    assert has_the_viewports_width(site.page)
    site.log_in(user.username)
    assert has_the_viewports_width(site.page)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert has_the_viewports_width(site.page)
    assert user.avatar is not None
    site.expect_avatar(user.username, user.avatar)
    assert difference(site.see_picture(user.username), draw_avatar(PHOTOGRAPH)) < SAME
    for button in site.page.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["viewport"]["width"]


@only_chromium
@pytest.mark.parametrize(("scheme", "ground"), [("light", range(200, 256)), ("dark", range(60))])
def test_the_colours_follow_the_preferred_colour_scheme(
    open_page: OpenPage, stack: Stack, scheme: Literal["light", "dark"], ground: range
) -> None:
    page = open_page(color_scheme=scheme)
    page.goto(stack.origin)
    for selector in (":root", ".card"):
        colour = page.locator(selector).first.evaluate("(element) => getComputedStyle(element).backgroundColor")
        channels = [int(channel) for channel in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        assert all(channel in ground for channel in channels), colour


@only_chromium
def test_the_page_and_its_files_are_small(browser: Browser, stack: Stack) -> None:
    """The page, its style sheet and its scripts, without pictures, as transferred at a first view."""
    loaded: list[Request] = []
    page = browser.new_page()
    page.on("requestfinished", lambda request: loaded.append(request))  # noqa: PLW0108 - as above
    page.goto(stack.origin, wait_until="networkidle")
    sizes = {
        request.url.removeprefix(stack.origin): request.sizes()["responseBodySize"]
        for request in loaded
        if request.resource_type in {"document", "stylesheet", "script"}
    }
    page.close()
    scripts = [f"/static/{file.name}" for file in STATIC.glob("*.js")]
    assert sorted(sizes) == sorted(["/", "/static/page.css", *scripts])
    assert all(size > 0 for size in sizes.values())
    assert sum(sizes.values()) < 72_000, sizes
