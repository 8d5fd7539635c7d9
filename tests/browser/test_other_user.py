"""Another tab logs in as another user, with the same cookie, while this page still shows the first one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.test_timeline import hold_posts, wait_for_one
from tests.browsing import PATIENCE_MILLISECONDS, PHOTOGRAPH, fail_once, only_chromium, read_key, same_in_firefox
from tests.conftest import only_prefix
from tests.eventually import eventually

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User

# The behaviour is the same under both strategies.
pytestmark = [only_prefix, same_in_firefox]

PRESIGN, CONFIRM = "**/uploads/presign", "**/uploads/confirm"


@dataclass(frozen=True)
class Tabs:
    """A page that shows one user, and a login as another one in another tab."""

    site: Site
    shown: User
    other: User
    avatars: tuple[str | None, str | None]
    """Of the shown user and of the other one, before."""

    def log_in_elsewhere(self) -> None:
        self.log_in(self.other)

    def log_in(self, user: User) -> None:
        login = {"username": user.username}
        assert self.site.page.context.request.post(f"{self.site.origin}/auth/login", data=login).ok

    def expect_refusal(self, beginning: str = "") -> None:
        """Expect that nothing has changed, and that the page says why and shows the other user."""
        expect(self.site.failure).to_have_text(
            f"{beginning}{self.other.username} is logged in, and the request is for another user. Nothing was changed. "
            "(409, urn:problem:other-user)"
        )
        expect(self.site.card(self.other.username)).to_contain_text("Current user")
        expect(self.site.page.get_by_text("Current user")).to_have_count(1)
        expect(self.site.page.locator("body")).to_have_attribute("data-busy", "false")
        assert (self.shown.avatar, self.other.avatar) == self.avatars

    def go_on(self) -> None:
        """Upload for the other user, and expect that the picture becomes that user's avatar."""
        self.site.entry.get_by_role("button", name=f"Go on as {self.other.username}").press("Enter")
        self.site.expect_entry("done")
        expect(self.site.entry.get_by_role("heading")).to_have_text(f"{PHOTOGRAPH.name} for {self.other.username}")
        assert self.other.avatar == read_key(self.site.calls.last)
        assert self.other.avatar != self.avatars[1]
        assert self.shown.avatar == self.avatars[0]


@pytest.fixture
def tabs(site: Site, user: User, other_user: User, browser_errors: BrowserErrors) -> Tabs:
    site.log_in(user.username)
    browser_errors.expect("status of 409")
    return Tabs(site, user, other_user, (user.avatar, other_user.avatar))


def test_an_upload_is_not_presigned_for_another_user(tabs: Tabs) -> None:
    tabs.log_in_elsewhere()
    tabs.site.input("confirm").set_input_files(PHOTOGRAPH)
    tabs.expect_refusal()
    expect(tabs.site.calls).to_have_count(1)
    tabs.go_on()


def test_an_upload_is_not_confirmed_for_another_user(tabs: Tabs, stack: Stack) -> None:
    """The login comes while the file is posted."""
    with hold_posts(tabs.site.page, f"{stack.aws.endpoint}/**") as held:
        tabs.site.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(tabs.site.page, held)
        tabs.log_in_elsewhere()
        held[0].continue_()
        expect(tabs.site.calls).to_have_count(3)
    tabs.expect_refusal()
    tabs.go_on()


def test_an_edited_picture_is_not_uploaded_for_another_user(tabs: Tabs) -> None:
    tabs.site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    expect(tabs.site.editor).to_be_visible()
    tabs.log_in_elsewhere()
    tabs.site.editor.get_by_role("button", name="Upload").click()
    tabs.expect_refusal()
    tabs.go_on()


def test_try_again_does_not_act_for_another_user(tabs: Tabs, browser_errors: BrowserErrors) -> None:
    fail_once(tabs.site.page, browser_errors, CONFIRM)
    tabs.site.input("confirm").set_input_files(PHOTOGRAPH)
    tabs.site.expect_entry("failed")
    tabs.log_in_elsewhere()
    tabs.site.entry.get_by_role("button", name="Try again").click()
    tabs.expect_refusal()
    tabs.go_on()


def test_a_queued_upload_does_not_act_for_another_user(tabs: Tabs, stack: Stack) -> None:
    """The page shows the other user already when the second upload's turn comes."""
    with hold_posts(tabs.site.page, f"{stack.aws.endpoint}/**") as held:
        for _ in range(2):
            tabs.site.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(tabs.site.page, held)
        tabs.log_in_elsewhere()
        held[0].continue_()
        expect(tabs.site.page.locator("#timeline > li[data-state=failed]")).to_have_count(2)
    tabs.expect_refusal()
    expect(tabs.site.entry.get_by_role("heading")).to_have_text(f"{PHOTOGRAPH.name} for {tabs.shown.username}")


def test_a_repeated_confirm_is_not_made_for_another_user(tabs: Tabs) -> None:
    tabs.site.input("repeat").set_input_files(PHOTOGRAPH)
    tabs.site.expect_entry("done")
    tabs = Tabs(tabs.site, tabs.shown, tabs.other, (tabs.shown.avatar, tabs.other.avatar))
    tabs.log_in_elsewhere()
    tabs.site.entry.get_by_role("button", name="Confirm again").click()
    tabs.expect_refusal("It was not confirmed again. ")
    expect(tabs.site.entry.get_by_role("button")).to_have_text("Confirm again")
    # Its user logs in again.
    tabs.log_in(tabs.shown)
    reload_data(tabs.site)
    expect(tabs.site.card(tabs.shown.username)).to_contain_text("Current user")
    tabs.site.entry.get_by_role("button", name="Confirm again").press("Enter")
    tabs.site.expect_entry("done")


def test_the_avatar_of_another_user_is_not_removed(tabs: Tabs) -> None:
    tabs.log_in_elsewhere()
    tabs.site.page.get_by_role("button", name="Remove avatar").click()
    tabs.expect_refusal()
    tabs.site.entry.get_by_role("button", name=f"Remove the avatar of {tabs.other.username}").click()
    expect(tabs.site.page.locator("#timeline > li")).to_have_count(2)
    tabs.site.expect_entry("done")
    assert (tabs.shown.avatar, tabs.other.avatar) == (tabs.avatars[0], None)


def test_another_user_is_not_logged_out_and_the_editor_keeps_its_file(tabs: Tabs) -> None:
    tabs.site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    expect(tabs.site.editor).to_be_visible()
    tabs.log_in_elsewhere()
    tabs.site.page.get_by_role("button", name="Log out").click()
    tabs.expect_refusal()
    expect(tabs.site.editor).to_contain_text(PHOTOGRAPH.name)
    expect(tabs.site.editor).to_be_visible()
    # The button is that of the user whom the page shows now.
    tabs.site.page.get_by_role("button", name="Log out").click()
    expect(tabs.site.page.get_by_text("Current user")).to_have_count(0)
    assert tabs.site.page.context.cookies() == []


def reload_data(site: Site) -> None:
    """Let the page read its data again, as it does when the user goes back to another page of a list."""
    site.page.evaluate(
        """() => {
            history.replaceState(null, "", location.search ? "/" : "?object_state=all");
            dispatchEvent(new PopStateEvent("popstate"));
        }"""
    )


def test_the_editor_says_for_whom_it_uploads_and_keeps_the_crop(tabs: Tabs, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.clear()
    tabs.site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    button = tabs.site.editor.locator("[data-start]")
    expect(button).to_have_text(f"Upload for {tabs.shown.username}")
    tabs.site.editor.get_by_label("Zoom").fill("3")
    preview = tabs.site.editor.locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    button.focus()
    tabs.log_in_elsewhere()
    reload_data(tabs.site)
    expect(button).to_have_text(f"Upload for {tabs.other.username}")
    expect(tabs.site.editor.get_by_label("Zoom")).to_have_value("3")
    assert tabs.site.editor.locator("canvas").evaluate("(canvas) => canvas.toDataURL()") == preview
    expect(button).not_to_be_focused()
    tabs.site.page.keyboard.press("Enter")
    expect(tabs.site.editor).to_be_visible()
    expect(tabs.site.page.locator("#timeline > li")).to_have_count(0)
    button.click()
    tabs.site.expect_entry("done")
    assert tabs.other.avatar == read_key(tabs.site.calls.last)
    assert tabs.shown.avatar == tabs.avatars[0]


def say_discarded(site: Site) -> None:
    expect(site.failure).to_have_text(
        f"{PHOTOGRAPH.name} was not uploaded, since nobody is logged in any more. Log in, and choose it again."
    )


def test_the_editor_of_an_ended_session_is_closed_with_a_sentence(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    expect(site.editor).to_be_visible()
    site.page.context.clear_cookies()
    reload_data(site)
    expect(site.page.get_by_text("Current user")).to_have_count(0)
    say_discarded(site)


HOLD_DECODING = """() => {
    const decode = createImageBitmap;
    createImageBitmap = async (...options) => {
        await new Promise((resolve) => (window.goOn = resolve));
        return decode(...options);
    };
}"""


def test_a_logout_while_a_picture_is_decoded_closes_it_with_a_sentence(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.page.evaluate(HOLD_DECODING)
    site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    eventually(lambda: site.page.evaluate("'goOn' in window"))
    site.page.get_by_role("button", name="Log out").click()
    expect(site.page.get_by_text("Current user")).to_have_count(0)
    site.page.evaluate("goOn()")
    say_discarded(site)


def test_the_attacks_stop_when_another_user_logs_in(tabs: Tabs, stack: Stack) -> None:
    page = tabs.site.page
    outcomes = {
        name: page.locator(f'li.attack:has([data-attack="{name}"])') for name in ("skip", "again", "replay", "late")
    }
    with hold_posts(page, f"{stack.aws.endpoint}/**") as held:
        page.get_by_role("button", name="Try all of them").click()
        wait_for_one(page, held)
        held[0].continue_()
        eventually(lambda: bool(page.evaluate("true") and len(held) > 1))
        tabs.log_in_elsewhere()
        held[1].continue_()
        expect(page.locator("#failure")).to_have_text(
            f"{tabs.other.username} is logged in now. "
            f"The attacks that had not begun for {tabs.shown.username} are left out."
        )
    expect(outcomes["skip"]).to_have_attribute("data-verdict", "harmless")
    expect(outcomes["again"]).to_have_attribute("data-verdict", "failed")
    expect(outcomes["again"]).to_contain_text("urn:problem:other-user")
    expect(outcomes["late"]).to_have_attribute("data-verdict", "running")
    expect(outcomes["late"]).to_contain_text("The form is valid for another")
    assert outcomes["replay"].get_attribute("data-verdict") is None
    outcomes["late"].get_by_role("button").click()
    expect(page.locator("#timeline > li")).to_have_count(3)


@pytest.mark.parametrize("attack", ["large", "replay", "older", "late"])
def test_an_attack_does_not_act_for_another_user(tabs: Tabs, attack: str) -> None:
    tabs.log_in_elsewhere()
    tabs.site.page.locator(f'[data-attack="{attack}"]').click()
    tabs.expect_refusal()


def test_an_attack_does_not_confirm_for_another_user(tabs: Tabs, stack: Stack) -> None:
    """The login comes after the attack's presign."""
    with hold_posts(tabs.site.page, f"{stack.aws.endpoint}/**") as held:
        tabs.site.page.locator('[data-attack="replay"]').click()
        wait_for_one(tabs.site.page, held)
        tabs.log_in_elsewhere()
        held[0].continue_()
        expect(tabs.site.calls).to_have_count(3)
    tabs.expect_refusal()


@only_chromium
def test_a_page_whose_user_has_logged_in_again_offers_to_try_again(tabs: Tabs) -> None:
    def switch_back(route: Route) -> None:
        answer = route.fetch(timeout=PATIENCE_MILLISECONDS)
        tabs.log_in(tabs.shown)
        route.fulfill(response=answer)

    tabs.log_in_elsewhere()
    tabs.site.page.route(PRESIGN, switch_back, times=1)
    tabs.site.input("confirm").set_input_files(PHOTOGRAPH)
    tabs.site.expect_entry("failed")
    tabs.site.entry.get_by_role("button", name="Try again").click()
    tabs.site.expect_entry("done")
    assert tabs.shown.avatar == read_key(tabs.site.calls.last)
    assert tabs.other.avatar == tabs.avatars[1]
