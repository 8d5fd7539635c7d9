"""The row that a user should have, from what is known about the user."""

from __future__ import annotations

import pytest

from services.store.keys import UploadId
from services.store.table import Row
from services.uploads.restoration import LOG_DELAY_SECONDS, Known, rebuild_row

FIRST = UploadId("019b0000-0000-7000-8000-000000000001")
SECOND = UploadId("019b1000-0000-7000-8000-000000000002")
THIRD = UploadId("019b2000-0000-7000-8000-000000000003")

BEFORE_FIRST = "019b0000-0000-7000-8000-000000000000"
BEFORE_SECOND = "019b1000-0000-7000-8000-000000000001"


def make_row(avatar: UploadId | None = None, removed: str | None = None) -> Row:
    return Row("ada", "Ada", avatar.avatar_key if avatar else None, removed)


def know(row: Row | None, former: Row | None = None, newest: UploadId | None = None, *there: UploadId) -> Known:
    return Known(row, former, None, newest, frozenset(upload_id.avatar_key for upload_id in there))


@pytest.mark.parametrize(
    ("known", "rebuilt"),
    [
        pytest.param(know(make_row(SECOND), None, None, SECOND), make_row(SECOND), id="the row is right"),
        pytest.param(know(make_row(FIRST), None, SECOND), make_row(SECOND), id="a newer picture exists"),
        pytest.param(know(make_row(FIRST), None, SECOND, FIRST), make_row(SECOND), id="the older one still exists"),
        pytest.param(know(make_row(), None, SECOND), make_row(SECOND), id="the first picture"),
        pytest.param(know(make_row(SECOND), None, FIRST, SECOND), make_row(SECOND), id="an older picture exists"),
        pytest.param(know(make_row(SECOND)), make_row(None, BEFORE_SECOND), id="no picture exists"),
        pytest.param(
            know(make_row(SECOND), None, FIRST), make_row(None, BEFORE_SECOND), id="only a replaced one exists"
        ),
        pytest.param(know(make_row(None, SECOND.text), None, FIRST), make_row(None, SECOND.text), id="removed"),
        pytest.param(know(make_row(None, SECOND.text), None, SECOND), make_row(None, SECOND.text), id="removed, same"),
        pytest.param(
            know(make_row(None, SECOND.text), None, THIRD), make_row(THIRD, SECOND.text), id="uploaded after a removal"
        ),
        pytest.param(
            know(make_row(None, BEFORE_SECOND), None, FIRST), make_row(None, BEFORE_SECOND), id="the replaced one again"
        ),
        pytest.param(
            know(make_row(None, BEFORE_SECOND), None, SECOND),
            make_row(SECOND, BEFORE_SECOND),
            id="the missing one came back",
        ),
        pytest.param(know(None, make_row(FIRST), None, FIRST), make_row(FIRST), id="the row was lost"),
        pytest.param(know(None, make_row(FIRST), SECOND), make_row(SECOND), id="the row was lost after an upload"),
        pytest.param(know(None, make_row(FIRST)), make_row(None, BEFORE_FIRST), id="the row was lost after a removal"),
        pytest.param(
            know(make_row(None, SECOND.text), make_row(FIRST), FIRST, FIRST),
            make_row(None, SECOND.text),
            id="the removal is in the table only",
        ),
        pytest.param(
            know(make_row(), make_row(None, SECOND.text), FIRST),
            make_row(None, SECOND.text),
            id="the removal is in the restored table only",
        ),
        pytest.param(
            know(Row("ada", "Ada", "elsewhere"), None, FIRST), make_row(FIRST), id="the row refers to another key"
        ),
        pytest.param(know(None, None, FIRST), None, id="no row is known"),
    ],
)
def test_a_row_is_rebuilt_from_the_newest_picture_that_was_not_removed(known: Known, rebuilt: Row | None) -> None:
    assert rebuild_row(known) == rebuilt


@pytest.mark.parametrize("seconds_later", [-10.0, 10.0])
def test_a_removal_that_only_the_logs_show_is_not_undone(seconds_later: float) -> None:
    at = SECOND.created - seconds_later
    rebuilt = rebuild_row(Known(make_row(FIRST), None, at, SECOND, frozenset({FIRST.avatar_key})))
    removed = UploadId.latest_at(at).text
    assert rebuilt == (make_row(SECOND, removed) if seconds_later > 0 else make_row(None, removed))


@pytest.mark.parametrize(("delay", "kept"), [(LOG_DELAY_SECONDS - 1, True), (LOG_DELAY_SECONDS + 1, False)])
def test_a_removal_that_the_row_has_is_not_made_later_by_its_log_line(
    delay: float,
    kept: bool,  # noqa: FBT001 - a table
) -> None:
    row, at = make_row(None, FIRST.text), FIRST.created + delay
    assert rebuild_row(Known(row, None, at)) == (row if kept else make_row(None, UploadId.latest_at(at).text))
