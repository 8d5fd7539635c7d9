"""The three phases of an upload: presign, POST, confirm."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from services.store.kinds import AVATAR, KINDS, Kind
from services.store.table import Value
from services.uploads.bucket import compute_sha256
from services.uploads.strategies import hash_token
from tests import web
from tests.conftest import POSTED_PREFIXES, make_user, post_form
from tests.eventually import eventually
from tests.pictures import FORMATS, make_camera_photograph, make_picture, push_dimensions_back
from tests.rows import every_kind
from tests.targets import Trait

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.conftest import Bucket, User


pytestmark = [pytest.mark.every_aws, pytest.mark.needs(Trait.COPY_DIGEST)]


@pytest.mark.parametrize("content_type", FORMATS)
def test_a_confirmed_picture_becomes_the_avatar_and_the_old_one_is_deleted(
    user: User, bucket: Bucket, content_type: str
) -> None:
    picture = make_picture(content_type)
    old = user.avatar
    form = user.upload_unconfirmed(content_type, picture)
    assert user.avatar == old

    answer = user.confirm(form)

    avatar = form["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    assert answer.status_code == 200
    assert answer.json() == user.make_confirmation(avatar)
    assert user.avatar == avatar
    assert bucket.read(avatar) == picture
    assert bucket.head(avatar)["ContentType"] == content_type
    eventually(lambda: bucket.keys(user.username) == [avatar])


@every_kind
def test_a_kind_is_uploaded_shown_and_removed(user: User, bucket: Bucket, kind: Kind) -> None:
    """A request of one kind changes no other one."""
    others = {other.name: user.find_value(other) for other in KINDS.values() if other != kind}
    picture = make_picture()
    form = user.upload_unconfirmed("image/png", picture, kind)
    answer = user.confirm(form)
    key = form["key"].replace(kind.pending_prefix, kind.permanent_prefix)
    assert (answer.status_code, answer.json()) == (200, user.make_confirmation(key, kind))
    assert user.find_value(kind) == Value(key, None)
    redirect = user.http.get(f"/users/{user.username}/{kind.name}")
    assert redirect.status_code == 303
    assert web.get(redirect.headers["Location"]).content == picture
    rows = user.http.get("/inspector/users", params={"limit": 100}).raise_for_status().json()["rows"]
    [row] = [row["kinds"] for row in rows if row["Username"] == user.username]
    assert row[kind.name] == {"key": key, "removed": None, "state": "live"}
    objects = user.http.get("/inspector/objects", params={"state": "live"}).raise_for_status().json()["objects"]
    assert key in {entry["key"] for entry in objects}

    assert user.remove(kind).status_code == 204
    assert user.find_value(kind).key is None
    missing = user.http.get(f"/users/{user.username}/{kind.name}")
    assert missing.json()["type"] == f"urn:problem:{'no-avatar' if kind == AVATAR else 'no-picture'}"
    eventually(lambda: key not in bucket.keys(user.username))
    assert {other.name: user.find_value(other) for other in KINDS.values() if other != kind} == others


def test_a_presign_of_an_unknown_kind_is_refused(user: User) -> None:
    declared = {"content_type": "image/png", "size": 100, "sha256": compute_sha256(b"some file")}
    for kind in ("Avatar", "avatars", "", None, ["avatar"]):
        answer = user.http.post("/uploads/presign", json=declared | {"kind": kind})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:problem:invalid-request")


def test_a_presign_returns_a_complete_form(user: User, strategy: str) -> None:
    form = user.declare("image/png", 1234).raise_for_status().json()
    assert form["method"] == "POST"
    assert form["expires"] == 300
    assert form["key"].startswith(POSTED_PREFIXES[strategy])
    assert form["fields"]["key"] == form["key"]
    assert form["fields"]["Content-Type"] == "image/png"
    assert form["fields"]["x-amz-meta-username"] == user.username
    more = {"upload_token"} if strategy == "tag" else set[str]()
    assert form.keys() == {"method", "url", "fields", "key", "expires"} | more


def test_other_spellings_of_a_content_type_and_a_size_become_those_of_the_form(user: User, bucket: Bucket) -> None:
    picture = make_picture("image/jpeg")
    for spelling in ("IMAGE/JPEG", "image/jpg"):
        form = user.declare(spelling, float(len(picture)), compute_sha256(picture)).raise_for_status().json()
        assert form["fields"]["Content-Type"] == "image/jpeg"
        post_form(form, picture).raise_for_status()
        avatar = user.confirm(form).raise_for_status().json()["avatar"]
        assert bucket.head(avatar)["ContentType"] == "image/jpeg"


def test_an_objects_metadata_names_the_user_and_the_presigns_request(user: User, bucket: Bucket) -> None:
    request_id = uuid.uuid4().hex
    user.http.headers["X-Request-Id"] = request_id
    form = user.upload_unconfirmed("image/png", make_picture())
    expected = {"username": user.username, "request-id": request_id, "sha256": compute_sha256(make_picture())}
    token = {"upload-token": hash_token(form["upload_token"])} if "upload_token" in form else {}
    assert bucket.head(form["key"])["Metadata"] == expected | token
    user.http.headers["X-Request-Id"] = "another-one"
    avatar = user.confirm(form).raise_for_status().json()["avatar"]
    assert bucket.head(avatar)["Metadata"] == expected | token


@pytest.mark.needs(Trait.FORM_DIGEST)
def test_a_form_pins_the_sha256_of_the_file(user: User) -> None:
    picture = make_picture()
    digest = compute_sha256(picture)
    form = user.presign("image/png", picture).raise_for_status().json()
    assert form["fields"]["x-amz-checksum-sha256"] == digest
    assert form["fields"]["x-amz-checksum-algorithm"] == "SHA256"
    other = compute_sha256(b"other")
    assert post_form(form, picture, **{"x-amz-checksum-sha256": other}).status_code == 403
    assert post_form(form, picture[:-1] + b"x").status_code == 400
    assert post_form(form, picture).status_code == 204
    assert user.confirm(form).status_code == 200


def test_a_camera_photograph_becomes_the_avatar(user: User, bucket: Bucket) -> None:
    photograph = make_camera_photograph()
    assert len(photograph) > 2_000_000
    form = user.upload_unconfirmed("image/jpeg", photograph)
    assert user.confirm(form).status_code == 200
    assert bucket.read(user.avatar or "") == photograph


def test_a_photograph_with_a_long_header_becomes_the_avatar(user: User) -> None:
    form = user.upload_unconfirmed("image/jpeg", push_dimensions_back(make_picture("image/jpeg"), 500_000))
    assert user.confirm(form).status_code == 200


def test_a_user_without_an_avatar_gets_one(stack: Stack, bucket: Bucket) -> None:
    with make_user(stack, portrait=False) as user:
        assert user.avatar is None
        form = user.upload_unconfirmed("image/png", make_picture())
        assert user.confirm(form).status_code == 200
        eventually(lambda: bucket.keys(user.username) == [user.avatar])


def test_a_repeated_confirm_has_the_effect_and_the_response_of_one(user: User, bucket: Bucket) -> None:
    form = user.upload_unconfirmed("image/png", make_picture())
    first, second = user.confirm(form), user.confirm(form)
    assert (second.status_code, second.json()) == (200, first.json())
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


@pytest.mark.needs(Trait.EXPIRATION)
def test_without_a_confirm_the_avatar_stays_and_the_object_expires(user: User, bucket: Bucket, strategy: str) -> None:
    old = user.avatar
    form = user.upload_unconfirmed("image/png", make_picture())
    assert user.avatar == old
    assert f'rule-id="pending-{strategy}"' in bucket.head(form["key"])["Expiration"]
    assert "Expiration" not in bucket.head(old or "")


def test_of_two_uploads_the_later_presigned_becomes_the_avatar(user: User, bucket: Bucket) -> None:
    earlier = user.upload_unconfirmed("image/png", make_picture(seed=1))
    later = user.upload_unconfirmed("image/png", make_picture(seed=2))
    assert user.confirm(later).status_code == 200
    for _ in range(2):
        answer = user.confirm(earlier)
        assert (answer.status_code, answer.json()["type"]) == (409, "urn:problem:superseded")
    assert user.avatar == later["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
