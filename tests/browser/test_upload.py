"""The three phases of an upload in a browser, and what the page shows afterwards."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import uuid_utils
from playwright.sync_api import expect

from services.store.kinds import AVATAR
from tests.browsing import ANOTHER, PHOTOGRAPH, SAME, difference, draw_avatar, only_chromium, read_key
from tests.conftest import POSTED_PREFIXES, make_user, only_prefix
from tests.eventually import eventually
from tests.pictures import FORMATS, make_camera_photograph, make_picture, push_dimensions_back
from tests.rows import make_upload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page, Request, Response, Route

    from infra.local.stack import Stack
    from tests.browsing import Site
    from tests.conftest import Bucket, User

UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

FILES: dict[str, Callable[[], bytes]] = {
    "camera.jpg": make_camera_photograph,
    "one-pixel.png": lambda: make_picture(size=(1, 1), seed=3),
    "camera-with-long-header.jpg": lambda: push_dimensions_back(make_camera_photograph(), 200_000),
    "wide.webp": lambda: make_picture("image/webp", size=(900, 120), seed=4),
    "tall.gif": lambda: make_picture("image/gif", size=(120, 900), seed=5),
} | {
    f"small.{name.removeprefix('image/')}": lambda name=name, seed=seed: make_picture(name, seed=seed)
    for seed, name in enumerate(FORMATS)
}
"""Each picture looks different from the one before."""


def record_calls(page: Page) -> list[Request | Response]:
    """The POST requests and their responses, in order."""
    calls: list[Request | Response] = []

    def record_request(request: Request) -> None:
        if request.method == "POST":
            calls.append(request)

    def record_response(response: Response) -> None:
        if response.request.method == "POST":
            calls.append(response)

    page.on("request", record_request)
    page.on("response", record_response)
    return calls


@only_chromium
def test_the_page_presigns_posts_and_confirms_a_photograph(site: Site, user: User, strategy: str) -> None:
    site.log_in(user.username)
    calls: list[Any] = record_calls(site.page)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")

    assert [(type(call).__name__, urlsplit(call.url).path) for call in calls] == [
        ("Request", "/uploads/presign"),
        ("Response", "/uploads/presign"),
        ("Request", urlsplit(calls[2].url).path),
        ("Response", urlsplit(calls[2].url).path),
        ("Request", "/uploads/confirm"),
        ("Response", "/uploads/confirm"),
    ]
    presign, presigned, post, posted, confirm, confirmed = calls

    file = PHOTOGRAPH.read_bytes()
    assert presign.url == f"{site.origin}/uploads/presign"
    assert presign.post_data_json == {
        "content_type": "image/jpeg",
        "size": len(file),
        "sha256": base64.b64encode(hashlib.sha256(file).digest()).decode(),
    }
    assert presigned.status == 200
    form = presigned.json()
    proof = {"key", "upload_token"} if strategy == "tag" else {"key"}
    assert form.keys() == {"method", "url", "fields", "expires"} | proof
    assert form["method"] == "POST"
    assert re.fullmatch(POSTED_PREFIXES[strategy] + UUID7, form["key"])
    assert form["expires"] == 300
    assert form["fields"]["key"] == form["key"]
    assert form["fields"]["Content-Type"] == "image/jpeg"

    assert post.url == form["url"]
    assert origin_of(post) != site.origin
    assert post.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert post.all_headers().keys().isdisjoint({"cookie", "authorization"})
    assert posted.status == 204

    assert confirm.url == f"{site.origin}/uploads/confirm"
    assert confirm.post_data_json == {name: form[name] for name in proof}
    assert confirmed.status == 200
    assert confirmed.json() == user.make_confirmation(
        form["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    )


def test_the_page_shows_the_new_avatar_without_a_reload(site: Site, user: User, bucket: Bucket) -> None:
    old = user.avatar
    assert old is not None
    site.log_in(user.username)
    site.turn_pages_to(site.table, site.row(user.username))
    site.turn_pages_to(site.bucket, site.object(old))
    expect(site.object(old)).to_have_attribute("data-state", "live")
    before = site.see_picture(user.username)

    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    avatar = read_key(site.calls.nth(2))
    assert avatar.startswith("avatars/")
    site.expect_avatar(user.username, avatar)
    after = site.see_picture(user.username)
    assert difference(after, draw_avatar(PHOTOGRAPH)) < SAME
    assert difference(before, draw_avatar(PHOTOGRAPH)) > ANOTHER

    expect(site.row(user.username).locator("td").nth(2)).to_have_text(avatar)
    expect(site.object(avatar)).to_have_attribute("data-state", "live")
    expect(site.object(avatar).locator(".expires")).to_have_text("never")
    expect(site.object(old)).to_have_count(0)
    assert user.avatar == avatar
    eventually(lambda: bucket.keys(user.username) == [avatar])
    assert bucket.read(avatar) == PHOTOGRAPH.read_bytes()


def test_without_a_confirm_the_page_keeps_the_avatar_and_shows_the_expiry(
    site: Site, user: User, bucket: Bucket, strategy: str
) -> None:
    old = user.avatar
    assert old is not None
    site.log_in(user.username)
    site.turn_pages_to(site.table, site.row(user.username))
    before = site.see_picture(user.username)
    calls: list[Any] = record_calls(site.page)

    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    expect(site.calls).to_have_count(3)
    expect(site.calls.nth(2)).to_have_class("call left-out")
    key = read_key(site.calls.nth(0))
    assert key.startswith(POSTED_PREFIXES[strategy])
    expect(site.object(key)).to_have_attribute("data-state", "pending")
    expect(site.object(key).locator(".expires")).to_have_text(re.compile(r"\d{4}-\d\d-\d\d 00:00:00"))

    assert [urlsplit(call.url).path for call in calls[:2]] == ["/uploads/presign"] * 2
    assert [origin_of(call) for call in calls[2:]] == [origin_of(calls[2])] * 2
    assert origin_of(calls[2]) != site.origin
    site.expect_avatar(user.username, old)
    assert difference(site.see_picture(user.username), before) == 0
    expect(site.row(user.username).locator("td").nth(2)).to_have_text(old)
    assert user.avatar == old
    assert sorted(bucket.keys(user.username)) == sorted([old, key])
    assert "Expiration" in bucket.head(key)
    assert "Expiration" not in bucket.head(old)


def test_a_late_deletion_is_shown(site: Site, user: User, stack: Stack) -> None:
    name, leftover = (
        stack.resources.bucket,
        make_upload(str(uuid_utils.uuid7(nanoseconds=time.time_ns()))).permanent_key,
    )
    stack.aws.s3.put_object(Bucket=name, Key=leftover, Body=b"x", Metadata={"username": user.username})
    site.log_in(user.username)
    site.turn_pages_to(site.bucket, site.object(leftover))
    expect(site.object(leftover)).to_have_attribute("data-state", "orphan")
    page_loads = itertools.count()

    def delete_before_the_second_load(route: Route) -> None:
        if next(page_loads) == 1:
            stack.aws.s3.delete_object(Bucket=name, Key=leftover)
        route.continue_()

    site.page.route(lambda url: urlsplit(url).path == "/changes", delete_before_the_second_load)
    site.input("confirm").set_input_files(PHOTOGRAPH)
    site.expect_entry("done")
    expect(site.object(leftover)).to_have_count(0)


@only_prefix
def test_a_picture_of_each_kind_is_drawn_as_the_avatar(site: Site, user: User, tmp_path: Path) -> None:
    site.log_in(user.username)
    for name, make in FILES.items():
        file = tmp_path / name
        file.write_bytes(make())
        before = site.see_picture(user.username)
        with site.expect_new_entry("done"):
            site.input("confirm").set_input_files(file)
        avatar = read_key(site.calls.nth(2))
        site.expect_avatar(user.username, avatar)
        assert difference(site.see_picture(user.username), draw_avatar(file)) < SAME
        assert difference(before, draw_avatar(file)) > ANOTHER
        assert user.avatar == avatar


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("camera")])
def test_the_camera_photographs_have_a_realistic_size(name: str) -> None:
    assert 3_000_000 < len(FILES[name]()) < 5_000_000


def test_a_first_avatar_replaces_the_initials(site: Site, stack: Stack) -> None:
    with make_user(stack, portrait=False) as user:
        site.log_in(user.username)
        expect(site.card(user.username).get_by_role("img", name=f"{user.name} has no avatar yet")).to_have_text("TN")
        site.input("confirm").set_input_files(PHOTOGRAPH)
        site.expect_entry("done")
        expect(site.card(user.username).get_by_role("img", name=f"Avatar of {user.name}")).to_be_visible()
        # Firefox draws it up to a pixel beside its place.
        assert difference(site.see_picture(user.username), draw_avatar(PHOTOGRAPH)) < ANOTHER


def test_the_second_of_two_uploads_becomes_the_avatar(site: Site, user: User, bucket: Bucket, tmp_path: Path) -> None:
    second = tmp_path / "second.png"
    second.write_bytes(make_picture(seed=6))
    site.log_in(user.username)
    for file in (PHOTOGRAPH, second):
        old = user.avatar
        assert old is not None
        site.input("confirm").set_input_files(file)
        expect(site.picture(user.username)).not_to_have_attribute("src", re.compile(re.escape(old)))
    assert difference(site.see_picture(user.username), draw_avatar(second)) < SAME
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


def test_an_object_with_the_pending_tag_is_shown_as_pending(site: Site, user: User, stack: Stack) -> None:
    name, key = stack.resources.bucket, make_upload(str(uuid_utils.uuid7(nanoseconds=time.time_ns()))).permanent_key
    stack.aws.s3.put_object(
        Bucket=name, Key=key, Body=b"x", Metadata={"username": user.username}, Tagging="Status=Pending"
    )
    try:
        site.open()
        site.turn_pages_to(site.bucket, site.object(key))
        assert "Status=Pending" in site.object(key).inner_text()
        assert site.object(key).get_attribute("data-state") == "pending"
    finally:
        stack.aws.s3.delete_object(Bucket=name, Key=key)


def origin_of(call: Request | Response) -> str:
    url = urlsplit(call.url)
    return f"{url.scheme}://{url.netloc}"
