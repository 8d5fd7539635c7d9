"""Attacks at the confirm."""

from __future__ import annotations

import hashlib
import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import uuid_utils

from services.store.kinds import AVATAR, KINDS, Kind
from services.store.table import Value
from services.uploads.bucket import BLANK
from services.uploads.strategies import STRATEGIES
from services.web.callers.identity import Audience
from tests.conftest import POSTED_PREFIXES, only_prefix, only_tag, post_form
from tests.eventually import eventually
from tests.pictures import make_picture
from tests.rows import every_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User
    from tests.security.conftest import Refused, Untouched
    from tests.security.in_process_service import InProcessService

PICTURE = make_picture()
MARKUP = b"<!doctype html><script>alert(1)</script>".ljust(len(PICTURE))
OTHER_STRATEGY_PREFIXES = {"prefix": AVATAR.permanent_prefix, "tag": AVATAR.pending_prefix}


@pytest.fixture
def unconfirmed(user: User, untouched: Untouched) -> dict[str, Any]:
    """The victim's upload, which is posted and not confirmed."""
    form = user.upload_unconfirmed("image/png", PICTURE)
    untouched.except_object(form["key"])
    return form


@pytest.fixture
def confirmed(user: User, bucket: Bucket, untouched: Untouched) -> dict[str, Any]:
    """The form of the user's avatar. It is still valid."""
    form = user.upload_unconfirmed("image/png", PICTURE)
    untouched.except_avatar(user)
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    return form


def send_token(form: dict[str, Any]) -> dict[str, Any]:
    return {name: form[name] for name in form.keys() & {"upload_token"}}


def check_still_pending(bucket: Bucket, form: dict[str, Any], strategy: str) -> None:
    """Assert that the object is still at its posted key and that its lifecycle rule still applies."""
    assert f'rule-id="pending-{strategy}"' in bucket.head(form["key"])["Expiration"]
    assert bucket.read(form["key"]) == PICTURE


# Another user's upload


def test_another_users_pending_key(
    user: User, other_user: User, unconfirmed: dict[str, Any], bucket: Bucket, strategy: str, refused: Refused
) -> None:
    """The response is the same as for a key that was never posted."""
    problem = refused.by_service(other_user.confirm(unconfirmed), 404, "unknown-upload")
    never = other_user.declare("image/png", 100).json()
    assert refused.by_service(other_user.confirm(never), 404, "unknown-upload") == problem
    check_still_pending(bucket, unconfirmed, strategy)
    assert user.avatar != unconfirmed["key"]


def test_a_guessed_key(other_user: User, unconfirmed: dict[str, Any], strategy: str, refused: Refused) -> None:
    """A similar key, a random key, and the right key without its upload token."""
    near = unconfirmed["key"][:-1] + ("0" if unconfirmed["key"][-1] != "0" else "1")
    for key in (
        near,
        POSTED_PREFIXES[strategy] + str(uuid_utils.uuid7(nanoseconds=time.time_ns())),
        unconfirmed["key"],
    ):
        for more in ({}, {"upload_token": ""}, {"upload_token": "a guess"}):
            refused.by_service(other_user.confirm(key, **more), 404, "unknown-upload")


def test_another_username_in_the_request(
    user: User, other_user: User, unconfirmed: dict[str, Any], refused: Refused
) -> None:
    """The caller is the access token's subject. Nothing else in the request can name the caller."""
    for field in ("username", "user", "x-amz-meta-username", "avatar"):
        answer = other_user.confirm(unconfirmed, **{field: user.username})
        refused.by_service(answer, 400, "invalid-request")
    body = {"key": unconfirmed["key"], **send_token(unconfirmed)}
    for headers, problem in (
        ({"Cookie": f"username={user.username}"}, (404, "unknown-upload")),
        ({"X-Username": user.username}, (409, "other-user")),
        ({"X-Username": other_user.username}, (404, "unknown-upload")),
    ):
        answer = other_user.http.post(f"/uploads/confirm?username={user.username}", json=body, headers=headers)
        refused.by_service(answer, *problem)


def test_another_users_avatar_key(
    user: User, other_user: User, confirmed: dict[str, Any], bucket: Bucket, strategy: str, refused: Refused
) -> None:
    avatar = user.avatar or ""
    before = bucket.head(avatar)["LastModified"]
    refused.by_service(other_user.confirm(confirmed), 404, "unknown-upload")
    answer = other_user.confirm(avatar, **send_token(confirmed))
    refused.by_service(answer, *((409, "other-strategy") if strategy == "prefix" else (404, "unknown-upload")))
    assert (user.avatar, bucket.read(avatar), bucket.head(avatar)["LastModified"]) == (avatar, PICTURE, before)


def test_a_seeded_picture(user: User, other_user: User, strategy: str, refused: Refused) -> None:
    """Seeded avatars, the user's own and another's, were never posted with a form."""
    for picture in (other_user.avatar or "", user.avatar or ""):
        refused.by_service(
            user.confirm(picture, upload_token=""),
            *((409, "other-strategy") if strategy == "prefix" else (404, "unknown-upload")),
        )
    upload_id = (other_user.avatar or "").rpartition("/")[2]
    answer = user.confirm(POSTED_PREFIXES[strategy] + upload_id, upload_token="")
    refused.by_service(answer, 404, "unknown-upload")


# Another kind of upload


@every_kind
def test_an_upload_of_another_kind(
    user: User, bucket: Bucket, strategy: str, kind: Kind, refused: Refused, untouched: Untouched
) -> None:
    """The prefix of the key decides the kind. The id is unknown under the prefixes of any other kind."""
    form = user.upload_unconfirmed("image/png", PICTURE, kind)
    untouched.except_object(form["key"])
    upload_id = form["key"].rpartition("/")[2]
    for other in (other for other in KINDS.values() if other != kind):
        posted = STRATEGIES[strategy].posted_prefix(other)
        for prefix in (other.pending_prefix, other.permanent_prefix):
            answer = user.confirm(prefix + upload_id, **send_token(form))
            refused.by_service(answer, *((404, "unknown-upload") if prefix == posted else (409, "other-strategy")))
        refused.by_service(user.confirm(form, kind=other.name), 400, "invalid-request")
    assert bucket.read(form["key"]) == PICTURE


@every_kind
def test_a_confirmed_upload_of_another_kind(
    user: User, bucket: Bucket, strategy: str, kind: Kind, refused: Refused, untouched: Untouched
) -> None:
    """A permanent key of one kind becomes no value of another kind, and its own kind is the only one that changes."""
    before = {other.name: user.find_value(other) for other in KINDS.values()}
    form = user.upload_unconfirmed("image/png", PICTURE, kind)
    untouched.except_avatar(user)
    key: str = user.confirm(form).raise_for_status().json()["key"]
    untouched.except_object(key)
    for other in (other for other in KINDS.values() if other != kind):
        answer = user.confirm(other.permanent_prefix + key.rpartition("/")[2], **send_token(form))
        refused.by_service(answer, *((409, "other-strategy") if strategy == "prefix" else (404, "unknown-upload")))
    after = {other.name: user.find_value(other) for other in KINDS.values()}
    assert after == before | {kind.name: Value(key, None)}
    assert bucket.read(key) == PICTURE


# Missing or wrong credentials


def test_a_request_without_a_login(
    user: User, http: httpx2.Client, unconfirmed: dict[str, Any], bucket: Bucket, strategy: str, refused: Refused
) -> None:
    """Confirm a pending key with values that do not authenticate anybody. The upload stays pending."""
    body = {"key": unconfirmed["key"], **send_token(unconfirmed)}
    forged: list[dict[str, str]] = [
        {},
        {"Cookie": f"username={user.username}"},
        {"Cookie": f"{Audience(str(http.base_url)).cookie}={user.username}", "Origin": str(http.base_url)},
        {"Authorization": f"Bearer {user.username}"},
        {"Authorization": f"Basic {user.username}"},
    ]
    for headers in forged:
        refused.by_service(http.post("/uploads/confirm", json=body, headers=headers), 401, "not-logged-in")
    check_still_pending(bucket, unconfirmed, strategy)


@only_tag
def test_a_wrong_upload_token(user: User, unconfirmed: dict[str, Any], bucket: Bucket, refused: Refused) -> None:
    """The right user with a wrong token is refused too, since another page or tab may know only the key."""
    second = user.presign("image/png", PICTURE).json()["upload_token"]
    for token in (
        None,
        "",
        "guess",
        "ü",
        second,
        unconfirmed["upload_token"] + "x",
        unconfirmed["upload_token"].lower(),
    ):
        refused.by_service(user.confirm(unconfirmed, upload_token=token), 404, "unknown-upload")
    check_still_pending(bucket, unconfirmed, "tag")


@only_tag
def test_an_upload_token_in_the_inspector(
    user: User, unconfirmed: dict[str, Any], bucket: Bucket, refused: Refused
) -> None:
    """Everybody can read the inspector and the page, and the metadata of a picture. They have the token's hash only."""
    token = unconfirmed["upload_token"]
    stored = bucket.head(unconfirmed["key"])["Metadata"]["upload-token"]
    assert stored == hashlib.sha256(token.encode()).hexdigest()
    answers = [user.http.get("/inspector/objects"), user.http.get("/")]
    shown = next(entry for entry in answers[0].json()["objects"] if entry["key"] == unconfirmed["key"])
    assert shown["metadata"]["upload-token"] == stored
    for answer in answers:
        assert unconfirmed["key"] in answer.text
        assert token not in answer.text
    refused.by_service(user.confirm(unconfirmed, upload_token=stored), 404, "unknown-upload")


# Other spellings of the key


def refuse_spellings(
    owner: User, attacker: User, form: dict[str, Any], spellings: list[str], refused: Refused, subtests: pytest.Subtests
) -> None:
    """Confirm with other spellings of a key. Each is refused, for the owner and for the attacker."""
    key = form["key"]
    prefix, _, upload_id = key.partition("/")
    for spelling in spellings:
        wrong = spelling.replace("{key}", key).replace("{prefix}", prefix).replace("{id}", upload_id)
        assert wrong != key
        with subtests.test(wrong):
            for caller in (owner, attacker):
                refused.by_service(caller.confirm(wrong, **send_token(form)), 404, "unknown-upload")


def test_a_key_with_dots(
    user: User, other_user: User, unconfirmed: dict[str, Any], refused: Refused, subtests: pytest.Subtests
) -> None:
    spellings = [
        "../{key}",
        "./{key}",
        "/{key}",
        "//{key}",
        "{prefix}//{id}",
        "{prefix}/./{id}",
        "{prefix}/../{key}",
        f"{AVATAR.pending_prefix}../{AVATAR.permanent_prefix}{{id}}",
        f"{AVATAR.permanent_prefix}../{AVATAR.pending_prefix}{{id}}",
        "{key}/",
        "{key}/.",
        "{key}/../{id}",
        "..",
        "",
    ]
    refuse_spellings(user, other_user, unconfirmed, spellings, refused, subtests)


def test_a_key_under_another_prefix(
    user: User,
    other_user: User,
    unconfirmed: dict[str, Any],
    stack: Stack,
    strategy: str,
    refused: Refused,
    subtests: pytest.Subtests,
) -> None:
    bucket = stack.resources.bucket
    spellings = [
        "{id}",
        "{prefix}",
        "{prefix}/",
        "{prefix}{id}",
        "{prefix}/{key}",
        "uploads/{id}",
        "avatar/{id}",
        f"{AVATAR.pending_prefix.upper()}{{id}}",
        f"{AVATAR.permanent_prefix.capitalize()}{{id}}",
        f"{bucket}/{{key}}",
        f"s3://{bucket}/{{key}}",
        f"arn:aws:s3:::{bucket}/{{key}}",
        unconfirmed["url"] + "/{key}",
        "{key}?versionId=null",
    ]
    refuse_spellings(user, other_user, unconfirmed, spellings, refused, subtests)
    other = OTHER_STRATEGY_PREFIXES[strategy] + unconfirmed["key"].rpartition("/")[2]
    for attacker in (user, other_user):
        refused.by_service(attacker.confirm(other, **send_token(unconfirmed)), 409, "other-strategy")


def test_an_encoded_key(
    user: User, other_user: User, unconfirmed: dict[str, Any], refused: Refused, subtests: pytest.Subtests
) -> None:
    key = unconfirmed["key"]
    spellings = [
        quote(key, safe=""),
        quote(quote(key, safe=""), safe=""),
        "{prefix}/%30{id}",
        "{prefix}/%2e%2e/{key}",
        "{prefix}%5c{id}",
        "{prefix}\\{id}",
        "{key}%00",
        "{key}%0a",
        "".join(f"%{byte:02x}" for byte in key.encode()),
        "".join(f"&#{byte};" for byte in key.encode()),
        "{prefix}/{{id}}",
        "{prefix}/urn:uuid:{id}",
        "{prefix}/" + key.rpartition("/")[2].replace("-", ""),
    ]
    refuse_spellings(user, other_user, unconfirmed, spellings, refused, subtests)


def test_a_key_with_lookalike_characters(
    user: User, other_user: User, unconfirmed: dict[str, Any], refused: Refused, subtests: pytest.Subtests
) -> None:
    """Unicode strings that normalise to the key or are displayed like it."""
    upload_id = unconfirmed["key"].rpartition("/")[2]
    wide = "".join(chr(ord(each) + 0xFEE0) for each in upload_id)
    arabic = re.sub(r"\d", lambda digit: chr(0x660 + int(digit[0])), upload_id)
    spellings = [
        "{prefix}\N{FULLWIDTH SOLIDUS}{id}",
        "{prefix}\N{DIVISION SLASH}{id}",
        "{prefix}/" + wide,
        "{prefix}/" + arabic,
        "{prefix}/" + upload_id.upper(),
        "{prefix}/" + upload_id.replace("-", "\N{NON-BREAKING HYPHEN}"),
        unconfirmed["key"].replace("a", "\N{CYRILLIC SMALL LETTER A}").replace("e", "\N{CYRILLIC SMALL LETTER IE}"),
        "{key}\N{ZERO WIDTH SPACE}",
        "\N{ZERO WIDTH NO-BREAK SPACE}{key}",
        "\N{RIGHT-TO-LEFT OVERRIDE}{key}",
        "{key}\N{COMBINING ACUTE ACCENT}",
        "{key}\0",
        "{key}\0.png",
        "{key}\n",
        "{key} ",
        " {key}",
        "\t{key}",
        "{key}\x85",
    ]
    refuse_spellings(user, other_user, unconfirmed, spellings, refused, subtests)


# Superseded and expired uploads


def test_an_older_upload_of_the_same_user(user: User, bucket: Bucket, refused: Refused, untouched: Untouched) -> None:
    """A picture that a later one replaced can't become the avatar again."""
    older, avatar = (user.upload_unconfirmed("image/png", make_picture(seed=seed)) for seed in (1, 2))
    untouched.except_avatar(user)
    assert user.confirm(avatar).status_code == 200
    for _ in range(2):
        refused.by_service(user.confirm(older), 409, "superseded")
    later = user.upload_unconfirmed("image/png", make_picture(seed=3))
    assert user.confirm(later).status_code == 200
    refused.by_service(user.confirm(avatar), 409, "superseded")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == make_picture(seed=3)


def test_an_older_upload_posted_again(user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused) -> None:
    """The form is still valid and creates the object again, but the confirm is refused."""
    later = user.upload_unconfirmed("image/png", make_picture(seed=2))
    assert user.confirm(later).status_code == 200
    avatar = user.avatar
    eventually(lambda: bucket.keys(user.username) == [avatar])
    assert post_form(confirmed, PICTURE).status_code == 204
    refused.by_service(user.confirm(confirmed), 409, "superseded")
    assert user.avatar == avatar
    eventually(lambda: bucket.keys(user.username) == [avatar])


def test_a_confirm_after_the_window(
    user: User,
    unconfirmed: dict[str, Any],
    in_process_service: InProcessService,
    bucket: Bucket,
    strategy: str,
    refused: Refused,
) -> None:
    """The confirm window is an hour, from the time in the upload's id."""
    for seconds in (3601, 10 * 3600):
        in_process_service.seconds_ahead = seconds
        refused.by_service(in_process_service.confirm(user, unconfirmed), 410, "expired")
    check_still_pending(bucket, unconfirmed, strategy)


def test_a_repeated_confirm_after_the_window(
    user: User,
    other_user: User,
    confirmed: dict[str, Any],
    in_process_service: InProcessService,
    bucket: Bucket,
    refused: Refused,
) -> None:
    """The repeat has no effect while the upload is the avatar, and is refused afterwards."""
    avatar, written = user.avatar, bucket.head(user.avatar or "")["LastModified"]
    in_process_service.seconds_ahead = 10 * 3600
    assert in_process_service.confirm(user, confirmed).json() == user.make_confirmation(avatar or "")
    assert (user.avatar, bucket.head(avatar or "")["LastModified"]) == (avatar, written)
    refused.by_service(in_process_service.confirm(other_user, confirmed), 410, "expired")
    later = user.upload_unconfirmed("image/png", make_picture(seed=2))
    assert user.confirm(later).status_code == 200
    refused.by_service(in_process_service.confirm(user, confirmed), 409, "superseded")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


# Concurrent confirms


def call_at_once(*calls: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
    barrier = Barrier(len(calls))

    def run(call: Callable[[], httpx2.Response]) -> httpx2.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def test_the_same_confirm_many_times_at_once(
    user: User, unconfirmed: dict[str, Any], bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    untouched.except_avatar(user)
    answers = call_at_once(*[partial(user.confirm, unconfirmed)] * 8)
    expected = user.make_confirmation(unconfirmed["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix))
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, expected)] * 8
    assert user.avatar == expected["avatar"]
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == PICTURE
    refused.record("the effect of one confirm")


def test_owner_and_attacker_at_once(
    user: User, other_user: User, unconfirmed: dict[str, Any], bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    untouched.except_avatar(user)
    owners, attackers = [partial(user.confirm, unconfirmed)] * 4, [partial(other_user.confirm, unconfirmed)] * 4
    answers = call_at_once(*owners, *attackers)
    assert {answer.status_code for answer in answers[:4]} == {200}
    for answer in answers[4:]:
        refused.by_service(answer, 404, "unknown-upload")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


def test_an_older_upload_while_a_later_one_is_confirmed(
    user: User,
    unconfirmed: dict[str, Any],
    in_process_service: InProcessService,
    bucket: Bucket,
    untouched: Untouched,
    refused: Refused,
) -> None:
    """The later confirm runs after the older one's check. The row keeps the later avatar."""
    later = user.upload_unconfirmed("image/png", make_picture(seed=2))
    in_process_service.before_copy = lambda: user.confirm(later).raise_for_status()
    untouched.except_avatar(user)
    refused.by_service(in_process_service.confirm(user, unconfirmed), 409, "superseded")
    assert user.avatar == later["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == make_picture(seed=2)


def test_several_uploads_at_once(user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> None:
    """The latest upload becomes the avatar in any order of confirms, and the others are deleted."""
    forms = [user.upload_unconfirmed("image/png", make_picture(seed=seed)) for seed in range(4)]
    untouched.except_avatar(user)
    answers = call_at_once(*(partial(user.confirm, form) for form in forms))
    assert answers[-1].status_code == 200
    for answer in answers[:-1]:
        if answer.status_code != 200:
            refused.by_service(answer, 409, "superseded")
    assert user.avatar == forms[-1]["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == make_picture(seed=3)
    refused.record("the latest upload stays")


# An object that changes after its check


def test_an_object_replaced_between_check_and_copy(
    user: User, unconfirmed: dict[str, Any], in_process_service: InProcessService, bucket: Bucket, refused: Refused
) -> None:
    """Another picture takes the place of the checked one. The copy is conditional on the ETag and fails."""
    other = make_picture(seed=2).ljust(len(PICTURE), b"\0")
    in_process_service.before_copy = lambda: bucket.post_unchecked(unconfirmed, other)
    refused.by_service(in_process_service.confirm(user, unconfirmed), 422, "digest-mismatch")
    assert in_process_service.copies == 1
    assert bucket.read(unconfirmed["key"]) == other
    assert "Expiration" in bucket.head(unconfirmed["key"])


def test_a_picture_with_the_same_etag_between_check_and_copy(
    user: User,
    unconfirmed: dict[str, Any],
    in_process_service: InProcessService,
    bucket: Bucket,
    refused: Refused,
    untouched: Untouched,
) -> None:
    """Under SSE-S3 an ETag is an MD5 digest, for which two pictures can be made. The copy's SHA-256 differs."""
    in_process_service.etags_collide = True
    other = make_picture(size=(1, 1))
    in_process_service.before_copy = lambda: bucket.post_unchecked(unconfirmed, other)
    untouched.except_object(unconfirmed["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix))
    avatar = user.avatar
    for _ in range(2):
        refused.by_service(in_process_service.confirm(user, unconfirmed), 422, "digest-mismatch")
    assert user.avatar == avatar
    # The form is valid, but its upload is spoilt: the sweep deletes what remains.
    for key in bucket.keys(user.username):
        assert bucket.read(key) in {other, BLANK.read_bytes()} or key == avatar


def test_a_picture_with_the_same_etag_over_the_avatar(
    user: User,
    unconfirmed: dict[str, Any],
    in_process_service: InProcessService,
    bucket: Bucket,
    refused: Refused,
    untouched: Untouched,
) -> None:
    """Of two concurrent confirms the second one has checked the picture too, and copies other bytes when the first one
    is done. Under `prefix` no copy overwrites another; under `tag` a blank picture takes the place of the other bytes.
    """
    in_process_service.etags_collide = True
    other = make_picture(size=(1, 1))
    untouched.except_avatar(user)

    def confirm_and_replace() -> None:
        user.confirm(unconfirmed).raise_for_status()
        eventually(lambda: bucket.keys(user.username) == [user.avatar])
        bucket.post_unchecked(unconfirmed, other)

    in_process_service.before_copy = confirm_and_replace
    answer = in_process_service.confirm(user, unconfirmed)
    if answer.status_code == 200:
        assert bucket.read(user.avatar or "") == PICTURE
        refused.record("the avatar is unchanged")
    else:
        refused.by_service(answer, 422, "digest-mismatch")
        assert bucket.read(user.avatar or "") == BLANK.read_bytes()
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


# The same form after the confirm


def test_the_same_form_and_confirm_again(
    user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused
) -> None:
    """The avatar stays, and no lifecycle rule applies to it."""
    avatar = user.avatar or ""
    for _ in range(2):
        assert post_form(confirmed, PICTURE).status_code == 204
        assert user.confirm(confirmed).json() == user.make_confirmation(avatar or "")
        eventually(lambda: bucket.keys(user.username) == [avatar])
        assert (user.avatar, bucket.read(avatar)) == (avatar, PICTURE)
        assert "Expiration" not in bucket.head(avatar)
    # Repeated confirms without a POST: each finds the pending object deleted after the response of the one before.
    for _ in range(4):
        assert user.confirm(confirmed).json() == user.make_confirmation(avatar or "")
    assert bucket.read(avatar) == PICTURE
    refused.record("the avatar stays")


@only_prefix
def test_markup_posted_after_the_confirm_under_prefix(
    user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused
) -> None:
    """A form never allows the key of an avatar."""
    avatar = user.avatar or ""
    before = bucket.head(avatar)
    bucket.post_unchecked(confirmed, MARKUP)
    assert user.confirm(confirmed).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [avatar])
    after = bucket.head(avatar)
    assert {**after, "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}
    assert bucket.read(avatar) == PICTURE
    refused.record("the avatar is unchanged")


@only_tag
def test_markup_posted_after_the_confirm_under_tag(
    user: User, other_user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused
) -> None:
    """The markup replaces the avatar until the user repeats the confirm or the sweep runs. Both replace it with a blank
    picture.
    """
    avatar = user.avatar or ""
    bucket.post_unchecked(confirmed, MARKUP)
    assert bucket.head(avatar)["ContentType"] == "image/png"
    for attacker, token in ((other_user, confirmed["upload_token"]), (user, "a guess")):
        refused.by_service(attacker.confirm(avatar, upload_token=token), 404, "unknown-upload")
    assert "pending-tag" in bucket.head(avatar)["Expiration"]
    refused.by_service(user.confirm(confirmed), 422, "digest-mismatch")
    assert bucket.keys(user.username) == [avatar]
    assert bucket.read(avatar).startswith(b"\x89PNG")
    assert "Expiration" not in bucket.head(avatar)
    assert user.avatar == avatar
