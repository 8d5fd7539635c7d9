"""Checks of the three phases, of confirms that must be refused, and of the removal."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from infra.check.deployment import NO_CONTENT, OK, REDIRECT, describe, expect, obtain
from infra.check.outcome import require
from infra.check.picture import make_picture
from infra.check.visit import Check
from services.settings.limits import MAX_FORM_SECONDS
from services.store.keys import Upload, UploadId
from services.store.kinds import AVATAR
from services.uploads.user_pictures import make_picture_url

if TYPE_CHECKING:
    from typing import Any

    from infra.check.deployment import Session
    from infra.check.visit import Visit


def read_upload(key: str) -> Upload | None:
    """The avatar whose form posts to this key, under either strategy."""
    upload_id = UploadId.parse(key.rpartition("/")[2])
    return Upload(AVATAR, upload_id) if upload_id else None


def check_presign(visit: Visit) -> None:
    form: dict[str, Any] = expect(visit.user.presign(make_picture()), "200").json()
    missing = {"method", "url", "fields", "key", "expires"} - form.keys()
    require(not missing, "a form", f"no {', '.join(sorted(missing))}")
    require(read_upload(form["key"]), "a key that ends with a UUIDv7", form["key"])
    seconds = form["expires"]
    require(0 < seconds <= MAX_FORM_SECONDS, f"a form that is valid for at most {MAX_FORM_SECONDS} s", f"{seconds} s")


def check_post(visit: Visit) -> None:
    picture = make_picture()
    form = visit.user.obtain_form(picture)
    expect(visit.user.post(form, picture), str(NO_CONTENT))


def check_confirm(visit: Visit) -> None:
    picture = make_picture()
    form = visit.user.store(picture)
    response = expect(visit.user.confirm(form), "200")
    _expect_avatar(response.json(), visit, form)
    visit.form, visit.picture = form, picture


def check_confirm_again(visit: Visit) -> None:
    response = expect(visit.user.confirm(visit.confirmed), "200")
    _expect_avatar(response.json(), visit, visit.confirmed)


def _expect_avatar(response: Any, visit: Visit, form: dict[str, Any]) -> None:
    upload = read_upload(form["key"])
    key = upload.permanent_key if upload else AVATAR.permanent_prefix
    url = make_picture_url(visit.deployment.origin, visit.user.username, upload) if upload else ""
    expected = {"username": visit.user.username, "kind": AVATAR.name, "key": key, "url": url, "avatar": key}
    require(response == expected, str(expected), response)


def check_picture(visit: Visit) -> None:
    _ = visit.confirmed
    for path in visit.picture_paths:
        found = expect(visit.deployment.call("GET", path), str(REDIRECT))
        response = expect(visit.deployment.call("GET", found.headers["Location"]), "200")
        content = response.content
        require(content == visit.picture, "the bytes that were uploaded", f"{len(content)} other bytes")
        for name, value in {"Content-Type": "image/png", "Content-Disposition": "attachment"}.items():
            require(response.headers.get(name) == value, f"{name}: {value}", response.headers.get(name))


def check_other_user(visit: Visit) -> None:
    other = visit.need_other()
    before = find_avatar(other)
    form = visit.user.store(make_picture())
    expect(other.confirm(form), "404 unknown-upload")
    after = find_avatar(other)
    require(before == after, f"{other.username} with the avatar as before", after or "no avatar")


def check_unposted(visit: Visit) -> None:
    form = visit.user.obtain_form(make_picture())
    expect(visit.user.confirm(form), "404 unknown-upload")


def check_no_picture(visit: Visit) -> None:
    file = b"\x89PNG\r\n\x1a\n and no picture"
    form = visit.user.store(file)
    expect(visit.user.confirm(form), "422 unreadable-picture")


def check_older(visit: Visit) -> None:
    older, newer = visit.user.store(make_picture()), visit.user.store(make_picture())
    obtain(visit.user.confirm(newer), OK, "confirm of the newer upload")
    expect(visit.user.confirm(older), "409 superseded")
    avatar = find_avatar(visit.user)
    require(avatar and avatar == read_upload(newer["key"]), "the newer upload as the avatar", avatar or "no avatar")


def check_removal(visit: Visit) -> None:
    expect(visit.user.remove(), "204")
    expect(visit.user.find_picture(), "404 no-avatar")


def check_removed(visit: Visit) -> None:
    earlier = visit.user.store(make_picture())
    obtain(visit.user.remove(), NO_CONTENT, "removal")
    expect(visit.user.confirm(earlier), "409 removed")


def check_upload_after_removal(visit: Visit) -> None:
    obtain(visit.user.remove(), NO_CONTENT, "removal")
    form = visit.user.store(make_picture())
    expect(visit.user.confirm(form), "200")


def find_avatar(user: Session) -> Upload | None:
    """The upload to which the user's picture redirects, or None without a picture.

    Raises:
        NotCheckedError: the response is another one.
    """
    found = user.find_picture()
    if "no-avatar" in describe(found):
        return None
    obtain(found, REDIRECT, "redirect to the picture")
    return read_upload(urlsplit(found.headers["Location"]).path)


CHECKS = (
    Check("presign", "Phase 1: a presign returns a form", check_presign),
    Check("post", "Phase 2: the bucket stores a picture that is posted with the form", check_post),
    Check("confirm", "Phase 3: a confirm makes the picture the avatar", check_confirm),
    Check("confirm-again", "A repeat of the confirm gets the same response", check_confirm_again),
    Check("picture", "The avatar's URL redirects to the picture", check_picture),
)
REFUSED_CONFIRMS = (
    Check("other-user", "Another user can't confirm the upload", check_other_user),
    Check("unposted", "An upload that was not posted can't be confirmed", check_unposted),
    Check("no-picture", "A file that is no picture can't be confirmed", check_no_picture),
    Check("older", "An earlier upload does not replace a later one", check_older),
    Check("removal", "A removal removes the avatar", check_removal),
    Check("removed", "An upload from before a removal can't be confirmed after it", check_removed),
    Check("after-removal", "A new upload after a removal becomes the avatar", check_upload_after_removal),
)
