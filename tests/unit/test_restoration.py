"""The row that a user should have, from what is known about the user."""

from __future__ import annotations

import pytest

from services.store.keys import Upload, UploadId
from services.store.kinds import AVATAR
from services.store.table import Value
from services.uploads.restoration import LOG_DELAY_SECONDS, Known, rebuild_value
from tests.rows import make_upload

FIRST = make_upload("019b0000-0000-7000-8000-000000000001")
SECOND = make_upload("019b1000-0000-7000-8000-000000000002")
THIRD = make_upload("019b2000-0000-7000-8000-000000000003")

BEFORE_FIRST = "019b0000-0000-7000-8000-000000000000"
BEFORE_SECOND = "019b1000-0000-7000-8000-000000000001"


def make_value(upload: Upload | None = None, removed: str | None = None) -> Value:
    return Value(upload.permanent_key if upload else None, removed)


def know(value: Value | None, former: Value | None = None, newest: Upload | None = None, *there: Upload) -> Known:
    values = tuple(known for known in (value, former) if known)
    found = frozenset(upload.permanent_key for upload in there)
    return Known(AVATAR, values, newest=newest.id if newest else None, there=found)


TOLD = Value(SECOND.permanent_key, told=SECOND.id.text)


@pytest.mark.parametrize(
    ("known", "rebuilt"),
    [
        pytest.param(know(make_value(SECOND), None, None, SECOND), make_value(SECOND), id="the row is right"),
        pytest.param(know(make_value(FIRST), None, SECOND), make_value(SECOND), id="a newer picture exists"),
        pytest.param(know(make_value(FIRST), None, SECOND, FIRST), make_value(SECOND), id="the older one still exists"),
        pytest.param(know(make_value(), None, SECOND), make_value(SECOND), id="the first picture"),
        pytest.param(know(make_value(SECOND), None, FIRST, SECOND), make_value(SECOND), id="an older picture exists"),
        pytest.param(know(make_value(SECOND)), make_value(None, BEFORE_SECOND), id="no picture exists"),
        pytest.param(
            know(make_value(SECOND), None, FIRST), make_value(None, BEFORE_SECOND), id="only a replaced one exists"
        ),
        pytest.param(
            know(make_value(None, BEFORE_SECOND), None, FIRST),
            make_value(None, BEFORE_SECOND),
            id="the replaced one again",
        ),
        pytest.param(
            know(make_value(None, BEFORE_SECOND), None, SECOND),
            make_value(SECOND, BEFORE_SECOND),
            id="the missing one came back",
        ),
        pytest.param(
            know(make_value(None, SECOND.id.text), None, FIRST), make_value(None, SECOND.id.text), id="removed"
        ),
        pytest.param(
            know(make_value(None, SECOND.id.text), None, SECOND), make_value(None, SECOND.id.text), id="removed, same"
        ),
        pytest.param(
            know(make_value(None, SECOND.id.text), None, THIRD),
            make_value(THIRD, SECOND.id.text),
            id="uploaded after a removal",
        ),
        pytest.param(know(None, make_value(FIRST), None, FIRST), make_value(FIRST), id="the row was lost"),
        pytest.param(know(None, make_value(FIRST), SECOND), make_value(SECOND), id="the row was lost after an upload"),
        pytest.param(
            know(None, make_value(FIRST)), make_value(None, BEFORE_FIRST), id="the row was lost after a removal"
        ),
        pytest.param(
            know(make_value(None, SECOND.id.text), make_value(FIRST), FIRST, FIRST),
            make_value(None, SECOND.id.text),
            id="the removal is in the table only",
        ),
        pytest.param(
            know(make_value(), make_value(None, SECOND.id.text), FIRST),
            make_value(None, SECOND.id.text),
            id="the removal is in the restored table only",
        ),
        pytest.param(know(TOLD, None, None, SECOND), TOLD, id="the application was told of the picture"),
        pytest.param(know(TOLD, None, THIRD), make_value(THIRD), id="the application was told of an older picture"),
        pytest.param(know(TOLD), make_value(None, BEFORE_SECOND), id="the application was told of a missing picture"),
        pytest.param(know(Value("elsewhere"), None, FIRST), make_value(FIRST), id="the row refers to another key"),
    ],
)
def test_a_value_is_rebuilt_from_the_newest_picture_that_was_not_removed(known: Known, rebuilt: Value) -> None:
    assert rebuild_value(known) == rebuilt


@pytest.mark.parametrize("seconds_later", [-10.0, 10.0])
def test_a_removal_that_only_the_logs_show_is_not_undone(seconds_later: float) -> None:
    at = SECOND.id.created - seconds_later
    rebuilt = rebuild_value(Known(AVATAR, (make_value(FIRST),), at, SECOND.id, frozenset({FIRST.permanent_key})))
    removed = UploadId.latest_at(at).text
    assert rebuilt == (make_value(SECOND, removed) if seconds_later > 0 else make_value(None, removed))


@pytest.mark.parametrize(("delay", "kept"), [(LOG_DELAY_SECONDS - 1, True), (LOG_DELAY_SECONDS + 1, False)])
def test_a_removal_that_the_row_has_is_not_made_later_by_its_log_line(
    delay: float,
    kept: bool,  # noqa: FBT001 - a table
) -> None:
    value, at = make_value(None, FIRST.id.text), FIRST.id.created + delay
    assert rebuild_value(Known(AVATAR, (value,), at)) == (
        value if kept else make_value(None, UploadId.latest_at(at).text)
    )
