"""Requests that fail, and the page's messages about them."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browsing import PATIENCE_MILLISECONDS, PHOTOGRAPH, difference, only_chromium, read_key, same_in_firefox
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwright.sync_api import Route

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, User

    Tamper = Callable[[dict[str, Any]], dict[str, Any]]
    Tampering = tuple[Tamper, str, str]

# The behaviour is the same under both strategies.
pytestmark = [only_prefix, same_in_firefox]

PRESIGN, CONFIRM = "**/uploads/presign", "**/uploads/confirm"


def change_size(by: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda asked: asked | {"size": asked["size"] + by}


def change_field(name: str, value: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda form: form | {"fields": form["fields"] | {name: value}}


TAMPERED_FORMS: dict[str, Tampering] = {
    "key": (change_field("key", "avatars/mine"), "AccessDenied", "The form does not allow this file"),
    "user": (change_field("x-amz-meta-username", "somebody"), "AccessDenied", "The form does not allow this file"),
    "type": (change_field("Content-Type", "text/html"), "AccessDenied", "The form does not allow this file"),
    "more": (change_field("acl", "public-read"), "AccessDenied", "The form does not allow this file"),
    "signature": (change_field("x-amz-signature", "0" * 64), "SignatureDoesNotMatch", "The form's signature is wrong"),
}
"""Changes of the presign's response before it reaches the page, S3's error code, and the page's message."""

TAMPERED_DECLARATIONS: dict[str, Tampering] = {
    "smaller": (change_size(-1), "EntityTooLarge", "The file is larger than it was declared to be"),
    "larger": (change_size(+1), "EntityTooSmall", "The file is smaller than it was declared to be"),
    "another-file": (
        lambda asked: asked | {"sha256": base64.b64encode(bytes(32)).decode()},
        "BadDigest",
        "The file arrived damaged or is not the one that was declared",
    ),
}
"""Changes of the presign's request before it reaches the service, S3's error code, and the page's message."""


def change_answer(tamper: Tamper) -> Callable[[Route], None]:
    def change(route: Route) -> None:
        answer = route.fetch(timeout=PATIENCE_MILLISECONDS)
        route.fulfill(response=answer, json=tamper(answer.json()))

    return change


def change_request(tamper: Tamper) -> Callable[[Route], None]:
    return lambda route: route.continue_(post_data=json.dumps(tamper(json.loads(route.request.post_data or ""))))


def respond(**response: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(**response)


@only_chromium
def test_a_form_refused_by_the_bucket_is_explained(
    site: Site, user: User, bucket: Bucket, browser_errors: BrowserErrors
) -> None:
    refusals = {change_answer(tamper): (403, code, message) for tamper, code, message in TAMPERED_FORMS.values()}
    expect_refusals(site, user, browser_errors, refusals)
    assert bucket.keys(user.username) == [user.avatar]


@only_chromium
def test_a_file_refused_by_the_bucket_is_explained(
    site: Site, user: User, bucket: Bucket, browser_errors: BrowserErrors
) -> None:
    refusals = {
        change_request(tamper): (400, code, message) for tamper, code, message in TAMPERED_DECLARATIONS.values()
    }
    expect_refusals(site, user, browser_errors, refusals)
    assert bucket.keys(user.username) == [user.avatar]


@pytest.mark.parametrize(("phase", "pattern"), [("presign", PRESIGN), ("confirm", CONFIRM)])
def test_an_unreachable_service_is_explained(
    site: Site, user: User, browser_errors: BrowserErrors, phase: str, pattern: str
) -> None:
    site.log_in(user.username)
    site.page.route(pattern, lambda route: route.abort())
    host = site.origin.removeprefix("http://")
    expect_failure(site, user, browser_errors, re.compile(rf"^{host} can't be reached\."), "net::ERR_FAILED")
    expect(site.calls).to_have_count({"presign": 1, "confirm": 3}[phase])


def test_an_unreachable_bucket_is_explained(
    site: Site, user: User, stack: Stack, bucket: Bucket, browser_errors: BrowserErrors
) -> None:
    def refuse_posts(route: Route) -> None:
        if route.request.method == "POST":
            route.abort("connectionrefused")
        else:
            route.continue_()

    host = stack.aws.endpoint.removeprefix("http://")
    site.log_in(user.username)
    site.page.route(f"{stack.aws.endpoint}/**", refuse_posts)
    expect_failure(
        site, user, browser_errors, re.compile(rf"^{host} can't be reached\."), "net::ERR_CONNECTION_REFUSED"
    )
    expect(site.calls).to_have_count(2)
    assert bucket.keys(user.username) == [user.avatar]


EDGE_RESPONSES = {
    "throttle": (
        429,
        "application/json",
        '{"message": "Too Many Requests"}',
        "There are too many requests at the moment",
    ),
    "no-task": (503, "text/html", "<h1>503 Service Temporarily Unavailable</h1>", "The service can't be reached"),
    "VPC-link": (503, "application/json", '{"message": "Service Unavailable"}', "The service can't be reached"),
    "task-ended": (502, "text/html", "<h1>502 Bad Gateway</h1>", "The service can't be reached"),
    "timeout": (
        504,
        "application/json",
        '{"message": "Endpoint request timed out"}',
        "The service did not respond in time",
    ),
    "firewall": (403, "application/json", '{"message": "Forbidden"}', "The service refused the request without saying"),
}
"""Responses of API Gateway and of an Application Load Balancer, and the page's message."""


@only_chromium
@pytest.mark.parametrize("pattern", [PRESIGN, CONFIRM])
def test_a_response_that_is_no_problem_document_is_explained(
    site: Site, user: User, browser_errors: BrowserErrors, pattern: str
) -> None:
    site.log_in(user.username)
    for status, content_type, body, message in EDGE_RESPONSES.values():
        site.page.route(pattern, respond(status=status, content_type=content_type, body=body))
        expected = re.compile(rf"^{message}.*\. Try again in a moment\. \({status}\)$")
        expect_failure(site, user, browser_errors, expected, f"status of {status}")
        site.page.unroute(pattern)
        site.entry.get_by_role("button", name="Try again").click()
        site.expect_entry("done")
        site.expect_avatar(user.username, str(user.avatar))


def test_a_rate_limited_upload_shows_how_long_to_wait(site: Site, user: User, browser_errors: BrowserErrors) -> None:
    problem = {"type": "urn:problem:too-many-requests", "title": "Too many requests", "detail": "Try again in 7 s."}
    site.log_in(user.username)
    site.page.route(PRESIGN, lambda route: route.fulfill(status=429, json=problem))
    message = re.compile(r"^Try again in 7 s\. \(429, urn:problem:too-many-requests\)$")
    expect_failure(site, user, browser_errors, message, "status of 429")


def test_a_missing_session_is_explained(site: Site, user: User, bucket: Bucket, browser_errors: BrowserErrors) -> None:
    site.log_in(user.username)
    site.page.context.clear_cookies()
    browser_errors.expect("status of 401")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.failure).to_contain_text("(401, urn:problem:not-logged-in)")
    expect(site.failure).to_contain_text("There is no session")
    expect(site.calls).to_have_count(1)
    assert bucket.keys(user.username) == [user.avatar]


def test_a_session_that_ends_before_the_confirm_keeps_the_avatar(
    site: Site, user: User, stack: Stack, browser_errors: BrowserErrors
) -> None:
    def end_session(route: Route) -> None:
        if route.request.method == "POST":
            site.page.context.clear_cookies()
        route.continue_()

    old = user.avatar
    site.log_in(user.username)
    site.page.route(f"{stack.aws.endpoint}/**", end_session)
    browser_errors.expect("status of 401")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.failure).to_contain_text("(401, urn:problem:not-logged-in)")
    expect(site.calls).to_have_count(3)
    assert user.avatar == old


def test_a_failed_upload_can_be_repeated_with_the_same_file(
    site: Site, user: User, browser_errors: BrowserErrors
) -> None:
    site.log_in(user.username)
    site.page.route(CONFIRM, lambda route: route.abort(), times=1)
    expect_failure(site, user, browser_errors, re.compile(r"can't be reached\."), "net::ERR_FAILED")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar == read_key(site.calls.nth(2))


def expect_refusals(
    site: Site,
    user: User,
    browser_errors: BrowserErrors,
    refusals: Mapping[Callable[[Route], None], tuple[int, str, str]],
) -> None:
    """Upload once with each change of the presign. Expect S3's status code and error code, and the page's message."""
    site.log_in(user.username)
    for change, (status, code, message) in refusals.items():
        site.page.route(PRESIGN, change)
        whole = re.compile(rf"^{message}.*\({status}, {code}: .+\)$")
        expect_failure(site, user, browser_errors, whole, f"status of {status}")
        expect(site.calls).to_have_count(2)
        site.page.unroute(PRESIGN)


def expect_failure(
    site: Site, user: User, browser_errors: BrowserErrors, message: re.Pattern[str], browser_error: str
) -> None:
    """Upload a valid picture on the open page. Expect this message and an unchanged avatar."""
    old = user.avatar
    assert old is not None
    before = site.see_picture(user.username)
    browser_errors.expect(browser_error)
    with site.expect_new_entry("failed"):
        site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.failure).to_have_text(message)
    expect(site.input("confirm")).to_be_enabled()
    site.expect_avatar(user.username, old)
    assert difference(site.see_picture(user.username), before) == 0
    assert user.avatar == old
