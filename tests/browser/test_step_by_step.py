"""Step by step: the calls of an upload wait for a click, and the tab can be closed before each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from playwright.sync_api import expect

from tests.browser.test_timeline import count_calls
from tests.browsing import PHOTOGRAPH, only_chromium, read_key
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browsing import Site
    from tests.conftest import Bucket, User

pytestmark = [only_prefix, only_chromium]


def start(site: Site, flow: Literal["confirm", "repeat"], user: User) -> list[str]:
    """Start a step by step upload from the editor. Returns the calls that are sent from then on, as they are sent."""
    site.log_in(user.username)
    site.page.get_by_label("Step by step").check()
    site.choose_flow(flow)
    sent = count_calls(site.page)
    site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    site.editor.get_by_role("button", name="Upload").click()
    return sent


def send(site: Site, name: str) -> None:
    """Send the call that waits, by the keyboard: the focus is on its button."""
    button = site.entry.get_by_role("button", name=f"Send {name}", exact=True)
    expect(button).to_be_focused()
    button.press("Enter")


def close_tab(site: Site) -> None:
    site.entry.get_by_role("button", name="Close the tab here").press("Enter")
    site.expect_entry("left-out")
    expect(site.entry.get_by_role("heading", level=3)).to_be_focused()


def remains(site: Site) -> Locator:
    return site.entry.locator(".remains")


def test_each_call_waits_for_a_click_and_shows_its_request(site: Site, user: User, bucket: Bucket) -> None:
    old = user.avatar
    sent = start(site, "repeat", user)
    waiting = site.entry.locator(".call.waiting")
    button = site.entry.get_by_role("button", name="Send Presign")
    expect(button).to_be_focused()
    expect(waiting.locator("pre")).to_contain_text('"content_type": "image/jpeg"')
    assert sent == []

    send(site, "Presign")
    expect(waiting).to_contain_text("POST")
    expect(waiting.locator(".policy")).to_contain_text("content-length-range")
    expect(waiting.locator(".policy")).to_contain_text("valid for another")
    assert sent == ["presign"]
    assert bucket.keys(user.username) == [old]

    send(site, "POST")
    expect(waiting).to_contain_text("Confirm")
    assert sent == ["presign", "bucket"]
    # The tables show the pending object before the confirm is sent.
    pending = read_key(waiting)
    expect(site.object(pending)).to_have_attribute("data-state", "pending")
    assert user.avatar == old

    send(site, "Confirm")
    expect(waiting).to_contain_text("POST again")
    assert user.avatar not in {None, old}
    send(site, "POST again")
    site.expect_entry("done")
    expect(waiting).to_have_count(0)
    assert sent == ["presign", "bucket", "confirm", "bucket"]


def test_what_remains_is_shown_after_the_tab_was_closed(site: Site, user: User, bucket: Bucket) -> None:
    old = user.avatar
    sent = start(site, "confirm", user)
    close_tab(site)
    assert sent == []
    expect(site.entry.get_by_role("status")).to_have_text("The tab was closed before Presign.")
    expect(remains(site)).to_contain_text(f"row {user.username} unchanged {old}")

    site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    site.editor.get_by_role("button", name="Upload").click()
    send(site, "Presign")
    close_tab(site)
    expect(remains(site)).to_contain_text("no object pending/")
    assert bucket.keys(user.username) == [old]

    site.input("confirm").set_input_files(PHOTOGRAPH)
    send(site, "Presign")
    send(site, "POST")
    close_tab(site)
    assert sent == ["presign", "presign", "bucket"]
    expect(site.calls.nth(2)).to_contain_text("not sent")
    (pending,) = set(bucket.keys(user.username)) - {old}
    expect(remains(site).locator("li", has_text=pending)).to_contain_text("pending expires 20")
    expect(remains(site)).to_contain_text(f"row {user.username} unchanged {old}")
    # The form is forgotten with the tab.
    expect(site.entry.get_by_role("button")).to_have_count(0)


def test_only_the_file_input_of_the_chosen_flow_is_shown(user: User, site: Site) -> None:
    site.open()
    expect(site.input("confirm")).to_be_visible()
    expect(site.input("confirm")).to_be_disabled()
    expect(site.input("skip")).to_be_hidden()
    site.choose_flow("skip")
    expect(site.input("confirm")).to_be_hidden()
    # The choice stays after a login, which replaces the section.
    site.turn_pages_to(site.users, site.card(user.username))
    site.card(user.username).get_by_role("button", name="Log in as").click()
    expect(site.input("skip")).to_be_enabled()
    expect(site.input("skip")).to_be_visible()

    # It applies to an upload from the editor, too.
    old = user.avatar
    site.page.locator("#choose").set_input_files(PHOTOGRAPH)
    site.editor.get_by_role("button", name="Upload").click()
    site.expect_entry("left-out")
    assert user.avatar == old


def test_an_attack_says_that_an_upload_waits_for_a_click(site: Site, user: User) -> None:
    start(site, "confirm", user)
    expect(site.entry.get_by_role("button", name="Send Presign")).to_be_visible()
    site.page.locator('[data-attack="skip"]').click()
    expect(site.page.locator("#failure")).to_contain_text("An upload waits for your click")
    site.entry.get_by_role("button", name="Close the tab here").press("Enter")
    expect(site.page.locator("[data-verdict=harmless]")).to_have_count(1)
