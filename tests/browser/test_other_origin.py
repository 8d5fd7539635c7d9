"""A page at another origin, which a server of its own sends: the documented one, in a real browser.

A request that a test intercepts has no preflight request, so these tests intercept none.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from infra.local.ports import HOST, pick_free_ports
from tests.browsing import PHOTOGRAPH, only_chromium
from tests.conftest import DECLARED, only_prefix
from tests.docs.port_mapping import DOCUMENTED
from tests.docs.snippets import find_snippet
from tests.pictures import make_picture
from tests.security.services import OtherServer, run_other_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import FilePayload, Page

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors
    from tests.conftest import Bucket, StartStack, User

pytestmark = [only_prefix, only_chromium]

HEADING = "A page at another origin"

FETCH = """async ([url, options]) => {
    try {
        const response = await fetch(url, options);
        return `${response.status} ${response.headers.get("X-Request-Id")}`;
    } catch (error) {
        return error.name;
    }
}"""

POST_FORM = """async ({ url, fields }) => {
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    body.append("file", new Blob(["no picture"]));
    return fetch(url, { method: "POST", body }).then((response) => response.status, (error) => error.name);
}"""


@pytest.fixture(scope="session")
def server() -> Iterator[OtherServer]:
    """At `localhost` it has the allowed origin, and at 127.0.0.1 another one."""
    with run_other_server(*pick_free_ports(1)) as running:
        yield running


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack, server: OtherServer) -> Stack:
    return start_stack(
        aws,
        strategy,
        "other origin",
        origins=("https://app.example.com", f"http://localhost:{server.port}"),
        only="uploads",
    )


@pytest.fixture
def open_app(page: Page, server: OtherServer, user: User) -> Callable[[str], None]:
    """Open the documented page at this host, for this test's user."""

    def open_app(host: str) -> None:
        script = find_snippet(HEADING, "js", "your-app.md")
        script = script.replace(DOCUMENTED, user.stack.origin).replace("Shirley90", user.username)
        server.serve("/upload.js", script, content_type="text/javascript")
        document = find_snippet(HEADING, "html", "your-app.md").replace("<title>", "<link rel=icon href=data:,><title>")
        page.goto(server.serve("/", document, host))

    return open_app


def upload(page: Page, file: Path | FilePayload) -> None:
    page.get_by_label("Picture").set_input_files(file)
    page.get_by_role("button", name="Upload").click()


def count_preflights(stack: Stack, path: str) -> int:
    log = next(process.log for process in stack.processes.started if process.name == "uploads")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return sum((line.get("method"), line.get("path")) == ("OPTIONS", path) for line in lines)


def test_the_documented_page_uploads_and_shows_the_picture_with_one_preflight_request_for_each_call(
    page: Page, user: User, bucket: Bucket, open_app: Callable[[str], None]
) -> None:
    before = {path: count_preflights(user.stack, path) for path in ("/uploads/presign", "/uploads/confirm")}
    open_app("localhost")
    avatars = {user.avatar}
    for file in (PHOTOGRAPH.read_bytes(), make_picture("image/jpeg")):
        upload(page, {"name": "picture.jpg", "mimeType": "image/jpeg", "buffer": file})
        page.wait_for_function("(known) => !known.includes(document.querySelector('img').src)", arg=list(avatars))
        expect(page.get_by_role("status")).to_have_text("This is your avatar now.")
        avatar = user.avatar
        assert avatar is not None
        assert avatar not in avatars
        assert bucket.read(avatar) == file
        avatars |= {avatar, page.get_by_role("img").get_attribute("src")}
        page.wait_for_function(
            "document.querySelector('img').complete && document.querySelector('img').naturalWidth > 0"
        )
    assert {path: count_preflights(user.stack, path) - count for path, count in before.items()} == dict.fromkeys(
        before, 1
    )


def test_the_page_reads_why_a_confirm_was_refused_and_the_id_of_the_request(
    page: Page, user: User, open_app: Callable[[str], None], browser_errors: BrowserErrors
) -> None:
    before = user.avatar
    open_app("localhost")
    browser_errors.expect("422")
    upload(page, {"name": "picture.png", "mimeType": "image/png", "buffer": b"no picture"})
    expect(page.get_by_role("status")).to_have_text(
        re.compile(r"^The file's bytes are none of .*\(request [0-9a-f-]{36}\)$")
    )
    assert user.avatar == before


def test_a_page_of_another_origin_calls_neither_the_services_nor_the_bucket(
    page: Page, user: User, open_app: Callable[[str], None], browser_errors: BrowserErrors
) -> None:
    before = user.avatar
    form = user.declare().raise_for_status().json()
    browser_errors.expect("has been blocked by CORS policy", "net::ERR_FAILED", "400")
    open_app("localhost")
    assert page.evaluate(POST_FORM, form) == 400  # S3 refuses another file, and an allowed page can read that
    open_app(HOST)
    upload(page, PHOTOGRAPH)
    expect(page.get_by_role("status")).to_have_text("Failed to fetch")
    assert page.evaluate(POST_FORM, form) == "TypeError"
    assert user.avatar == before


def test_an_allowed_page_reads_no_response_to_a_request_with_a_cookie(
    page: Page, user: User, open_app: Callable[[str], None], browser_errors: BrowserErrors
) -> None:
    """The page and the services are ports of one host, so the browser sends the cookie."""
    origin = user.stack.origin
    page.context.request.post(f"{origin}/auth/login", data={"username": user.username})
    browser_errors.expect("has been blocked by CORS policy", "net::ERR_FAILED", "401")
    open_app("localhost")
    assert page.evaluate(FETCH, [f"{origin}/auth/me", {"credentials": "include"}]) == "TypeError"
    without_cookie = page.evaluate(FETCH, [f"{origin}/auth/me", {"headers": {"X-Username": user.username}}])
    assert re.fullmatch("401 [0-9a-f-]{36}", without_cookie)
    presign = {"method": "POST", "credentials": "include", "body": json.dumps(DECLARED)}
    assert (
        page.evaluate(FETCH, [f"{origin}/uploads/presign", presign | {"headers": {"Content-Type": "application/json"}}])
        == "TypeError"
    )
