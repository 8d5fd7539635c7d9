from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from services.pictures.formats import CONTENT_TYPES
from services.store.kinds import AVATAR
from services.uploads.decision import (
    MAX_AHEAD_SECONDS,
    AlreadyConfirmed,
    Facts,
    Limits,
    Promote,
    Replace,
    Restore,
    check_forward,
    decide,
    decide_removal,
    if_owned_by,
)
from services.uploads.objects import Declared, Stored
from services.uploads.picture import check_declared, limit_kinds
from services.uploads.refusals import (
    DigestMismatchError,
    EmptyFileError,
    ExpiredError,
    NotAPictureError,
    RefusedError,
    RemovedError,
    SupersededError,
    TooLargeError,
    TooManyPixelsError,
    TypeMismatchError,
    TypeNotAllowedError,
    UnknownUploadError,
    UnreadablePictureError,
)
from services.uploads.strategies import STRATEGIES, Prefix, Strategy, Tag, hash_token
from tests.rows import make_row, make_upload

if TYPE_CHECKING:
    from services.store.keys import Upload
    from services.store.table import Row

EARLIER = make_upload("019b0000-0000-7000-8000-000000000001")
UPLOAD = make_upload("019b0000-0000-7000-8000-000000000002")
LATER = make_upload("019b0000-0000-7000-8000-000000000003")
LIMITS = Limits(limit_kinds(1000, 80, 60), form_seconds=300, confirm_seconds=3600)
LAST_MOMENT = UPLOAD.id.created + LIMITS.confirm_seconds
TOO_LATE = LAST_MOMENT + 0.001
FIRST_MOMENT = UPLOAD.id.created - MAX_AHEAD_SECONDS
TOO_EARLY = FIRST_MOMENT - 0.001

GOOD = Stored(
    etag='"e"',
    size=500,
    content_type="image/png",
    metadata={"username": "ada", "upload-token": hash_token("secret"), "sha256": "declared="},
    sha256="declared=",
    format="image/png",
    dimensions=(40, 30),
)
UNDECLARED = {"username": "ada", "upload-token": hash_token("secret")}
RUBBISH = replace(GOOD, size=9999, format=None, dimensions=None)
"""Bytes with the declared digest that are no picture."""

NEW = make_row("ada", "Ada")
"""The row of a user who never had an avatar."""
REMOVED = make_row("ada", "Ada", None, UPLOAD.id.text)
BEFORE, CONFIRMED, AFTER = (make_row("ada", "Ada", upload.permanent_key) for upload in (EARLIER, UPLOAD, LATER))
READY = Facts(now=UPLOAD.id.created + 1, row=BEFORE, stored=GOOD)


each_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)


def with_stored(stored: Stored | None) -> Facts:
    return replace(READY, stored=stored)


@each_strategy
@pytest.mark.parametrize(
    "facts",
    [
        pytest.param(READY, id="a good upload"),
        pytest.param(replace(READY, row=NEW), id="the first avatar"),
        pytest.param(replace(READY, row=make_row("ada", "Ada", None, EARLIER.id.text)), id="after a removal"),
        pytest.param(replace(READY, now=LAST_MOMENT), id="at the last moment"),
        pytest.param(replace(READY, now=FIRST_MOMENT), id="at the first moment"),
        pytest.param(replace(READY, now=UPLOAD.id.created - 5), id="by a clock that is behind"),
        pytest.param(with_stored(replace(GOOD, size=1000)), id="as large as allowed"),
        pytest.param(with_stored(replace(GOOD, dimensions=(80, 60))), id="as many pixels as allowed"),
        pytest.param(with_stored(replace(GOOD, tagged=True)), id="marked as pending"),
    ],
)
def test_a_confirm_is_granted(facts: Facts, strategy: Strategy) -> None:
    assert facts.stored
    assert decide(UPLOAD, facts, LIMITS, strategy) == Promote(strategy.promotion(UPLOAD, facts.stored), facts.stored)


@each_strategy
@pytest.mark.parametrize("now", [READY.now, TOO_LATE])
@pytest.mark.parametrize("stored", [GOOD, RUBBISH])
def test_a_repeat_is_granted_at_any_time(now: float, stored: Stored, strategy: Strategy) -> None:
    assert decide(UPLOAD, Facts(now, CONFIRMED, stored), LIMITS, strategy) == AlreadyConfirmed()


def test_a_repeat_under_prefix_needs_no_object() -> None:
    assert decide(UPLOAD, Facts(READY.now, CONFIRMED, None), LIMITS, Prefix()) == AlreadyConfirmed()


def test_a_repeat_under_prefix_ignores_an_object_that_was_posted_again() -> None:
    again = Facts(READY.now, CONFIRMED, replace(RUBBISH, tagged=True))
    assert decide(UPLOAD, again, LIMITS, Prefix()) == AlreadyConfirmed()


def test_a_repeat_under_tag_needs_its_object() -> None:
    """The object holds the token, so without the object no token can be verified."""
    with pytest.raises(UnknownUploadError):
        decide(UPLOAD, Facts(READY.now, CONFIRMED, None), LIMITS, Tag())


def test_a_live_avatar_with_other_bytes_is_replaced() -> None:
    other = replace(GOOD, sha256="other=")
    decision = decide(UPLOAD, Facts(TOO_LATE, CONFIRMED, other), LIMITS, Tag())
    assert isinstance(decision, Replace)
    assert (decision.key, decision.stored) == (UPLOAD.permanent_key, other)
    assert type(decision.reason) is DigestMismatchError


def test_a_live_avatar_without_a_declared_digest_stays() -> None:
    """A former version confirmed it."""
    former = replace(GOOD, metadata=UNDECLARED)
    assert decide(UPLOAD, Facts(READY.now, CONFIRMED, former), LIMITS, Tag()) == AlreadyConfirmed()


def test_a_live_avatar_with_the_pending_tag_is_restored_if_it_is_still_a_picture() -> None:
    marked = replace(GOOD, tagged=True)
    decision = decide(UPLOAD, Facts(TOO_LATE, CONFIRMED, marked), LIMITS, Tag())
    assert decision == Restore(Tag().promotion(UPLOAD, marked))


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (replace(GOOD, format=None), NotAPictureError),
        (replace(GOOD, dimensions=(9999, 1)), TooManyPixelsError),
        (replace(GOOD, format="image/gif"), TypeMismatchError),
    ],
)
def test_a_live_avatar_with_the_pending_tag_that_is_no_picture_is_replaced(
    stored: Stored, reason: type[RefusedError]
) -> None:
    marked = replace(stored, tagged=True)
    decision = decide(UPLOAD, Facts(READY.now, CONFIRMED, marked), LIMITS, Tag())
    assert isinstance(decision, Replace)
    assert (decision.key, decision.stored) == (UPLOAD.permanent_key, marked)
    assert type(decision.reason) is reason


@each_strategy
@pytest.mark.parametrize(
    ("facts", "error"),
    [
        pytest.param(replace(READY, row=AFTER), SupersededError, id="a later one is the avatar"),
        pytest.param(Facts(TOO_LATE, AFTER, GOOD), SupersededError, id="superseded and expired"),
        pytest.param(Facts(READY.now, AFTER, None), SupersededError, id="superseded and missing"),
        pytest.param(replace(READY, row=REMOVED), RemovedError, id="removed"),
        pytest.param(Facts(TOO_LATE, REMOVED, GOOD), RemovedError, id="removed and expired"),
        pytest.param(Facts(READY.now, REMOVED, None), RemovedError, id="removed and missing"),
        pytest.param(
            replace(READY, row=make_row("ada", "Ada", LATER.permanent_key, REMOVED.of(AVATAR).removed)),
            SupersededError,
            id="removed and superseded",
        ),
        pytest.param(replace(READY, now=TOO_LATE), ExpiredError, id="past the window"),
        pytest.param(Facts(TOO_LATE, NEW, None), ExpiredError, id="expired and missing"),
        pytest.param(Facts(TOO_LATE, NEW, replace(GOOD, format=None)), ExpiredError, id="expired and rubbish"),
        pytest.param(Facts(TOO_EARLY, BEFORE, GOOD), ExpiredError, id="presigned by a clock that is ahead"),
        pytest.param(with_stored(None), UnknownUploadError, id="missing"),
        pytest.param(with_stored(replace(GOOD, size=1001)), TooLargeError, id="a byte too large"),
        pytest.param(with_stored(replace(GOOD, size=1001, format=None)), TooLargeError, id="large and no picture"),
        pytest.param(with_stored(replace(GOOD, size=1001, sha256=None)), TooLargeError, id="large and not read"),
        pytest.param(with_stored(replace(GOOD, sha256="other=")), DigestMismatchError, id="other bytes"),
        pytest.param(with_stored(replace(RUBBISH, size=1, sha256="other=")), DigestMismatchError, id="other rubbish"),
        pytest.param(with_stored(replace(GOOD, sha256=None)), DigestMismatchError, id="not read"),
        pytest.param(with_stored(replace(GOOD, metadata=UNDECLARED)), DigestMismatchError, id="no digest declared"),
        pytest.param(
            with_stored(replace(GOOD, sha256=None, metadata=UNDECLARED)), DigestMismatchError, id="no digest at all"
        ),
        pytest.param(with_stored(replace(GOOD, format=None, dimensions=None)), NotAPictureError, id="no picture"),
        pytest.param(with_stored(replace(GOOD, format="image/gif")), TypeMismatchError, id="another type"),
        pytest.param(
            with_stored(replace(GOOD, format="image/gif", dimensions=None)), TypeMismatchError, id="another and damaged"
        ),
        pytest.param(with_stored(replace(GOOD, dimensions=None)), UnreadablePictureError, id="damaged"),
        pytest.param(with_stored(replace(GOOD, dimensions=(81, 1))), TooManyPixelsError, id="a pixel too wide"),
        pytest.param(with_stored(replace(GOOD, dimensions=(1, 61))), TooManyPixelsError, id="a pixel too high"),
        pytest.param(with_stored(replace(GOOD, dimensions=(60, 80))), TooManyPixelsError, id="turned by 90 degrees"),
    ],
)
def test_a_confirm_is_refused(facts: Facts, error: type[RefusedError], strategy: Strategy) -> None:
    with pytest.raises(RefusedError) as caught:
        decide(UPLOAD, facts, LIMITS, strategy)
    assert caught.type is error
    assert str(caught.value).endswith(".")


@each_strategy
@pytest.mark.parametrize("username", ["eve", "Ada", "", None])
def test_another_user_s_object_counts_as_missing(username: str | None, strategy: Strategy) -> None:
    metadata = {"upload-token": hash_token("secret")} | ({"username": username} if username is not None else {})
    assert if_owned_by(replace(GOOD, metadata=metadata), "ada", "secret", strategy) is None
    assert if_owned_by(None, "ada", "secret", strategy) is None
    assert if_owned_by(GOOD, "ada", "secret", strategy) is GOOD


@pytest.mark.parametrize("token", [None, "", "Secret", "secret ", "ü"])
def test_under_tag_an_object_is_proved_by_its_token(token: str | None) -> None:
    assert if_owned_by(GOOD, "ada", token, Tag()) is None
    assert if_owned_by(GOOD, "ada", token, Prefix()) is GOOD


def test_no_token_proves_an_object_without_a_token() -> None:
    without = replace(GOOD, metadata={"username": "ada"})
    assert if_owned_by(without, "ada", "", Tag()) is None
    assert if_owned_by(without, "ada", None, Tag()) is None


@pytest.mark.parametrize("row", [NEW, BEFORE, CONFIRMED, make_row("ada", "Ada", None, EARLIER.id.text)])
def test_a_row_moves_forward_to_an_upload_that_is_not_before_it(row: Row) -> None:
    check_forward(UPLOAD, row)


@pytest.mark.parametrize("removed", [UPLOAD, LATER])
@pytest.mark.parametrize("row", [NEW, BEFORE, CONFIRMED])
def test_an_upload_that_is_not_after_the_removal_is_refused(row: Row, removed: Upload) -> None:
    with pytest.raises(RemovedError):
        check_forward(UPLOAD, make_row("ada", "Ada", row.avatar, removed.id.text))


UP_TO_NOW = "019b0000-0000-7fff-bfff-ffffffffffff"
"""The greatest id of the millisecond in which the uploads were presigned."""

AHEAD = make_upload("019b0000-ffff-7000-8000-000000000000")


@pytest.mark.parametrize(
    ("row", "removed"),
    [
        pytest.param(NEW, UP_TO_NOW, id="no avatar"),
        pytest.param(AFTER, UP_TO_NOW, id="an avatar of this millisecond"),
        pytest.param(
            make_row("ada", "Ada", AHEAD.permanent_key),
            AHEAD.id.latest_of_its_time().text,
            id="an avatar that is ahead of the clock",
        ),
        pytest.param(make_row("ada", "Ada", None, LATER.id.text), UP_TO_NOW, id="a removal in this millisecond"),
        pytest.param(
            make_row("ada", "Ada", None, AHEAD.id.text), AHEAD.id.text, id="a removal that is ahead of the clock"
        ),
        pytest.param(make_row("ada", "Ada", AFTER.avatar, AHEAD.id.text), AHEAD.id.text, id="both"),
        pytest.param(make_row("ada", "Ada", "elsewhere"), UP_TO_NOW, id="an avatar that is no upload"),
    ],
)
def test_a_removal_refuses_every_upload_up_to_now(row: Row, removed: str) -> None:
    assert decide_removal(UPLOAD.id.created + 0.0005, AVATAR, row.of(AVATAR)) == removed


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("size", [1, 1000])
def test_a_file_within_the_limits_may_have_a_form(content_type: str, size: int) -> None:
    check_declared(Declared(content_type, size, "declared="), AVATAR, LIMITS.pictures["avatar"])


@pytest.mark.parametrize(
    ("declared", "error"),
    [
        (Declared("image/svg+xml", 10, "declared="), TypeNotAllowedError),
        (Declared("IMAGE/PNG", 10, "declared="), TypeNotAllowedError),
        (Declared("image/png; charset=utf-8", 10, "declared="), TypeNotAllowedError),
        (Declared("text/html", 10, "declared="), TypeNotAllowedError),
        (Declared("", 10, "declared="), TypeNotAllowedError),
        (Declared("text/html", 0, "declared="), TypeNotAllowedError),
        (Declared("image/png", 0, "declared="), EmptyFileError),
        (Declared("image/png", -1, "declared="), EmptyFileError),
        (Declared("image/png", 1001, "declared="), TooLargeError),
    ],
)
def test_any_other_file_may_not_have_a_form(declared: Declared, error: type[RefusedError]) -> None:
    with pytest.raises(RefusedError) as caught:
        check_declared(declared, AVATAR, LIMITS.pictures["avatar"])
    assert caught.type is error


def test_a_refusal_names_the_limit_that_was_exceeded() -> None:
    with pytest.raises(TooLargeError, match="1,001 bytes; 1,000 are allowed"):
        check_declared(Declared("image/png", 1001, "declared="), AVATAR, LIMITS.pictures["avatar"])
    with pytest.raises(TooManyPixelsError, match="81 x 61 pixels; 80 x 60 are allowed"):
        decide(UPLOAD, with_stored(replace(GOOD, dimensions=(81, 61))), LIMITS, Prefix())
    with pytest.raises(TypeMismatchError, match="declared as image/png and is image/gif"):
        decide(UPLOAD, with_stored(replace(GOOD, format="image/gif")), LIMITS, Prefix())
