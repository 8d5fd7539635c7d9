"""Calls that fail on the way, and what the page says of each."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browsing import PATIENCE_MILLISECONDS, PHOTOGRAPH, difference, read_key
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from infra.local.stack import Stack
    from tests.browsing import Noise, Site
    from tests.conftest import Bucket, User

    Tampering = tuple[Callable[[dict[str, Any]], dict[str, Any]], str, str]

# What this is about is the same under either strategy.
pytestmark = only_prefix

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
"""What becomes of the presign's answer on its way to the page, S3's error then, and the page's words for it."""

TAMPERED_DECLARATIONS: dict[str, Tampering] = {
    "smaller": (change_size(-1), "EntityTooLarge", "The file is larger than it was declared to be"),
    "larger": (change_size(+1), "EntityTooSmall", "The file is smaller than it was declared to be"),
    "another-file": (
        lambda asked: asked | {"sha256": base64.b64encode(bytes(32)).decode()},
        "BadDigest",
        "The file arrived damaged or is not the one that was announced",
    ),
}
"""What becomes of the presign's request on its way to the service, and so on."""


@pytest.mark.parametrize("case", TAMPERED_FORMS)
def test_the_buckets_refusal_of_a_form_is_said_in_plain_words(
    site: Site, user: User, bucket: Bucket, noise: Noise, case: str
) -> None:
    tamper, code, words = TAMPERED_FORMS[case]

    def change_answer(route: Route) -> None:
        answer = route.fetch(timeout=PATIENCE_MILLISECONDS)
        route.fulfill(response=answer, json=tamper(answer.json()))

    site.page.route(PRESIGN, change_answer)
    fail(site, user, noise, re.compile(rf"^{words}.*\(403, {code}: .+\)$"), "status of 403")
    expect(site.calls).to_have_count(2)
    assert bucket.keys(user.username) == [user.avatar]


@pytest.mark.parametrize("case", TAMPERED_DECLARATIONS)
def test_the_buckets_refusal_of_a_file_is_said_in_plain_words(
    site: Site, user: User, bucket: Bucket, noise: Noise, case: str
) -> None:
    tamper, code, words = TAMPERED_DECLARATIONS[case]

    def change_request(route: Route) -> None:
        route.continue_(post_data=json.dumps(tamper(json.loads(route.request.post_data or ""))))

    site.page.route(PRESIGN, change_request)
    fail(site, user, noise, re.compile(rf"^{words}.*\(400, {code}: .+\)$"), "status of 400")
    expect(site.calls).to_have_count(2)
    assert bucket.keys(user.username) == [user.avatar]


@pytest.mark.parametrize(("phase", "pattern"), [("presign", PRESIGN), ("confirm", CONFIRM)])
def test_a_service_that_is_out_of_reach_is_said_in_plain_words(
    site: Site, user: User, noise: Noise, phase: str, pattern: str
) -> None:
    site.page.route(pattern, lambda route: route.abort())
    host = site.origin.removeprefix("http://")
    fail(site, user, noise, re.compile(rf"^{host} can't be reached\."), "net::ERR_FAILED")
    expect(site.calls).to_have_count({"presign": 1, "confirm": 3}[phase])


def test_a_bucket_that_is_out_of_reach_is_said_in_plain_words(
    site: Site, user: User, stack: Stack, bucket: Bucket, noise: Noise
) -> None:
    def refuse_posts(route: Route) -> None:
        if route.request.method == "POST":
            route.abort("connectionrefused")
        else:
            route.continue_()

    host = stack.aws.endpoint.removeprefix("http://")
    site.page.route(f"{stack.aws.endpoint}/**", refuse_posts)
    fail(site, user, noise, re.compile(rf"^{host} can't be reached\."), "net::ERR_CONNECTION_REFUSED")
    expect(site.calls).to_have_count(2)
    assert bucket.keys(user.username) == [user.avatar]


@pytest.mark.parametrize("pattern", [PRESIGN, CONFIRM])
def test_an_answer_that_is_nobodys_problem_is_said_in_plain_words(
    site: Site, user: User, noise: Noise, pattern: str
) -> None:
    site.page.route(pattern, lambda route: route.fulfill(status=502, content_type="text/html", body="<h1>Oops</h1>"))
    fail(site, user, noise, re.compile(r"^The service answered 502 without saying why\."), "status of 502")


def test_who_uploads_too_often_is_told_how_long_to_wait(site: Site, user: User, noise: Noise) -> None:
    problem = {"type": "urn:problem:too-many-requests", "title": "Too many requests", "detail": "Try again in 7 s."}
    site.page.route(PRESIGN, lambda route: route.fulfill(status=429, json=problem))
    words = re.compile(r"^Try again in 7 s\. \(429, urn:problem:too-many-requests\)$")
    fail(site, user, noise, words, "status of 429")


def test_what_api_gateway_says_by_itself_is_said_in_plain_words(site: Site, user: User, noise: Noise) -> None:
    site.page.route(PRESIGN, lambda route: route.fulfill(status=429, json={"message": "Too Many Requests"}))
    fail(site, user, noise, re.compile(r"^The service answered 429 without saying why\."), "status of 429")


def test_a_session_that_is_over_is_said_in_plain_words(site: Site, user: User, bucket: Bucket, noise: Noise) -> None:
    site.log_in(user.username)
    site.page.context.clear_cookies()
    noise.expect("status of 401")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.failure).to_contain_text("(401, urn:problem:not-logged-in)")
    expect(site.failure).to_contain_text("There is no session")
    expect(site.calls).to_have_count(1)
    assert bucket.keys(user.username) == [user.avatar]


def test_a_session_that_ends_between_the_calls_leaves_the_avatar(
    site: Site, user: User, stack: Stack, noise: Noise
) -> None:
    def end_session(route: Route) -> None:
        if route.request.method == "POST":
            site.page.context.clear_cookies()
        route.continue_()

    old = user.avatar
    site.log_in(user.username)
    site.page.route(f"{stack.aws.endpoint}/**", end_session)
    noise.expect("status of 401")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.failure).to_contain_text("(401, urn:problem:not-logged-in)")
    expect(site.calls).to_have_count(3)
    assert user.avatar == old


def test_after_a_failure_the_same_file_can_be_tried_again(site: Site, user: User, noise: Noise) -> None:
    site.page.route(CONFIRM, lambda route: route.abort(), times=1)
    fail(site, user, noise, re.compile(r"can't be reached\."), "net::ERR_FAILED")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    assert user.avatar == read_key(site.calls.nth(2))


def fail(site: Site, user: User, noise: Noise, words: re.Pattern[str], complaint: str) -> None:
    """Upload a good picture, read in plain words what went wrong, and find the avatar as it was."""
    old = user.avatar
    assert old is not None
    site.log_in(user.username)
    before = site.see_picture(user.username)
    noise.expect(complaint)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    expect(site.failure).to_have_text(words)
    expect(site.input("confirm")).to_be_enabled()
    site.expect_avatar(user.username, old)
    assert difference(site.see_picture(user.username), before) == 0
    assert user.avatar == old
