"""Files that don't become avatars, and what the page says of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from services.pictures.formats import CONTENT_TYPES
from tests.browsing import difference
from tests.conftest import WAITS_UNDER, only_prefix
from tests.pictures import BAD_PICTURES, make_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browsing import Noise, Site
    from tests.conftest import Bucket, User

# What this is about is the same under either strategy.
pytestmark = only_prefix

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96"><rect width="96" height="96"/></svg>'

SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg"}

BY_CONFIRM: dict[str, tuple[str, Callable[[], bytes]]] = {
    problem: (f"photo{SUFFIXES[content_type]}", make) for problem, (content_type, make) in BAD_PICTURES.items()
}
"""By the problem they meet, files that are found to be bad once they are in the bucket: name and bytes."""

BY_PRESIGN: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "empty": ("empty-file", "photo.png", lambda: b""),
    # A GIF, since the page cuts off what follows the end of a PNG.
    "one-byte-too-many": ("too-large", "photo.gif", lambda: make_picture("image/gif").ljust(5_000_001, b"\0")),
    "svg": ("type-not-allowed", "drawing.svg", lambda: SVG),
    "text": ("type-not-allowed", "letter.txt", lambda: b"Dear Sir or Madam"),
    "no-suffix": ("type-not-allowed", "photo", make_picture),
}
"""Files that no form is given for: problem, name and bytes."""

STATUS = {"empty-file": 422, "too-large": 413, "type-not-allowed": 415}

PLAIN_WORDS = {
    "not-a-picture": "The file's bytes are none of image/png,",
    "type-mismatch": "The file was declared as image/png and is image/jpeg.",
    "too-many-pixels": "The picture has 30000 x 30000 pixels; 8192 x 8192 are allowed.",
    "unreadable-picture": "The picture's header is cut off or damaged.",
    "empty-file": "The file is empty.",
    "too-large": "The file has 5,000,001 bytes; 5,000,000 are allowed.",
    "type-not-allowed": "An avatar is one of image/png,",
}


@pytest.mark.parametrize("problem", BY_CONFIRM)
def test_a_file_that_is_no_good_picture_is_refused_at_the_confirm(
    site: Site, user: User, bucket: Bucket, noise: Noise, tmp_path: Path, problem: str, strategy: str
) -> None:
    name, make = BY_CONFIRM[problem]
    file = tmp_path / name
    file.write_bytes(make())
    refuse(site, user, noise, file, problem, 422, calls=3)
    (waiting,) = [key for key in bucket.keys(user.username) if key != user.avatar]
    assert waiting.startswith(WAITS_UNDER[strategy])


@pytest.mark.parametrize("case", BY_PRESIGN)
def test_a_file_of_a_wrong_type_or_size_is_refused_at_once(
    site: Site, user: User, bucket: Bucket, noise: Noise, tmp_path: Path, case: str
) -> None:
    problem, name, make = BY_PRESIGN[case]
    file = tmp_path / name
    file.write_bytes(make())
    refuse(site, user, noise, file, problem, STATUS[problem], calls=1)
    assert bucket.keys(user.username) == [user.avatar]


def test_what_a_refused_confirm_leaves_in_the_bucket_is_shown(
    site: Site, user: User, bucket: Bucket, noise: Noise, tmp_path: Path
) -> None:
    file = tmp_path / "photo.png"
    file.write_text("I am a text")
    site.log_in(user.username)
    noise.expect("status of 422")
    site.input("confirm").set_input_files(file)
    expect(site.failure).to_contain_text("urn:problem:not-a-picture")
    (waiting,) = [key for key in bucket.keys(user.username) if key != user.avatar]
    expect(site.object(waiting)).to_be_visible()


def test_the_largest_file_there_may_be_is_taken(site: Site, user: User, tmp_path: Path) -> None:
    file = tmp_path / "photo.gif"
    file.write_bytes(make_picture("image/gif").ljust(5_000_000, b"\0"))
    old = user.avatar
    site.log_in(user.username)
    site.input("confirm").set_input_files(file)
    site.expect_entry("done")
    assert user.avatar != old


def test_a_good_file_after_a_bad_one_becomes_the_avatar(site: Site, user: User, noise: Noise, tmp_path: Path) -> None:
    bad, good = tmp_path / "letter.txt", tmp_path / "photo.png"
    bad.write_text("Dear Sir or Madam")
    good.write_bytes(make_picture())
    refuse(site, user, noise, bad, "type-not-allowed", 415, calls=1)
    old = user.avatar
    site.input("confirm").set_input_files(good)
    site.expect_entry("done")
    assert user.avatar != old


def test_the_file_chooser_offers_pictures_only(site: Site, user: User) -> None:
    site.log_in(user.username)
    for flow in ("confirm", "skip"):
        expect(site.input(flow)).to_have_attribute("accept", ",".join(CONTENT_TYPES))


def refuse(site: Site, user: User, noise: Noise, file: Path, problem: str, status: int, *, calls: int) -> None:
    """Upload it, read in plain words why not, after so many calls, and find everything else as it was."""
    old = user.avatar
    assert old is not None
    site.log_in(user.username)
    site.turn_to(site.table, site.row(user.username))
    before = site.see_picture(user.username)
    noise.expect(f"status of {status}")
    site.input("confirm").set_input_files(file)
    expect(site.failure).to_contain_text(f"({status}, urn:problem:{problem})")
    expect(site.failure).to_have_text(re.compile("^" + re.escape(PLAIN_WORDS[problem])))
    expect(site.calls).to_have_count(calls)
    expect(site.calls.nth(calls - 1)).to_have_class("call failed")
    expect(site.input("confirm")).to_be_enabled()
    for _ in range(2):
        site.expect_avatar(user.username, old)
        assert difference(site.see_picture(user.username), before) == 0
        expect(site.row(user.username).locator("td").nth(2)).to_have_text(old)
        assert user.avatar == old
        # Once more with what the server says now.
        site.page.reload()
