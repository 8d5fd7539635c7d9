"""A walk through the whole page in WebKit. The other tests of this folder run in Chromium and Firefox."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from selenium.webdriver import Keys

from services.store.kinds import AVATAR
from tests.attack_lab import HOLD_PRESIGN, OUTCOMES, make_expired_form
from tests.browsing import INNER, PHOTOGRAPH, SAME, SIDE, difference, draw_avatar
from tests.conftest import only_prefix
from tests.eventually import eventually
from tests.pictures import draw_scene
from tests.webkit import WebKitSite, find_webkit, run_webkit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import WebKitGTK

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User

# Chromium shows the page under the other strategy.
pytestmark = only_prefix

FAIL_ONCE = """
const [path] = arguments;
const send = window.fetch;
window.fetch = async (url, options) => {
    if (url !== path) return send(url, options);
    window.fetch = send;
    throw new TypeError("Load failed");
};
"""

PASTE_TEXT = """
const transfer = new DataTransfer();
transfer.setData("text/plain", "https://example.org/cat.jpg");
document.body.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: transfer }));
"""

ENTRY = "#timeline > li:first-child"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebKitGTK]:
    if not (browser := find_webkit()):
        reason = "There is no WebKit: WebKitWebDriver, MiniBrowser and Xvfb are not all installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with run_webkit(browser, tmp_path_factory.mktemp("webkit")) as driver:
        yield driver


@pytest.fixture
def site(driver: WebKitGTK, stack: Stack) -> Iterator[WebKitSite]:
    """The page without a session. A test opens it again, or logs in, which opens it."""
    site = WebKitSite(driver, stack.origin)
    site.open()
    driver.delete_all_cookies()
    yield site
    assert site.run("return errors") == []


def see_picture(site: WebKitSite, user: User) -> Image.Image:
    """The middle of the user's avatar as the browser draws it."""
    selector = f'[data-user="{user.username}"] img.avatar'
    eventually(lambda: site.run("return document.querySelector(arguments[0])?.complete ?? false", selector))
    picture = site.see(selector)
    assert picture.size == (SIDE, SIDE)
    edge = (SIDE - INNER) // 2
    return picture.crop((edge, edge, edge + INNER, edge + INNER))


def read_key(site: WebKitSite, call: int) -> str:
    found = re.search(
        rf"(?:{AVATAR.pending_prefix}|{AVATAR.permanent_prefix})[0-9a-f-]{{36}}", site.read(nth_call(call))
    )
    assert found
    return found[0]


def nth_call(number: int) -> str:
    return f"{ENTRY} .call:nth-child({number})"


def test_webkit_logs_a_user_in_and_out(user: User, site: WebKitSite) -> None:
    card = f'[data-user="{user.username}"]'
    site.open()
    site.turn_pages_to("#users", card)
    site.click(f'[data-login="{user.username}"]')
    site.expect(card, "Current user")
    site.expect("#drop", f"Choose a picture for {user.username}")
    site.click("[data-logout]")
    site.expect_none(".current")
    assert site.driver.get_cookies() == []


def test_webkit_uploads_from_the_editor(site: WebKitSite, user: User, bucket: Bucket) -> None:
    site.log_in(user.username)
    site.choose("#choose", PHOTOGRAPH)
    site.expect("#editor:not([hidden]) [data-size]", "451 × 300 pixels")
    site.click("#editor [data-start]")
    site.expect_entry("done", 1)
    assert user.avatar
    head = bucket.head(user.avatar)
    assert head["ContentType"] == "image/jpeg"
    site.expect(f'[data-user="{user.username}"] img[src$="{user.avatar}"]')
    assert difference(see_picture(site, user), draw_avatar(PHOTOGRAPH)) < SAME
    site.expect(f'#objects [data-key="{user.avatar}"][data-state="live"].is-new')
    site.expect(f'#rows [data-username="{user.username}"].is-changed', user.avatar)


def test_webkit_uploads_without_the_editor_and_shows_each_call(site: WebKitSite, user: User, bucket: Bucket) -> None:
    old = user.avatar
    site.log_in(user.username)
    site.choose('[data-flow="confirm"]', PHOTOGRAPH)
    site.expect_entry("done", 1)
    assert user.avatar
    assert site.read(f"{nth_call(3)} .tells") == f"Confirm checked the stored file; the avatar is now {user.avatar}."
    assert bucket.read(user.avatar) == PHOTOGRAPH.read_bytes()
    assert re.search(r"Presign ?uploads service ?POST /uploads/presign ?200 ·", site.read(nth_call(1)))
    assert re.search(r"POST ?S3 ?POST .* ?204 ·", site.read(nth_call(2)))
    assert f"Avatar {old} → {user.avatar}" in site.read(nth_call(3))
    site.find(f"{nth_call(1)} summary").click()
    eventually(lambda: '"content_type": "image/jpeg"' in site.find(f"{nth_call(1)} pre").text)


def test_webkit_leaves_the_confirm_out(site: WebKitSite, user: User) -> None:
    old = user.avatar
    site.log_in(user.username)
    site.choose('[data-flow="skip"]', PHOTOGRAPH)
    site.expect_entry("left-out", 1)
    key = read_key(site, 1)
    site.expect(f'#objects [data-key="{key}"][data-state="pending"] .expires', r"\d{4}-\d\d-\d\d 00:00:00")
    assert user.avatar == old


def test_webkit_posts_again_and_confirms_again(site: WebKitSite, user: User) -> None:
    site.log_in(user.username)
    site.choose('[data-flow="repeat"]', PHOTOGRAPH)
    site.expect_entry("done", 1)
    site.expect(nth_call(5), "the avatar is unchanged")
    key = read_key(site, 1)
    assert user.avatar == key.replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    site.expect(f'#objects [data-key="{key}"][data-state="pending"]')
    site.click(f"{ENTRY} .entry-actions button")
    site.expect(nth_call(6), "Nothing will delete it")
    site.expect_none(f'#objects [data-key="{key}"]')


def test_webkit_removes_the_avatar(site: WebKitSite, user: User) -> None:
    site.log_in(user.username)
    site.click("[data-remove-avatar]")
    site.expect_entry("done", 1)
    site.expect(f'[data-user="{user.username}"] [aria-label="{user.name} has no avatar yet"]')
    site.expect(f'#rows [data-username="{user.username}"]', "none")
    assert user.avatar is None


@pytest.mark.parametrize("path", ["/uploads/presign", "/uploads/confirm"])
def test_webkit_repeats_a_failed_upload(site: WebKitSite, user: User, path: str) -> None:
    old = user.avatar
    site.log_in(user.username)
    site.run(FAIL_ONCE, path)
    site.choose('[data-flow="confirm"]', PHOTOGRAPH)
    site.expect_entry("failed", 1)
    site.expect(f"{ENTRY} .entry-status", "can't be reached")
    assert user.avatar == old
    site.click(f"{ENTRY} .entry-actions button")
    site.expect_entry("done", 1)
    assert user.avatar not in {None, old}


def test_webkit_shows_every_attack_as_refused_or_harmless(site: WebKitSite, user: User, stack: Stack) -> None:
    site.log_in(user.username)
    site.run(HOLD_PRESIGN)
    site.click('[data-attack="late"]')
    eventually(lambda: site.run("return 'declared' in window"))
    declared = site.run("return declared")
    site.run("respond(arguments[0])", make_expired_form(stack, "prefix", user.username, declared))
    expect_outcome(site, "late")
    site.click("[data-all-attacks]")
    for name in OUTCOMES.keys() - {"late"}:
        expect_outcome(site, name)
    site.expect(".attack:has([data-attack=late]) .said", r"valid for another \d+ seconds")
    site.expect('body[data-busy="false"]')


def expect_outcome(site: WebKitSite, name: str) -> None:
    verdict, said = OUTCOMES[name]
    site.expect(f'.attack:has([data-attack="{name}"])[data-verdict="{verdict}"] .said', f"^{said}$")


@pytest.mark.usefixtures("many_users")
def test_webkit_turns_pages_and_filters_objects(site: WebKitSite, user: User) -> None:
    user.upload_unconfirmed("image/jpeg", PHOTOGRAPH.read_bytes())
    site.open()
    site.turn_pages_to("#users", f'[data-user="{user.username}"]')
    site.turn_pages_to("#table", f'#rows [data-username="{user.username}"]')
    states = "return [...document.querySelectorAll('#objects [data-state]')].map((row) => row.dataset.state)"
    for state in ("pending", "live"):
        site.click(f'#bucket .filter a[href*="object_state={state}"]')
        site.expect(f'#bucket .filter a[href*="object_state={state}"][aria-current]')
        assert set(site.run(states)) == {state}
    # WebDriver's command waits for a page to load, and the entry is of the same document.
    site.run("history.back()")
    site.expect('#bucket .filter a[href*="object_state=pending"][aria-current]')
    site.expect('#objects [data-state="pending"]')


def test_webkit_moves_the_clock_and_sweeps(site: WebKitSite) -> None:
    site.open()
    site.click("[data-pass-day]")
    site.expect("[data-clock]", "ahead")
    site.click("[data-sweep]")
    site.expect("[data-told]", "Sweep finished.")


def test_webkit_shares_a_session_between_tabs(site: WebKitSite, user: User) -> None:
    site.log_in(user.username)
    first = site.driver.current_window_handle
    site.driver.switch_to.new_window("tab")
    try:
        site.open()
        site.expect(".current", user.username)
        site.choose('[data-flow="confirm"]', PHOTOGRAPH)
        site.expect_entry("done", 1)
    finally:
        site.driver.close()
        site.driver.switch_to.window(first)
    site.open()
    site.expect(f'[data-user="{user.username}"] img[src$="{user.avatar}"]')


def test_webkit_moves_a_picture_with_the_pointer(site: WebKitSite, user: User, tmp_path: Path) -> None:
    file = tmp_path / "wide.png"
    draw_scene(800, 400, seed=3).save(file)
    site.log_in(user.username)
    site.choose("#choose", file)
    site.expect("#editor:not([hidden]) [data-size]", "800 × 400 pixels")
    width = site.run("return document.querySelector('#editor canvas').clientWidth")
    site.drag("#editor canvas", 40, 1)
    value = float(site.run("return document.querySelector('#editor [name=x]').value"))
    assert value == pytest.approx(0.5 - 40 / width, abs=0.005)


def test_webkit_shows_a_ring_around_the_focused_canvas(site: WebKitSite, user: User, tmp_path: Path) -> None:
    file = tmp_path / "white.png"
    Image.new("RGB", (300, 300), "white").save(file)
    site.log_in(user.username)
    site.choose("#choose", file)
    site.expect("#editor:not([hidden]) [data-size]", "300 × 300 pixels")
    before = see_edge(site)
    site.find("#editor [name=form]").send_keys(Keys.SHIFT, Keys.TAB)
    eventually(lambda: site.is_focused("#editor canvas"))
    ring = see_edge(site)
    assert ring != before
    assert ring == (0x30, 0x49, 0xC4)


def see_edge(site: WebKitSite) -> object:
    frame = site.see("#editor .frame")
    return frame.getpixel((frame.width // 2, 1))


def test_webkit_explains_a_paste_without_a_file(site: WebKitSite, user: User) -> None:
    site.log_in(user.username)
    site.run(PASTE_TEXT)
    site.expect("#picture-problem", r"This is text, not a file\. Save the picture as a file, and choose that\.")
