"""A bucket that refuses a form or fails, and requests that never get a response."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.test_timeline import CONFIRM, PRESIGN, count_calls, hold_posts, wait_for_one
from tests.browsing import PHOTOGRAPH, fail_once, read_key, same_in_firefox
from tests.conftest import only_prefix
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Route

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User

# The behaviour is the same under both strategies.
pytestmark = only_prefix


def fail_with(status: int, code: str | None) -> dict[str, Any]:
    """S3's response; without a code it has no XML, as from a proxy."""
    body = f"<Error><Code>{code}</Code><Message>Said by S3.</Message></Error>" if code else "Oops"
    cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag"}
    return {"status": status, "body": body, "headers": cors}


REFUSALS = {
    "ExpiredToken": fail_with(400, "ExpiredToken"),
    "InvalidAccessKeyId": fail_with(403, "InvalidAccessKeyId"),
    "NoSuchBucket": fail_with(404, "NoSuchBucket"),
    "EntityTooLarge": fail_with(400, "EntityTooLarge"),
    "NotImplemented": fail_with(501, "NotImplemented"),
    "no-xml": fail_with(403, None),
}
FAILURES = {
    "InternalError": fail_with(500, "InternalError"),
    "SlowDown": fail_with(503, "SlowDown"),
    "RequestTimeout": fail_with(400, "RequestTimeout"),
    "no-xml": fail_with(503, None),
}
POSTS = 3
"""How often the page posts a form while the bucket fails."""


def respond(site: Site, stack: Stack, *answers: dict[str, Any]) -> None:
    """Let the bucket give these responses to the next posts."""
    left = list(answers)

    def respond_or_continue(route: Route) -> None:
        if route.request.method == "POST" and left:
            route.fulfill(**left.pop(0))
        else:
            route.continue_()

    site.page.route(f"{stack.aws.endpoint}/**", respond_or_continue)


@same_in_firefox
def test_an_upload_with_a_refused_form_is_presigned_again(
    site: Site, user: User, stack: Stack, browser_errors: BrowserErrors
) -> None:
    site.log_in(user.username)
    calls = count_calls(site.page)
    for refusal in REFUSALS.values():
        respond(site, stack, refusal)
        browser_errors.expect(f"status of {refusal['status']}")
        with site.expect_new_entry("failed"):
            site.input("confirm").set_input_files(PHOTOGRAPH)
        expect(site.failure).to_have_text(re.compile(r"Try again, with a new form\. \("))
        expect(site.calls).to_have_count(2)
        calls.clear()
        site.entry.get_by_role("button", name="Try again").click()
        site.expect_entry("done")
        assert calls == ["presign", "bucket", "confirm"]
        assert user.avatar == read_key(site.calls.last)


def test_an_upload_whose_refusal_is_hidden_is_presigned_again(
    site: Site, user: User, stack: Stack, browser_errors: BrowserErrors
) -> None:
    """A browser hides a response without CORS headers, as if the request had failed."""
    site.log_in(user.username)
    fail_once(site.page, browser_errors, f"{stack.aws.endpoint}/**")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("failed")
    expect(site.failure).to_contain_text("can't be reached.")
    calls = count_calls(site.page)
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert calls == ["presign", "bucket", "confirm"]
    assert user.avatar == read_key(site.calls.last)


@same_in_firefox
def test_a_form_is_posted_again_when_the_bucket_fails(
    site: Site, user: User, stack: Stack, browser_errors: BrowserErrors
) -> None:
    site.log_in(user.username)
    calls = count_calls(site.page)
    for failure in FAILURES.values():
        respond(site, stack, failure)
        browser_errors.expect(f"status of {failure['status']}")
        calls.clear()
        with site.expect_new_entry("done"):
            site.input("confirm").set_input_files(PHOTOGRAPH)
        assert calls == ["presign", "bucket", "bucket", "confirm"]
        assert user.avatar == read_key(site.calls.last)


@same_in_firefox
def test_a_bucket_that_goes_on_failing_is_told_as_such(
    site: Site, user: User, stack: Stack, browser_errors: BrowserErrors
) -> None:
    site.log_in(user.username)
    respond(site, stack, *[FAILURES["SlowDown"]] * POSTS)
    browser_errors.expect("status of 503")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("failed")
    expect(site.failure).to_have_text(
        "S3 could not accept the file now. Try again in a moment. (503, SlowDown: Said by S3.)"
    )
    expect(site.calls).to_have_count(1 + POSTS)
    calls = count_calls(site.page)
    site.entry.get_by_role("button", name="Try again").click()
    site.expect_entry("done")
    assert calls == ["bucket", "confirm"], "The form is still valid."


# Calls without a response. The page's clock is moved, so that the tests need not wait.

IDLE_SECONDS, UPLOAD_SECONDS, CALL_SECONDS, PAGE_SECONDS = 60, 900, 60, 10

KEEP_REQUEST = """
const open = XMLHttpRequest.prototype.open;
XMLHttpRequest.prototype.open = function (...options) {
  window.request = this;
  return open.apply(this, options);
};
"""
MAKE_PROGRESS = "request.upload.dispatchEvent(new ProgressEvent('progress', { loaded: 1, total: 2 }))"


@pytest.fixture
def waiting(site: Site, user: User) -> Site:
    """The page, with a clock that the test can move."""
    site.page.clock.install()
    site.page.add_init_script(KEEP_REQUEST)
    site.log_in(user.username)
    return site


def pass_seconds(site: Site, seconds: int) -> None:
    site.page.clock.fast_forward(1000 * seconds)


def test_a_post_without_progress_is_given_up(waiting: Site, user: User, stack: Stack) -> None:
    old = user.avatar
    with hold_posts(waiting.page, f"{stack.aws.endpoint}/**") as held:
        waiting.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(waiting.page, held)
        for _ in range(3):
            waiting.page.evaluate(MAKE_PROGRESS)
            pass_seconds(waiting, IDLE_SECONDS - 20)
            expect(waiting.entry).to_have_attribute("data-state", "running")
        pass_seconds(waiting, 30)
        waiting.expect_entry("failed")
    expect(waiting.failure).to_have_text(re.compile(r" did not respond\. Check the connection and try again\.$"))
    assert user.avatar == old
    calls = count_calls(waiting.page)
    waiting.entry.get_by_role("button", name="Try again").click()
    waiting.expect_entry("done")
    assert calls == ["presign", "bucket", "confirm"], "The form may have been refused."
    assert user.avatar == read_key(waiting.calls.last)


def test_a_post_that_never_ends_is_given_up(waiting: Site, stack: Stack) -> None:
    with hold_posts(waiting.page, f"{stack.aws.endpoint}/**") as held:
        waiting.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(waiting.page, held)
        # Time passes too while the test waits, and the upload must not be given up for want of progress.
        waiting.page.evaluate(f"setInterval(() => {MAKE_PROGRESS}, 1000)")
        for _ in range(UPLOAD_SECONDS // 40 + 1):
            pass_seconds(waiting, 40)
        waiting.expect_entry("failed")
    expect(waiting.failure).to_have_text(re.compile(r" did not respond\."))


@pytest.mark.parametrize("pattern", [PRESIGN, CONFIRM])
def test_a_call_of_a_service_without_a_response_is_given_up(waiting: Site, user: User, pattern: str) -> None:
    with hold_posts(waiting.page, pattern) as held:
        waiting.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(waiting.page, held)
        pass_seconds(waiting, CALL_SECONDS + 1)
        waiting.expect_entry("failed")
    expect(waiting.failure).to_have_text(re.compile(r" did not respond\."))
    waiting.entry.get_by_role("button", name="Try again").click()
    waiting.expect_entry("done")
    assert user.avatar == read_key(waiting.calls.last)


@same_in_firefox
def test_other_actions_do_not_wait_for_a_post_without_a_response(site: Site, user: User, stack: Stack) -> None:
    site.log_in(user.username)
    with hold_posts(site.page, f"{stack.aws.endpoint}/**") as held:
        site.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(site.page, held)
        site.page.get_by_role("button", name="Remove avatar").click()
        expect(site.entry.get_by_role("status")).to_have_text("Done: the avatar is removed.")
        site.page.get_by_role("button", name="Log out").click()
        expect(site.page.get_by_text("Current user")).to_have_count(0)
        expect(site.page.locator("#timeline > li:last-child")).to_have_attribute("data-state", "running")
        site.page.get_by_role("button", name="Cancel").click()
        expect(site.page.locator("body")).to_have_attribute("data-busy", "false")


# The page's own data without a response


@contextmanager
def hold_page(site: Site) -> Generator[list[Route], None, None]:
    """Hold the requests for the page's data until the test ends."""
    held: list[Route] = []
    addresses = re.compile(rf"^{site.origin}/(changes\?.*)?$")
    site.page.route(addresses, lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in
    yield held
    site.page.unroute(addresses)


@same_in_firefox
def test_an_upload_ends_when_the_page_has_no_response(waiting: Site, user: User) -> None:
    old = user.avatar
    with hold_page(waiting) as held:
        waiting.input("confirm").set_input_files(PHOTOGRAPH)
        wait_for_one(waiting.page, held)
        expect(waiting.calls).to_have_count(3)
        pass_seconds(waiting, PAGE_SECONDS + 1)
        waiting.expect_entry("done")
        assert len(held) == 1
    assert user.avatar != old
    expect(waiting.page.locator("#failure")).to_contain_text("Couldn't refresh the tables (no response)")


@same_in_firefox
def test_a_logout_does_not_wait_for_the_page(waiting: Site) -> None:
    with hold_page(waiting) as held:
        waiting.page.get_by_role("button", name="Remove avatar").click()
        wait_for_one(waiting.page, held)
        waiting.page.get_by_role("button", name="Log out").click()
        for _ in range(3):
            pass_seconds(waiting, PAGE_SECONDS + 1)
        eventually(lambda: waiting.page.context.cookies() == [])
