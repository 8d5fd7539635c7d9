"""Polyglots in a browser: they are shown as pictures, and no script in them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import only_prefix
from tests.pictures import POLYGLOTS, make_gif_script

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, OpenPage, Site
    from tests.conftest import User

# The behaviour is the same under both strategies.
pytestmark = only_prefix

RUN_FROM = """(url) => new Promise((resolve) => {
    const script = document.createElement("script");
    script.onload = script.onerror = resolve;
    script.src = url;
    document.body.append(script);
})"""


def upload(user: User, polyglot: str) -> str:
    """The URL of the picture in the bucket."""
    content_type, make = POLYGLOTS[polyglot]
    user.confirm(user.upload_unconfirmed(content_type, make())).raise_for_status()
    return user.http.get(f"/users/{user.username}/avatar").headers["Location"]


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_a_polyglot_is_shown_as_a_picture_and_opens_as_a_download(site: Site, user: User, polyglot: str) -> None:
    url = upload(user, polyglot)
    site.log_in(user.username)
    picture = site.picture(user.username)
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("async (image) => image.decode().then(() => image.naturalWidth)") > 0
    # A navigation to the picture's URL is a download, and the page stays.
    with site.page.expect_download() as saving:
        site.page.evaluate("(url) => void (location.href = url)", url)
    assert saving.value.url == url
    assert site.page.url.rstrip("/") == site.origin
    assert site.page.evaluate("typeof window.ran") == "undefined"


def test_a_picture_that_is_a_script_does_not_run(
    open_page: OpenPage, stack: Stack, user: User, browser_errors: BrowserErrors
) -> None:
    """It does not run even in a page of the bucket's origin, which has no Content Security Policy: browsers block a
    script with a picture's content type (Fetch standard, "should response to request be blocked due to its MIME type").
    """
    url = upload(user, "GIF and script")
    page = open_page()
    page.goto(f"{stack.aws.endpoint}/_ministack/health")
    browser_errors.expect("MIME type")
    # Chromium's headless shell does not request it.
    browser_errors.ignored += ("favicon.ico",)
    page.evaluate(RUN_FROM, url)
    assert page.evaluate("typeof window.ran") == "undefined"
    # With another content type it would run.
    page.add_script_tag(content=make_gif_script().decode("latin-1"))
    assert page.evaluate("window.ran") is True
