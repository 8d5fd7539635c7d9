"""Files that do not become avatars, and the page's messages about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.pictures.formats import CONTENT_TYPES
from tests.browsing import difference, same_in_firefox
from tests.conftest import POSTED_PREFIXES, only_prefix
from tests.pictures import BAD_PICTURES, make_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browsing import BrowserErrors, Site
    from tests.conftest import Bucket, User

# The behaviour is the same under both strategies.
pytestmark = [only_prefix, same_in_firefox]

SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg"}

BY_CONFIRM: dict[str, tuple[str, Callable[[], bytes]]] = {
    problem: (f"photo{SUFFIXES[content_type]}", make)
    for problem, (content_type, make) in BAD_PICTURES.items()
    # The page declares the content type of the file's bytes, and uploads no picture with too many pixels.
    if problem not in {"type-mismatch", "too-many-pixels"}
}
"""Files that the confirm refuses: name and bytes, by problem type."""

BY_PRESIGN: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "empty": ("empty-file", "photo.png", lambda: b""),
    "one-byte-too-many": ("too-large", "photo.gif", lambda: make_large_picture(5_000_001)),
    "text": ("type-not-allowed", "letter.txt", lambda: b"Dear Sir or Madam"),
}
"""Files that the presign refuses: problem type, name and bytes."""


def make_large_picture(size: int) -> bytes:
    """A GIF of this size. The bytes are the data of its frame, after the end of the pixels."""
    gif = make_picture("image/gif")
    blocks, rest = divmod(size - len(gif), 256)
    # The blocks go before the empty one and the trailer.
    return gif[:-2] + (b"\xff" + bytes(255)) * blocks + (bytes([rest - 1]) + bytes(rest - 1)) * (rest > 1) + gif[-2:]


STATUS = {"empty-file": 422, "too-large": 413, "type-not-allowed": 415}

MESSAGES = {
    "not-a-picture": "The file's bytes are none of image/png,",
    "unreadable-picture": "The picture is cut off or damaged, or has a structure that browsers do not show.",
    "empty-file": "The file is empty.",
    "too-large": "The file has 5,000,001 bytes; 5,000,000 are allowed.",
    "type-not-allowed": "The avatar must be one of image/png,",
}


@pytest.mark.parametrize("problem", BY_CONFIRM)
def test_a_bad_picture_is_refused_at_the_confirm(
    site: Site, user: User, bucket: Bucket, browser_errors: BrowserErrors, tmp_path: Path, problem: str, strategy: str
) -> None:
    name, make = BY_CONFIRM[problem]
    file = tmp_path / name
    file.write_bytes(make())
    expect_refusal(site, user, browser_errors, file, problem, 422, calls=3)
    (pending,) = [key for key in bucket.keys(user.username) if key != user.avatar]
    assert pending.startswith(POSTED_PREFIXES[strategy])


@pytest.mark.parametrize("case", BY_PRESIGN)
def test_a_file_of_a_wrong_type_or_size_is_refused_at_the_presign(
    site: Site, user: User, bucket: Bucket, browser_errors: BrowserErrors, tmp_path: Path, case: str
) -> None:
    problem, name, make = BY_PRESIGN[case]
    file = tmp_path / name
    file.write_bytes(make())
    expect_refusal(site, user, browser_errors, file, problem, STATUS[problem], calls=1)
    assert bucket.keys(user.username) == [user.avatar]


def test_the_object_of_a_refused_confirm_is_shown_in_the_bucket(
    site: Site, user: User, bucket: Bucket, browser_errors: BrowserErrors, tmp_path: Path
) -> None:
    file = tmp_path / "photo.png"
    file.write_text("I am a text")
    site.log_in(user.username)
    browser_errors.expect("status of 422")
    site.input("confirm").set_input_files(file)
    site.page.get_by_role("button", name="Upload it as it is").click()
    expect(site.failure).to_contain_text("urn:problem:not-a-picture")
    (pending,) = [key for key in bucket.keys(user.username) if key != user.avatar]
    expect(site.object(pending)).to_be_visible()


def test_a_file_of_the_maximum_size_becomes_the_avatar(site: Site, user: User, tmp_path: Path) -> None:
    file = tmp_path / "photo.gif"
    file.write_bytes(make_large_picture(5_000_000))
    assert file.stat().st_size == 5_000_000
    old = user.avatar
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    site.expect_entry("done")
    assert user.avatar != old


def test_a_good_file_after_a_bad_one_becomes_the_avatar(
    site: Site, user: User, browser_errors: BrowserErrors, tmp_path: Path
) -> None:
    bad, good = tmp_path / "letter.txt", tmp_path / "photo.png"
    bad.write_text("Dear Sir or Madam")
    good.write_bytes(make_picture())
    expect_refusal(site, user, browser_errors, bad, "type-not-allowed", 415, calls=1)
    old = user.avatar
    site.input("confirm").set_input_files(good)
    site.expect_entry("done")
    assert user.avatar != old


def test_the_file_input_accepts_only_pictures(site: Site, user: User) -> None:
    site.log_in(user.username)
    for flow in ("confirm", "skip"):
        expect(site.input(flow)).to_have_attribute("accept", ",".join(CONTENT_TYPES))


def expect_refusal(
    site: Site, user: User, browser_errors: BrowserErrors, file: Path, problem: str, status: int, *, calls: int
) -> None:
    """Upload a file. Expect a message after this many calls, and everything else unchanged."""
    old = user.avatar
    assert old is not None
    site.log_in(user.username)
    site.turn_pages_to(site.table, site.row(user.username))
    before = site.see_picture(user.username)
    browser_errors.expect(f"status of {status}")
    site.input("confirm").set_input_files(file)
    if problem in {"unreadable-picture", "not-a-picture", "type-not-allowed"}:
        # The page can't remove metadata from it.
        site.page.get_by_role("button", name="Upload it as it is").click()
    expect(site.failure).to_contain_text(f"({status}, urn:problem:{problem})")
    expect(site.failure).to_have_text(re.compile("^" + re.escape(MESSAGES[problem])))
    expect(site.calls).to_have_count(calls)
    expect(site.calls.nth(calls - 1)).to_have_class("call failed")
    expect(site.input("confirm")).to_be_enabled()
    for _ in range(2):
        site.expect_avatar(user.username, old)
        assert difference(site.see_picture(user.username), before) == 0
        expect(site.row(user.username).locator("td").nth(2)).to_have_text(old)
        assert user.avatar == old
        # Check again with the page as the server renders it now.
        site.page.reload()
