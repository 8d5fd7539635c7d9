"""What may be tried at the confirm."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pytest
import uuid_utils

from tests.conftest import WAITS_UNDER, only_prefix, only_tag, post_form
from tests.eventually import eventually
from tests.pictures import make_picture
from tests.security.own_service import OwnService, run_own_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User
    from tests.security.conftest import Refused, Untouched

PICTURE = make_picture()
MARKUP = b"<!doctype html><script>alert(1)</script>".ljust(len(PICTURE))
OTHER_STRATEGY = {"prefix": "avatars/", "tag": "pending/"}


@pytest.fixture(scope="session")
def running_service(stack: Stack, strategy: Literal["prefix", "tag"]) -> Iterator[OwnService]:
    with run_own_service(stack, strategy) as own:
        yield own


@pytest.fixture
def own_service(running_service: OwnService) -> Iterator[OwnService]:
    yield running_service
    running_service.seconds_ahead = 0
    running_service.before_copy = lambda: None
    running_service.copies = 0


@pytest.fixture
def foreign(user: User, untouched: Untouched) -> dict[str, Any]:
    """An upload of the victim's that is posted and waits for its confirm."""
    form = user.put_up("image/png", PICTURE)
    untouched.but_for_object(form["key"])
    return form


@pytest.fixture
def confirmed(user: User, bucket: Bucket, untouched: Untouched) -> dict[str, Any]:
    """The form of the user's avatar, which it is good for a while longer."""
    form = user.put_up("image/png", PICTURE)
    untouched.but_for_avatar(user)
    assert user.confirm(form).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    return form


def send_token(form: dict[str, Any]) -> dict[str, Any]:
    return {name: form[name] for name in form.keys() & {"upload_token"}}


def check_waits(bucket: Bucket, form: dict[str, Any], strategy: str) -> None:
    """It is where it was posted to, and its lifecycle rule still deletes it."""
    assert f'rule-id="pending-{strategy}"' in bucket.head(form["key"])["Expiration"]
    assert bucket.read(form["key"]) == PICTURE


# Another's upload


def test_a_foreign_key(
    user: User, other_user: User, foreign: dict[str, Any], bucket: Bucket, strategy: str, refused: Refused
) -> None:
    """The two know of the upload, and one of them has signed for it. It looks like one that never was."""
    problem = refused.by_service(other_user.confirm(foreign), 404, "unknown-upload")
    never = other_user.presign("image/png", 100).json()
    assert refused.by_service(other_user.confirm(never), 404, "unknown-upload") == problem
    check_waits(bucket, foreign, strategy)
    assert user.avatar != foreign["key"]


def test_a_guessed_key(other_user: User, foreign: dict[str, Any], strategy: str, refused: Refused) -> None:
    """A near one, a random one, and the right one with nothing to prove it."""
    near = foreign["key"][:-1] + ("0" if foreign["key"][-1] != "0" else "1")
    for key in (near, WAITS_UNDER[strategy] + str(uuid_utils.uuid7(nanoseconds=time.time_ns())), foreign["key"]):
        for more in ({}, {"upload_token": ""}, {"upload_token": "a guess"}):
            refused.by_service(other_user.confirm(key, **more), 404, "unknown-upload")


def test_in_anothers_name(user: User, other_user: User, foreign: dict[str, Any], refused: Refused) -> None:
    """Who confirms is what the token says, and there is no other way to say it."""
    for field in ("username", "user", "x-amz-meta-username", "avatar"):
        answer = other_user.confirm(foreign, **{field: user.username})
        refused.by_service(answer, 400, "invalid-request")
    headers = {"X-Username": user.username, "Cookie": f"username={user.username}"}
    body = {"key": foreign["key"], **send_token(foreign)}
    answer = other_user.http.post(f"/uploads/confirm?username={user.username}", json=body, headers=headers)
    refused.by_service(answer, 404, "unknown-upload")


def test_a_permanent_object_of_another_user(
    user: User, other_user: User, confirmed: dict[str, Any], bucket: Bucket, strategy: str, refused: Refused
) -> None:
    avatar = user.avatar or ""
    before = bucket.head(avatar)["LastModified"]
    refused.by_service(other_user.confirm(confirmed), 404, "unknown-upload")
    answer = other_user.confirm(avatar, **send_token(confirmed))
    refused.by_service(answer, *((409, "other-strategy") if strategy == "prefix" else (404, "unknown-upload")))
    assert (user.avatar, bucket.read(avatar), bucket.head(avatar)["LastModified"]) == (avatar, PICTURE, before)


def test_a_seeded_picture(user: User, other_user: User, strategy: str, refused: Refused) -> None:
    """It was never posted with a form: neither another's nor one's own."""
    for picture in (other_user.avatar or "", user.avatar or ""):
        refused.by_service(
            user.confirm(picture, upload_token=""),
            *((409, "other-strategy") if strategy == "prefix" else (404, "unknown-upload")),
        )
    upload_id = (other_user.avatar or "").rpartition("/")[2]
    answer = user.confirm(WAITS_UNDER[strategy] + upload_id, upload_token="")
    refused.by_service(answer, 404, "unknown-upload")


# Without proof


def test_no_login(
    user: User, http: httpx2.Client, foreign: dict[str, Any], bucket: Bucket, strategy: str, refused: Refused
) -> None:
    """Of a key that is pending, with all that nobody checks: it stays pending."""
    body = {"key": foreign["key"], **send_token(foreign)}
    forged: list[dict[str, str]] = [
        {},
        {"Cookie": f"username={user.username}"},
        {"Cookie": f"session={user.username}", "Origin": str(http.base_url)},
        {"Authorization": f"Bearer {user.username}"},
        {"Authorization": f"Basic {user.username}"},
    ]
    for headers in forged:
        refused.by_service(http.post("/uploads/confirm", json=body, headers=headers), 401, "not-logged-in")
    check_waits(bucket, foreign, strategy)


@only_tag
def test_another_upload_token(user: User, foreign: dict[str, Any], bucket: Bucket, refused: Refused) -> None:
    """Even of one's own upload: it may be a page of another site, or another tab, that knows its key alone."""
    second = user.presign("image/png", len(PICTURE)).json()["upload_token"]
    for token in (None, "", "guess", "ü", second, foreign["upload_token"] + "x", foreign["upload_token"].lower()):
        refused.by_service(user.confirm(foreign, upload_token=token), 404, "unknown-upload")
    check_waits(bucket, foreign, "tag")


# Other spellings of the key


def refuse_spellings(
    owner: User, thief: User, form: dict[str, Any], spellings: list[str], refused: Refused, subtests: pytest.Subtests
) -> None:
    """An upload has one key, for its owner as for everybody else. Each spelling has the key, its prefix, or its id."""
    key = form["key"]
    prefix, _, upload_id = key.partition("/")
    for spelling in spellings:
        wrong = spelling.replace("{key}", key).replace("{prefix}", prefix).replace("{id}", upload_id)
        assert wrong != key
        with subtests.test(wrong):
            for attacker in (owner, thief):
                refused.by_service(attacker.confirm(wrong, **send_token(form)), 404, "unknown-upload")


def test_a_key_with_dots(
    user: User, other_user: User, foreign: dict[str, Any], refused: Refused, subtests: pytest.Subtests
) -> None:
    spellings = [
        "../{key}",
        "./{key}",
        "/{key}",
        "//{key}",
        "{prefix}//{id}",
        "{prefix}/./{id}",
        "{prefix}/../{key}",
        "pending/../avatars/{id}",
        "avatars/../pending/{id}",
        "{key}/",
        "{key}/.",
        "{key}/../{id}",
        "..",
        "",
    ]
    refuse_spellings(user, other_user, foreign, spellings, refused, subtests)


def test_another_prefix(
    user: User,
    other_user: User,
    foreign: dict[str, Any],
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
        "PENDING/{id}",
        "Avatars/{id}",
        f"{bucket}/{{key}}",
        f"s3://{bucket}/{{key}}",
        f"arn:aws:s3:::{bucket}/{{key}}",
        foreign["url"] + "/{key}",
        "{key}?versionId=null",
    ]
    refuse_spellings(user, other_user, foreign, spellings, refused, subtests)
    other = OTHER_STRATEGY[strategy] + foreign["key"].rpartition("/")[2]
    for attacker in (user, other_user):
        refused.by_service(attacker.confirm(other, **send_token(foreign)), 409, "other-strategy")


def test_an_encoded_key(
    user: User, other_user: User, foreign: dict[str, Any], refused: Refused, subtests: pytest.Subtests
) -> None:
    key = foreign["key"]
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
    refuse_spellings(user, other_user, foreign, spellings, refused, subtests)


def test_a_key_that_looks_like_it(
    user: User, other_user: User, foreign: dict[str, Any], refused: Refused, subtests: pytest.Subtests
) -> None:
    """In Unicode: what normalises to the key, or shows like it."""
    upload_id = foreign["key"].rpartition("/")[2]
    wide = "".join(chr(ord(each) + 0xFEE0) for each in upload_id)
    arabic = re.sub(r"\d", lambda digit: chr(0x660 + int(digit[0])), upload_id)
    spellings = [
        "{prefix}\N{FULLWIDTH SOLIDUS}{id}",
        "{prefix}\N{DIVISION SLASH}{id}",
        "{prefix}/" + wide,
        "{prefix}/" + arabic,
        "{prefix}/" + upload_id.upper(),
        "{prefix}/" + upload_id.replace("-", "\N{NON-BREAKING HYPHEN}"),
        foreign["key"].replace("a", "\N{CYRILLIC SMALL LETTER A}").replace("e", "\N{CYRILLIC SMALL LETTER IE}"),
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
    refuse_spellings(user, other_user, foreign, spellings, refused, subtests)


# Too late


def test_an_older_upload_of_ones_own(user: User, bucket: Bucket, refused: Refused, untouched: Untouched) -> None:
    """A picture that was withdrawn by a later one does not come back, neither from its form nor from its avatar."""
    older, avatar = (user.put_up("image/png", make_picture(seed=seed)) for seed in (1, 2))
    untouched.but_for_avatar(user)
    assert user.confirm(avatar).status_code == 200
    for _ in range(2):
        refused.by_service(user.confirm(older), 409, "superseded")
    later = user.put_up("image/png", make_picture(seed=3))
    assert user.confirm(later).status_code == 200
    refused.by_service(user.confirm(avatar), 409, "superseded")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == make_picture(seed=3)


def test_a_post_and_confirm_of_an_older_upload(
    user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused
) -> None:
    """Its form is still good, and puts the object there again."""
    later = user.put_up("image/png", make_picture(seed=2))
    assert user.confirm(later).status_code == 200
    avatar = user.avatar
    eventually(lambda: bucket.keys(user.username) == [avatar])
    assert post_form(confirmed, PICTURE).status_code == 204
    refused.by_service(user.confirm(confirmed), 409, "superseded")
    assert user.avatar == avatar
    eventually(lambda: bucket.keys(user.username) == [avatar])


def test_after_hours(
    user: User, foreign: dict[str, Any], own_service: OwnService, bucket: Bucket, strategy: str, refused: Refused
) -> None:
    """The window is an hour, and the id says when it began."""
    for seconds in (3601, 10 * 3600):
        own_service.seconds_ahead = seconds
        refused.by_service(own_service.confirm(user, foreign), 410, "expired")
    check_waits(bucket, foreign, strategy)


def test_a_replay_after_hours(
    user: User,
    other_user: User,
    confirmed: dict[str, Any],
    own_service: OwnService,
    bucket: Bucket,
    refused: Refused,
) -> None:
    """Of a confirm that was good: of no effect while it is the avatar, and refused once it is not."""
    avatar, written = user.avatar, bucket.head(user.avatar or "")["LastModified"]
    own_service.seconds_ahead = 10 * 3600
    assert own_service.confirm(user, confirmed).json() == {"username": user.username, "avatar": avatar}
    assert (user.avatar, bucket.head(avatar or "")["LastModified"]) == (avatar, written)
    refused.by_service(own_service.confirm(other_user, confirmed), 410, "expired")
    later = user.put_up("image/png", make_picture(seed=2))
    assert user.confirm(later).status_code == 200
    refused.by_service(own_service.confirm(user, confirmed), 409, "superseded")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


# At the same time


def at_once(*calls: Callable[[], httpx2.Response]) -> list[httpx2.Response]:
    barrier = Barrier(len(calls))

    def run(call: Callable[[], httpx2.Response]) -> httpx2.Response:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def test_the_same_confirm_many_times_at_once(
    user: User, foreign: dict[str, Any], bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    untouched.but_for_avatar(user)
    answers = at_once(*[partial(user.confirm, foreign)] * 8)
    expected = {"username": user.username, "avatar": foreign["key"].replace("pending/", "avatars/")}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, expected)] * 8
    assert user.avatar == expected["avatar"]
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == PICTURE
    refused.otherwise("the effect of one")


def test_thief_and_owner_at_once(
    user: User, other_user: User, foreign: dict[str, Any], bucket: Bucket, untouched: Untouched, refused: Refused
) -> None:
    untouched.but_for_avatar(user)
    owners, thieves = [partial(user.confirm, foreign)] * 4, [partial(other_user.confirm, foreign)] * 4
    answers = at_once(*owners, *thieves)
    assert {answer.status_code for answer in answers[:4]} == {200}
    for answer in answers[4:]:
        refused.by_service(answer, 404, "unknown-upload")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


def test_an_older_upload_while_a_later_one_is_confirmed(
    user: User,
    foreign: dict[str, Any],
    own_service: OwnService,
    bucket: Bucket,
    untouched: Untouched,
    refused: Refused,
) -> None:
    """The later one comes in between the check and the row, which goes no way back."""
    later = user.put_up("image/png", make_picture(seed=2))
    own_service.before_copy = lambda: user.confirm(later).raise_for_status()
    untouched.but_for_avatar(user)
    refused.by_service(own_service.confirm(user, foreign), 409, "superseded")
    assert user.avatar == later["key"].replace("pending/", "avatars/")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == make_picture(seed=2)


def test_two_uploads_at_once(user: User, bucket: Bucket, untouched: Untouched, refused: Refused) -> None:
    """The later one wins, whichever comes first; of the other nothing is left."""
    forms = [user.put_up("image/png", make_picture(seed=seed)) for seed in range(4)]
    untouched.but_for_avatar(user)
    answers = at_once(*(partial(user.confirm, form) for form in forms))
    assert answers[-1].status_code == 200
    for answer in answers[:-1]:
        if answer.status_code != 200:
            refused.by_service(answer, 409, "superseded")
    assert user.avatar == forms[-1]["key"].replace("pending/", "avatars/")
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    assert bucket.read(user.avatar or "") == make_picture(seed=3)
    refused.otherwise("the later one stays")


# Other bytes than those that were checked


def test_an_object_replaced_between_check_and_copy(
    user: User, foreign: dict[str, Any], own_service: OwnService, bucket: Bucket, refused: Refused
) -> None:
    """By markup, with the form that is still good: the copy is of what was checked, or is none."""
    own_service.before_copy = lambda: post_form(foreign, MARKUP).raise_for_status()
    refused.by_service(own_service.confirm(user, foreign), 422, "not-a-picture")
    assert own_service.copies == 1
    assert bucket.read(foreign["key"]) == MARKUP
    assert "Expiration" in bucket.head(foreign["key"])


def test_an_object_replaced_again_and_again(
    user: User, foreign: dict[str, Any], own_service: OwnService, refused: Refused
) -> None:
    """By one good picture after the other: it is not checked for ever."""

    def replace() -> None:
        post_form(foreign, PICTURE[:-1] + bytes([own_service.copies])).raise_for_status()

    own_service.before_copy = replace
    refused.by_service(own_service.confirm(user, foreign), 409, "changed")
    assert own_service.copies == 3


def test_an_object_replaced_once_by_another_picture(
    user: User,
    foreign: dict[str, Any],
    own_service: OwnService,
    bucket: Bucket,
    untouched: Untouched,
    refused: Refused,
) -> None:
    """That one is checked in its turn."""
    other = PICTURE[:-1] + b"x"

    def replace() -> None:
        if own_service.copies == 1:
            post_form(foreign, other).raise_for_status()

    own_service.before_copy = replace
    untouched.but_for_avatar(user)
    assert own_service.confirm(user, foreign).status_code == 200
    assert (own_service.copies, bucket.read(user.avatar or "")) == (2, other)
    eventually(lambda: bucket.keys(user.username) == [user.avatar])
    refused.otherwise("checked anew")


# The same form after the confirm


def test_the_same_form_again_and_another_confirm(
    user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused
) -> None:
    """The live picture is still there after it, and for good."""
    avatar = user.avatar or ""
    for _ in range(2):
        assert post_form(confirmed, PICTURE).status_code == 204
        assert user.confirm(confirmed).json() == {"username": user.username, "avatar": avatar}
        eventually(lambda: bucket.keys(user.username) == [avatar])
        assert (user.avatar, bucket.read(avatar)) == (avatar, PICTURE)
        assert "Expiration" not in bucket.head(avatar)
    # And confirms alone, each of which would find what the one before has deleted after its answer.
    for _ in range(4):
        assert user.confirm(confirmed).json() == {"username": user.username, "avatar": avatar}
    assert bucket.read(avatar) == PICTURE
    refused.otherwise("the picture stays")


@only_prefix
def test_markup_with_the_same_form_under_prefix(
    user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused
) -> None:
    """No form reaches an avatar."""
    avatar = user.avatar or ""
    before = bucket.head(avatar)
    assert post_form(confirmed, MARKUP).status_code == 204
    assert user.confirm(confirmed).status_code == 200
    eventually(lambda: bucket.keys(user.username) == [avatar])
    after = bucket.head(avatar)
    assert {**after, "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}
    assert bucket.read(avatar) == PICTURE
    refused.otherwise("out of reach")


@only_tag
def test_markup_with_the_same_form_under_tag(
    user: User, other_user: User, bucket: Bucket, confirmed: dict[str, Any], refused: Refused
) -> None:
    """It is in the live picture's place until the repeat, or the sweep, puts a blank one there; nobody else can."""
    avatar = user.avatar or ""
    assert post_form(confirmed, MARKUP).status_code == 204
    assert bucket.head(avatar)["ContentType"] == "image/png"
    for attacker, token in ((other_user, confirmed["upload_token"]), (user, "a guess")):
        refused.by_service(attacker.confirm(avatar, upload_token=token), 404, "unknown-upload")
    assert "pending-tag" in bucket.head(avatar)["Expiration"]
    refused.by_service(user.confirm(confirmed), 422, "not-a-picture")
    assert bucket.keys(user.username) == [avatar]
    assert bucket.read(avatar).startswith(b"\x89PNG")
    assert "Expiration" not in bucket.head(avatar)
    assert user.avatar == avatar
