"""The timeline: what the page shows about an upload while it runs and afterwards."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from services.uploads.bucket import compute_sha256
from services.uploads.objects import Declared
from tests.browsing import PATIENCE_MILLISECONDS, PHOTOGRAPH, fail_once, only_chromium, read_key, same_in_firefox
from tests.conftest import POSTED_PREFIXES, only_prefix, only_tag
from tests.eventually import eventually
from tests.forms import presign_as

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Locator, Page, Request, Route

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, User

pytestmark = same_in_firefox

PRESIGN, CONFIRM = "**/uploads/presign", "**/uploads/confirm"


@contextmanager
def hold_posts(page: Page, pattern: str) -> Generator[list[Route], None, None]:
    """Hold POST requests to the pattern until the test continues them."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    page.route(pattern, hold)
    yield held
    page.unroute(pattern, hold)


def wait_for_one(page: Page, held: list[Route]) -> None:
    # Playwright delivers events while it handles a call.
    eventually(lambda: bool(page.evaluate("true") and held))


def count_calls(page: Page) -> list[str]:
    """The last path segment of each POST from now on; `bucket` for the bucket."""
    paths: list[str] = []

    def record(request: Request) -> None:
        if request.method == "POST":
            paths.append("bucket" if "/uploads/" not in request.url else request.url.rpartition("/")[2])

    page.on("request", record)
    return paths


def open_call(call: Locator) -> str:
    call.locator("summary").click()
    expect(call.locator("pre").first).to_be_visible()
    return call.inner_text()


def test_each_call_shows_its_request_response_and_changes(
    site: Site, user: User, stack: Stack, bucket: Bucket, strategy: str
) -> None:
    site.log_in(user.username)
    old = user.avatar
    answers: dict[str, Any] = {}
    site.page.on(
        "response", lambda answer: answers.update({answer.url: answer}) if answer.request.method == "POST" else None
    )
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.calls).to_have_count(3)
    form = answers[f"{site.origin}/uploads/presign"].json()
    presign, post, confirm = (open_call(call) for call in site.calls.all())

    assert re.search(r"Presign\s+uploads service\s+POST /uploads/presign\s+200 · [\d,]+ ms", presign)
    assert '"content_type": "image/jpeg"' in presign
    assert f'"size": {PHOTOGRAPH.stat().st_size}' in presign
    assert form["key"] in presign

    host = stack.aws.endpoint.removeprefix("http://")
    assert re.search(rf"POST\s+S3\s+POST {host}\s+204 · [\d,]+ ms", post)
    assert f"key = {form['key']}" in post
    assert f"x-amz-meta-username = {user.username}" in post
    assert "ETag: " in post

    assert re.search(r"Confirm\s+uploads service\s+POST /uploads/confirm\s+200 · [\d,]+ ms", confirm)
    assert json.dumps({"key": form["key"]})[1:-1] in confirm
    assert f'"avatar": "{user.avatar}"' in confirm

    shown = site.entry.inner_text()
    secrets = [form["fields"][name] for name in ("x-amz-signature", "x-amz-credential")]
    secrets += [form["upload_token"]] if strategy == "tag" else []
    for secret in secrets:
        assert secret not in shown
        assert f"{secret[:16]}… ({len(secret)} characters)" in shown

    # Each call also shows what it changed in the bucket and the table.
    assert "new object" not in presign
    assert f"new object {form['key']} (pending)" in post
    assert f"row {user.username}: Avatar {old} → {user.avatar}" in confirm
    assert f"deleted object {old}" in confirm
    if strategy == "prefix":
        assert f"new object {user.avatar} (live)" in confirm
        assert f"deleted object {form['key']}" in confirm
    else:
        assert f"object {form['key']} pending → live" in confirm
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


def test_changed_entries_are_marked_in_the_tables(site: Site, user: User, strategy: str) -> None:
    site.log_in(user.username)
    old = user.avatar
    expect(site.page.locator(".is-new, .is-changed")).to_have_count(0)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar
    expect(site.object(user.avatar)).to_have_class("is-new")
    expect(site.page.locator("#gone")).to_have_text(f"Deleted by this upload: {old}")
    row = site.row(user.username)
    expect(row).to_have_class("is-changed")
    # The old value is drawn by CSS and is not in the table's text.
    was = row.locator("[data-was]")
    expect(was).to_have_attribute("data-was", str(old))
    # Chromium gives the text of the attribute, and Firefox the function.
    content = was.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert content in {f'"{old}"', "attr(data-was)"}
    assert str(old) not in row.inner_text()

    # The next upload's changes are relative to the state before it.
    first = user.avatar
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    pending = read_key(site.calls.nth(0))
    assert pending.startswith(POSTED_PREFIXES[strategy])
    expect(site.object(pending)).to_have_class("is-new")
    expect(site.object(first)).not_to_have_class("is-new")
    expect(site.row(user.username)).not_to_have_class("is-changed")


@only_tag
def test_a_changed_state_is_shown(site: Site, user: User) -> None:
    site.log_in(user.username)
    site.input("repeat").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.calls.nth(4)).to_contain_text("The live avatar is pending again")
    expect(site.calls.nth(3)).to_contain_text(
        re.compile("object avatars/[0-9a-f-]{36} live → live, now scheduled for deletion")
    )


@only_prefix
def test_the_progress_bar_covers_all_three_phases(site: Site, user: User) -> None:
    site.log_in(user.username)
    bar = site.entry.get_by_role("progressbar")
    status = site.entry.get_by_role("status")

    def read() -> float:
        return bar.evaluate("(bar) => bar.value")

    with hold_posts(site.page, PRESIGN) as presigns, hold_posts(site.page, CONFIRM) as confirms:
        site.input("confirm").set_input_files(PHOTOGRAPH)
        expect(status).to_have_text("1 of 3: asking for a form")
        wait_for_one(site.page, presigns)
        assert read() == 0
        presigns[0].continue_()
        expect(status).to_have_text("3 of 3: confirming")
        wait_for_one(site.page, confirms)
        assert 0.85 < read() < 1
        expect(site.calls.nth(1)).to_have_class("call done")
        expect(site.calls.nth(2)).to_have_class("call running")
        confirms[0].continue_()
    site.expect_entry("done")
    assert read() == 1


@only_prefix
@pytest.mark.parametrize("phase", ["presign", "post", "confirm"])
def test_a_cancelled_upload_keeps_the_avatar_and_can_be_resumed(
    site: Site, user: User, stack: Stack, phase: str
) -> None:
    site.log_in(user.username)
    old = user.avatar
    pattern = {"presign": PRESIGN, "post": f"{stack.aws.endpoint}/**", "confirm": CONFIRM}[phase]
    with hold_posts(site.page, pattern) as held:
        site.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(site.page, held)
        site.entry.get_by_role("button", name="Cancel").click()
        site.expect_entry("left-out")
        expect(site.entry.get_by_role("status")).to_have_text(re.compile(r"^Cancelled\."))
        expect(site.calls.last.locator(".tells")).to_have_text("cancelled.")
    assert user.avatar == old

    calls = count_calls(site.page)
    # A second click right after the first one would count as a double click.
    site.entry.get_by_role("button", name="Try again").press("Enter")
    site.expect_entry("done")
    everything = ["presign", "bucket", "confirm"]
    assert calls == everything[everything.index({"post": "bucket"}.get(phase, phase)) :]
    assert user.avatar != old
    expect(site.entry.get_by_role("button")).to_have_count(0)


@only_prefix
def test_a_double_click_does_not_cancel_what_it_starts(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    """*Cancel* appears in the place of *Try again*."""
    site.log_in(user.username)
    fail_once(site.page, browser_errors, CONFIRM)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("failed")
    with hold_posts(site.page, CONFIRM) as held:
        site.entry.get_by_role("button", name="Try again").dblclick()
        wait_for_one(site.page, held)
        held[0].continue_()
        site.expect_entry("done")
    assert user.avatar == read_key(site.calls.last)


@only_prefix
def test_a_failed_confirm_is_repeated_alone(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    site.log_in(user.username)
    fail_once(site.page, browser_errors, CONFIRM)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("failed")
    calls = count_calls(site.page)
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert calls == ["confirm"]
    expect(site.failure).to_have_count(0)
    assert user.avatar == read_key(site.calls.nth(3))


@only_chromium
@only_prefix
def test_an_upload_with_an_expired_form_is_presigned_again(
    site: Site, user: User, stack: Stack, browser_errors: BrowserErrors, strategy: str
) -> None:
    site.log_in(user.username)

    def respond_with_an_expired_form(route: Route) -> None:
        answer = route.fetch(timeout=PATIENCE_MILLISECONDS)
        file = PHOTOGRAPH.read_bytes()
        declared = Declared("image/jpeg", len(file), compute_sha256(file))
        old = presign_as(stack, strategy, user.username, declared, service="uploads", seconds=-1)
        route.fulfill(response=answer, json=answer.json() | old)

    site.page.route(PRESIGN, respond_with_an_expired_form, times=1)
    browser_errors.expect("status of 403")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("failed")
    expect(site.failure).to_have_text(re.compile(r"it has expired\. Try again, with a new form\. .*Policy expired"))
    calls = count_calls(site.page)
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert calls == ["presign", "bucket", "confirm"]
    assert user.avatar == read_key(site.calls.nth(4))


@only_prefix
def test_a_refused_file_offers_no_retry(site: Site, user: User, browser_errors: BrowserErrors, tmp_path: Any) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear Sir or Madam")
    site.log_in(user.username)
    browser_errors.expect("status of 422")
    site.input("confirm").set_input_files(letter)
    site.page.get_by_role("button", name="Upload it as it is").click()
    site.expect_entry("failed")
    expect(site.failure).to_contain_text("Choose another file.")
    expect(site.entry.get_by_role("button")).to_have_count(0)


@only_prefix
def test_the_newest_upload_is_first_in_the_timeline(site: Site, user: User) -> None:
    site.log_in(user.username)
    for _ in range(2):
        site.input("skip").set_input_files(PHOTOGRAPH)
        site.expect_entry("left-out")
    keys = [read_key(entry.locator(".call").first) for entry in site.page.locator("#timeline > li").all()]
    assert len(keys) == 2
    assert keys[0] > keys[1]


@only_prefix
def test_an_upload_succeeds_even_if_the_page_can_not_reload_its_data(
    site: Site, user: User, browser_errors: BrowserErrors
) -> None:
    site.log_in(user.username)
    old = user.avatar
    browser_errors.expect("net::ERR_FAILED")
    site.page.route(f"{site.origin}/changes?*", lambda route: route.abort())
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar != old
    expect(site.page.locator("#failure")).to_have_text("Couldn't refresh the tables (no response). Reload.")
