"""Pictures that are something else as well, in a browser: they are shown as pictures, and nothing of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import only_prefix
from tests.pictures import POLYGLOTS, make_gif_script

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.browsing import Noise, OpenPage, Site
    from tests.conftest import User

# What this is about is the same under either strategy.
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
    user.confirm(user.put_up(content_type, make())).raise_for_status()
    return user.http.get(f"/users/{user.username}/avatar").headers["Location"]


@pytest.mark.parametrize("polyglot", POLYGLOTS)
def test_a_polyglot_is_shown_and_is_no_document(site: Site, user: User, polyglot: str) -> None:
    url = upload(user, polyglot)
    site.log_in(user.username)
    picture = site.picture(user.username)
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("async (image) => image.decode().then(() => image.naturalWidth)") > 0
    # In the address bar it is a file to save; the page stays.
    with site.page.expect_download() as saving:
        site.page.evaluate("(url) => void (location.href = url)", url)
    assert saving.value.url == url
    assert site.page.url.rstrip("/") == site.origin
    assert site.page.evaluate("typeof window.ran") == "undefined"


def test_a_picture_that_is_a_script_does_not_run_in_anybodys_page(
    open_page: OpenPage, stack: Stack, user: User, noise: Noise
) -> None:
    """Not even in one of the bucket's own origin, without our policy: what says that it is a picture is no script to
    browsers (Fetch standard, "should response to request be blocked due to its MIME type").
    """
    url = upload(user, "GIF and script")
    page = open_page()
    page.goto(f"{stack.aws.endpoint}/_ministack/health")
    noise.expect("MIME type", "favicon.ico")
    page.evaluate(RUN_FROM, url)
    assert page.evaluate("typeof window.ran") == "undefined"
    # Without its type it would run.
    page.add_script_tag(content=make_gif_script().decode("latin-1"))
    assert page.evaluate("window.ran") is True
