"""The page over plain HTTP on another host than localhost, where browsers have no `crypto.subtle`."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from infra.seed.people import invent_people
from services.frontend.app import STATIC
from tests.browsing import HOSTNAME, PHOTOGRAPH, only_chromium, read_key
from tests.conftest import only_prefix

if TYPE_CHECKING:
    from playwright.sync_api import Request

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, StartStack

LIBRARY = STATIC / "js-sha256"
LIBRARY_PATH = "/static/js-sha256/sha256.min.mjs"


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack) -> Stack:
    return start_stack(aws, strategy, "insecure origin", HOSTNAME)


@only_prefix
@only_chromium
def test_the_page_uploads_an_avatar_on_an_insecure_origin(
    site: Site, bucket: Bucket, browser_errors: BrowserErrors
) -> None:
    browser_errors.expect("Cross-Origin-Opener-Policy header has been ignored")
    assert site.origin.startswith(f"http://{HOSTNAME}:")
    requests: list[Request] = []
    site.page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 - Playwright inspects the function
    site.open()
    assert site.page.evaluate("[isSecureContext, typeof crypto.subtle]") == [False, "undefined"]
    # Only the browser resolves the page's host name, so the page logs in.
    user = next(iter(invent_people(1)))
    site.turn_pages_to(site.users, site.card(user.username))
    site.page.locator(f'[data-login="{user.username}"]').click()
    expect(site.card(user.username)).to_contain_text("Current user")
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")

    file = PHOTOGRAPH.read_bytes()
    (presign,) = (request for request in requests if request.url == f"{site.origin}/uploads/presign")
    assert json.loads(presign.post_data or "")["sha256"] == base64.b64encode(hashlib.sha256(file).digest()).decode()
    avatar = read_key(site.calls.nth(2))
    site.expect_avatar(user.username, avatar)
    assert bucket.read(avatar) == file
    assert LIBRARY_PATH in {request.url.removeprefix(site.origin) for request in requests}


@only_prefix
def test_the_library_computes_the_same_digest_as_python(site: Site, browser_errors: BrowserErrors) -> None:
    """Lengths around the ends of one and of two blocks of 64 bytes, and one of several megabytes."""
    browser_errors.expect("Cross-Origin-Opener-Policy header has been ignored")
    contents = [random.Random(size).randbytes(size) for size in (*range(130), 3_000_001)]  # noqa: S311 - test data
    site.open()
    digests = site.page.evaluate(
        """async ([path, contents]) => {
            const { sha256 } = await import(path);
            const decode = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt()).buffer;
            return contents.map((text) => sha256.hex(decode(text)));
        }""",
        [LIBRARY_PATH, [base64.b64encode(content).decode() for content in contents]],
    )
    assert digests == [hashlib.sha256(content).hexdigest() for content in contents]


def test_the_library_is_the_file_that_its_readme_records() -> None:
    recorded = dict(
        re.findall(r"^\| `(.+)` \| `([0-9a-f]{64})` \|$", (LIBRARY / "README.md").read_text(), re.MULTILINE)
    )
    files = {path for path in LIBRARY.iterdir() if path.name != "README.md"}
    assert recorded == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
