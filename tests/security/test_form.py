"""Attacks with a presigned POST form, which S3 checks against its policy."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import uuid_utils

from services.store.kinds import PENDING_PREFIXES, PERMANENT_PREFIXES
from services.uploads.bucket import compute_sha256
from services.uploads.objects import Declared
from tests import web
from tests.conftest import POSTED_PREFIXES, only_tag, post_form
from tests.eventually import eventually
from tests.forms import presign_as
from tests.pictures import make_picture

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.conftest import Bucket, User
    from tests.security.conftest import Refused, Untouched

PICTURE = make_picture()
DECLARED = Declared("image/png", len(PICTURE), compute_sha256(PICTURE))
SIGNING_FIELDS = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")


@pytest.fixture
def form(user: User) -> dict[str, Any]:
    """A form of `user` with every field that a form can have."""
    return user.presign("image/png", PICTURE).raise_for_status().json()


def test_an_unchanged_form(form: dict[str, Any], user: User, bucket: Bucket, untouched: Untouched) -> None:
    """This is no attack. It shows that the other attacks are refused because of what they change."""
    untouched.except_object(form["key"])
    assert post_form(form, PICTURE).status_code == 204
    assert bucket.owner(form["key"]) == user.username


# Fields


def spoil(name: str, value: str) -> str:
    """Another value. For fields that S3 parses before it checks the policy, the value keeps its format."""
    match name:
        case "key":
            return value[:-36] + str(uuid_utils.uuid7(nanoseconds=time.time_ns()))
        case "x-amz-date":
            return value[:-7] + ("000000Z" if value[-7:] != "000000Z" else "000001Z")
        case "x-amz-signature":
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        case "x-amz-credential":
            return "AKIAIOSFODNN7EXAMPLE/" + value.partition("/")[2]
        case _:
            return value + "x"


REFUSED_CHANGED = {
    "policy": (403, "SignatureDoesNotMatch"),
    "x-amz-signature": (403, "SignatureDoesNotMatch"),
    "x-amz-credential": (403, "InvalidAccessKeyId"),
    "x-amz-algorithm": (400, "InvalidArgument"),
}
"""Status and code for fields that S3 checks before the policy conditions."""


def test_a_changed_field(form: dict[str, Any], refused: Refused, subtests: pytest.Subtests) -> None:
    """Change each field of the form, one at a time."""
    assert {"key", "Content-Type", "x-amz-meta-username", "x-amz-checksum-sha256", *SIGNING_FIELDS} <= set(
        form["fields"]
    )
    for name, value in form["fields"].items():
        with subtests.test(name):
            answer = post_form(form, PICTURE, **{name: spoil(name, value)})
            refused.by_s3(answer, *REFUSED_CHANGED.get(name, (403, "AccessDenied")))


REFUSED_WITHOUT = dict.fromkeys(["key", *SIGNING_FIELDS], (400, "InvalidArgument")) | {
    # Without it the form names no signer.
    "x-amz-credential": (403, "AccessDenied"),
}


def test_a_removed_field(form: dict[str, Any], refused: Refused, subtests: pytest.Subtests) -> None:
    for name in form["fields"]:
        with subtests.test(name):
            answer = post_form(form, PICTURE, **{name: None})
            refused.by_s3(answer, *REFUSED_WITHOUT.get(name, (403, "AccessDenied")))


def test_a_repeated_field(form: dict[str, Any], refused: Refused, subtests: pytest.Subtests) -> None:
    """Send a field a second time, with another case of its name and another value."""
    for name in ("key", "Content-Type", "x-amz-meta-username"):
        with subtests.test(name):
            again = {name.swapcase(): spoil(name, form["fields"][name])}
            refused.by_s3(post_form(form, PICTURE, **again), 403, "AccessDenied")


def add_each(form: dict[str, Any], refused: Refused, **fields: str) -> None:
    for name, value in fields.items():
        assert name not in form["fields"]
        refused.by_s3(post_form(form, PICTURE, **{name: value}), 403, "AccessDenied")


def test_an_acl(form: dict[str, Any], refused: Refused) -> None:
    """An ACL would let anybody read or write the object."""
    grant = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    add_each(form, refused, acl="public-read-write", **{"x-amz-acl": "public-read"})
    add_each(form, refused, acl="private", **{"x-amz-grant-full-control": grant})


def test_a_storage_class(form: dict[str, Any], refused: Refused) -> None:
    """Another storage class would cost more or delay reads by hours."""
    for storage_class in ("DEEP_ARCHIVE", "STANDARD"):
        add_each(form, refused, **{"x-amz-storage-class": storage_class})


def test_a_redirect_after_the_upload(form: dict[str, Any], refused: Refused) -> None:
    """It would be an open redirect at the bucket's domain, and would send the key to the other site."""
    add_each(form, refused, success_action_redirect="https://evil.example/", redirect="https://evil.example/")
    add_each(form, refused, success_action_status="201")


def test_a_website_redirect(form: dict[str, Any], refused: Refused) -> None:
    add_each(form, refused, **{"x-amz-website-redirect-location": "https://evil.example/"})


def test_a_cache_control_field(form: dict[str, Any], refused: Refused) -> None:
    """Bytes that may still change would stay in caches."""
    add_each(form, refused, Expires="Thu, 01 Jan 2099 00:00:00 GMT", **{"Cache-Control": "max-age=31536000"})


def test_a_content_encoding_or_disposition(form: dict[str, Any], refused: Refused) -> None:
    headers = {
        "Content-Encoding": "gzip",
        "Content-Disposition": 'attachment; filename="setup.exe"',
        "Content-Language": "xx",
    }
    add_each(form, refused, **headers)


def test_additional_metadata(form: dict[str, Any], refused: Refused) -> None:
    add_each(form, refused, **{"x-amz-meta-more": "x", "x-amz-meta-": "x", "x-amz-meta-user-name": "x"})


def test_an_added_tagging_field(form: dict[str, Any], refused: Refused) -> None:
    add_each(form, refused, **{"x-amz-tagging": "Status=Live"})


def test_an_object_lock_or_an_encryption_key(form: dict[str, Any], refused: Refused) -> None:
    """The object could not be deleted, or not be read."""
    fields = {
        "x-amz-object-lock-legal-hold": "ON",
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption": "aws:kms",
    }
    add_each(form, refused, **fields)


@only_tag
def test_a_missing_or_changed_tag(user: User, refused: Refused) -> None:
    """The object would look confirmed, and no lifecycle rule would delete it."""
    form = user.presign("image/png", PICTURE).json()
    no_tags = "<Tagging><TagSet></TagSet></Tagging>"
    live = "<Tagging><TagSet><Tag><Key>Status</Key><Value>Live</Value></Tag></TagSet></Tagging>"
    both = form["fields"]["tagging"].replace("</TagSet>", "<Tag><Key>a</Key><Value>b</Value></Tag></TagSet>")
    for tagging in (None, "", no_tags, live, both):
        refused.by_s3(post_form(form, PICTURE, tagging=tagging), 403, "AccessDenied")


@only_tag
def test_a_changed_upload_token(user: User, refused: Refused) -> None:
    form = user.presign("image/png", PICTURE).json()
    for token in (None, "", "mine", form["upload_token"].swapcase()):
        refused.by_s3(post_form(form, PICTURE, **{"x-amz-meta-upload-token": token}), 403, "AccessDenied")


# Key and owner


def test_a_changed_key(form: dict[str, Any], other_user: User, refused: Refused) -> None:
    """Post to another user's avatar or upload, under another prefix, or to any other key."""
    pending = other_user.presign("image/png", PICTURE).json()["key"]
    elsewhere = [prefix + form["key"].rpartition("/")[2] for prefix in (*PENDING_PREFIXES, *PERMANENT_PREFIXES)]
    elsewhere.remove(form["key"])
    for key in (*elsewhere, other_user.avatar, pending, form["key"] + "/..", "index.html", "${filename}", "", " "):
        answer = post_form(form, PICTURE, key=key)
        refused.by_s3(answer, *((403, "AccessDenied") if key else (400, "InvalidArgument")))


def test_a_changed_username(form: dict[str, Any], other_user: User, refused: Refused) -> None:
    for name in (other_user.username, "", form["fields"]["x-amz-meta-username"].swapcase()):
        refused.by_s3(post_form(form, PICTURE, **{"x-amz-meta-username": name}), 403, "AccessDenied")


def test_a_form_with_another_users_policy(form: dict[str, Any], other_user: User, refused: Refused) -> None:
    """Both forms are signed, but the policy of one does not allow the fields of the other."""
    other = other_user.presign("image/png", PICTURE).json()["fields"]
    mixed = {name: other[name] for name in SIGNING_FIELDS}
    refused.by_s3(post_form(form, PICTURE, **mixed), 403, "AccessDenied")
    refused.by_s3(post_form(form, PICTURE, policy=other["policy"]), 403, "SignatureDoesNotMatch")
    signature = {"x-amz-signature": other["x-amz-signature"]}
    refused.by_s3(post_form(form, PICTURE, **signature), 403, "SignatureDoesNotMatch")


def test_a_form_posted_by_another_user(
    form: dict[str, Any], user: User, other_user: User, bucket: Bucket, refused: Refused, untouched: Untouched
) -> None:
    """A POST is anonymous and the form names its user, so an attacker who posts it gains nothing."""
    untouched.except_object(form["key"])
    assert post_form(form, PICTURE).status_code == 204
    assert bucket.owner(form["key"]) == user.username
    refused.by_service(other_user.confirm(form), 404, "unknown-upload")
    untouched.except_avatar(user)
    assert user.confirm(form).json()["username"] == user.username
    refused.by_service(other_user.confirm(form), 404, "unknown-upload")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


# Content type and size


def test_a_changed_content_type(form: dict[str, Any], refused: Refused) -> None:
    for content_type in (
        "text/html",
        "image/svg+xml",
        "image/jpeg",
        "image/png, text/html",
        "image/png; charset=utf-7",
        "IMAGE/PNG",
        "",
    ):
        refused.by_s3(post_form(form, PICTURE, **{"Content-Type": content_type}), 403, "AccessDenied")


def test_another_content_type_in_the_file_part(
    form: dict[str, Any], bucket: Bucket, refused: Refused, untouched: Untouched
) -> None:
    """S3 ignores the Content-Type header of the file part."""
    untouched.except_object(form["key"])
    file = ("page.html", PICTURE, "text/html")
    assert web.post(form["url"], data=form["fields"], files={"file": file}).status_code == 204
    assert bucket.head(form["key"])["ContentType"] == "image/png"
    refused.record("the form's content type is used")


def test_a_file_one_byte_too_large(user: User, refused: Refused) -> None:
    form = user.presign("image/png", PICTURE).json()
    refused.by_s3(post_form(form, PICTURE + b"x"), 400, "EntityTooLarge")


def test_a_file_one_byte_too_small(user: User, refused: Refused) -> None:
    form = user.presign("image/png", PICTURE).json()
    refused.by_s3(post_form(form, PICTURE[:-1]), 400, "EntityTooSmall")


def test_an_empty_file(user: User, refused: Refused) -> None:
    form = user.declare("image/png", 1).json()
    refused.by_s3(post_form(form, b""), 400, "EntityTooSmall")
    for size in (0, -1):
        refused.by_service(user.declare("image/png", size), 422, "empty-file")


def test_a_presign_above_the_size_limit(user: User, refused: Refused) -> None:
    for size in (5_000_001, 2**31, 2**64, 10**30):
        refused.by_service(user.declare("image/png", size), 413, "too-large")


def test_another_file_of_the_same_size(form: dict[str, Any], refused: Refused) -> None:
    """The form has the file's SHA-256, so S3 accepts only these bytes."""
    refused.by_s3(post_form(form, PICTURE[:-1] + b"x"), 400, "BadDigest")


# Expiry and signature


def test_an_expired_form(stack: Stack, user: User, strategy: str, refused: Refused) -> None:
    form = presign_as(stack, strategy, user.username, DECLARED, service="uploads", seconds=-1)
    assert form["key"].startswith(POSTED_PREFIXES[strategy])
    answer = post_form(form, PICTURE)
    refused.by_s3(answer, 403, "AccessDenied")
    assert "Policy expired" in answer.text


def test_a_form_signed_by_a_service_without_write_permission(
    stack: Stack, user: User, strategy: str, refused: Refused
) -> None:
    """The signature is valid, but the form has only the permissions of its signer."""
    for service in ("frontend", "auth"):
        form = presign_as(stack, strategy, user.username, DECLARED, service=service, seconds=300)
        refused.by_s3(post_form(form, PICTURE), 403, "AccessDenied")


def test_a_form_with_another_signing_date(form: dict[str, Any], refused: Refused) -> None:
    """A later signing date in `x-amz-date` and in the credential scope."""
    access_key, _, *scope = form["fields"]["x-amz-credential"].split("/")
    later = {"x-amz-date": "20990101T000000Z", "x-amz-credential": "/".join([access_key, "20990101", *scope])}
    refused.by_s3(post_form(form, PICTURE, **later), 403, "SignatureDoesNotMatch")


def test_a_rewritten_policy(form: dict[str, Any], refused: Refused) -> None:
    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    widened: list[dict[str, Any]] = [
        policy | {"expiration": "2099-01-01T00:00:00Z"},
        policy | {"conditions": [["starts-with", f"${name}", ""] for name in form["fields"]]},
        {"expiration": "2099-01-01T00:00:00Z", "conditions": []},
        {},
    ]
    for other in widened:
        encoded = base64.b64encode(json.dumps(other).encode()).decode()
        refused.by_s3(post_form(form, PICTURE, policy=encoded), 403, "SignatureDoesNotMatch")


def test_a_wrong_signature(form: dict[str, Any], refused: Refused) -> None:
    right = form["fields"]["x-amz-signature"]
    for signature in ("0" * 64, right[::-1], right.upper(), right + right, "x"):
        refused.by_s3(post_form(form, PICTURE, **{"x-amz-signature": signature}), 403, "SignatureDoesNotMatch")


def test_no_signature(form: dict[str, Any], refused: Refused) -> None:
    """An anonymous POST, with the policy and without it."""
    bare = dict.fromkeys(SIGNING_FIELDS)
    refused.by_s3(post_form(form, PICTURE, **bare), 403, "AccessDenied")
    refused.by_s3(post_form(form, PICTURE, **{**bare, "policy": form["fields"]["policy"]}), 403, "AccessDenied")


def test_a_signature_of_version_2(form: dict[str, Any], refused: Refused) -> None:
    """Signature V2 contains no region and no date. The access key id is visible in every form."""
    fields = dict.fromkeys(SIGNING_FIELDS[1:])
    access_key = form["fields"]["x-amz-credential"].partition("/")[0]
    for signature in ("", base64.b64encode(bytes(20)).decode()):
        answer = post_form(form, PICTURE, **fields, AWSAccessKeyId=access_key, signature=signature)
        refused.by_s3(answer, 400, "InvalidRequest")
        refused.by_s3(post_form(form, PICTURE, AWSAccessKeyId=access_key, signature=signature), 400, "InvalidRequest")


def test_a_second_authorization(form: dict[str, Any], user: User, refused: Refused) -> None:
    """The user's own token or another scheme, in addition to the form. A client must not send its token to S3."""
    for authorization in (user.http.headers["Authorization"], "Bearer x", "Basic YTpi", ""):
        headers = {"Authorization": authorization}
        answer = web.post(form["url"], data=form["fields"], files={"file": PICTURE}, headers=headers)
        refused.by_s3(answer, 400, "InvalidArgument")


# The body


def test_two_files(form: dict[str, Any], refused: Refused) -> None:
    """The checks could read one file and the bucket store the other."""
    files = [("file", PICTURE), ("file", PICTURE[::-1])]
    for both in (files, files[::-1]):
        answer = web.post(form["url"], data=form["fields"], files=both)
        refused.by_s3(answer, 400, "InvalidArgument")


def test_an_incomplete_body(form: dict[str, Any], refused: Refused) -> None:
    request = httpx2.Request("POST", form["url"], data=form["fields"], files={"file": PICTURE})
    body, headers = request.read(), {"Content-Type": request.headers["Content-Type"]}
    for length in (len(body) - 4, len(body) - 60, len(body) // 2, 100, 0):
        answer = web.post(form["url"], content=body[:length], headers=headers)
        refused.by_s3(answer, 400, "MalformedPOSTRequest")


def test_fields_of_more_than_20_kilobytes(form: dict[str, Any], refused: Refused) -> None:
    """A policy does not need to name fields whose name begins with `x-ignore-`."""
    answer = post_form(form, PICTURE, **{"x-ignore-a": "x" * 20_480})
    refused.by_s3(answer, 400, "MaxPostPreDataLengthExceeded")


# Repeated posts


def test_a_form_posted_many_times(user: User, bucket: Bucket, refused: Refused, untouched: Untouched) -> None:
    """Many concurrent POSTs make one object, and the confirm makes one avatar."""
    form = user.presign("image/png", PICTURE).json()
    untouched.except_object(form["key"])
    with ThreadPoolExecutor(8) as threads:
        assert {answer.status_code for answer in threads.map(partial(post_form, form), [PICTURE] * 20)} == {204}
    assert sorted(bucket.keys(user.username)) == sorted([form["key"], user.avatar or ""])
    untouched.except_avatar(user)
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == PICTURE
    refused.record("one object, one avatar")
