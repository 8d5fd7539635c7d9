"""What every database with the users' rows must promise, shown for two: DynamoDB (`tests/fake`) and SQLite."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from services.store.kinds import AVATAR, BANNER
from services.store.table import UnknownUserError, Value
from services.uploads.confirm import Confirmer
from services.uploads.decision import Limits
from services.uploads.picture import limit_kinds
from services.uploads.removal import Remover
from services.uploads.rows import NotForwardError
from services.uploads.strategies import STRATEGIES
from services.uploads.users import Users
from tests.fake.aws import Aws
from tests.fake.world import DIGESTS, Object, World
from tests.rows import make_upload
from tests.rows_in_sqlite import TABLE, SqliteRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

    from services.uploads.rows import Rows

OLD, NEW, LATER = (make_upload(f"019b0000-0000-7000-8000-00000000000{number}") for number in (1, 2, 3))
BANNER_UPLOAD = make_upload(OLD.id.text, BANNER)


@pytest.fixture(params=["DynamoDB", "SQLite"])
def make_rows(request: pytest.FixtureRequest) -> Iterator[Callable[..., Rows]]:
    """Each call opens the same rows, with or without rows for new users."""
    aws = Aws(World(1_800_000_000))
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute(TABLE)

    def make(*, creates: bool = True) -> Rows:
        if request.param == "SQLite":
            return SqliteRows(database, creates=creates)
        return Users(aws.dynamodb, "users", creates)

    yield make
    database.close()


@pytest.fixture
def rows(make_rows: Callable[..., Rows]) -> Rows:
    return make_rows()


def test_the_first_upload_creates_the_row(rows: Rows) -> None:
    assert rows.advance("ada", OLD) == Value()
    assert rows.find_row("ada").of(AVATAR) == Value(OLD.permanent_key)


def test_a_user_without_a_row_can_be_refused(make_rows: Callable[..., Rows]) -> None:
    rows = make_rows(creates=False)
    with pytest.raises(UnknownUserError):
        rows.find_row("ada")
    with pytest.raises(UnknownUserError):
        rows.advance("ada", OLD)
    with pytest.raises(UnknownUserError):
        rows.remove("ada", AVATAR, OLD.id.text, None)
    assert list(rows.list_rows()) == []


def test_a_row_moves_forward_only(rows: Rows) -> None:
    rows.advance("ada", NEW)
    for upload in (OLD, NEW):
        with pytest.raises(NotForwardError) as refused:
            rows.advance("ada", upload)
        assert refused.value.row.of(AVATAR).key == NEW.permanent_key
    assert rows.advance("ada", LATER) == Value(NEW.permanent_key)


def test_an_upload_up_to_a_removal_is_refused(rows: Rows) -> None:
    rows.remove("ada", AVATAR, NEW.id.text, None)
    for upload in (OLD, NEW):
        with pytest.raises(NotForwardError) as refused:
            rows.advance("ada", upload)
        assert refused.value.row.of(AVATAR).removed == NEW.id.text
    assert rows.advance("ada", LATER) == Value(None, NEW.id.text)


def test_a_removal_needs_the_key_that_it_read_and_no_later_removal(rows: Rows) -> None:
    rows.advance("ada", OLD)
    for key in (None, NEW.permanent_key):
        with pytest.raises(NotForwardError):
            rows.remove("ada", AVATAR, LATER.id.text, key)
    rows.remove("ada", AVATAR, NEW.id.text, OLD.permanent_key)
    with pytest.raises(NotForwardError):
        rows.remove("ada", AVATAR, OLD.id.text, None)
    rows.remove("ada", AVATAR, NEW.id.text, None)
    assert rows.find_row("ada").of(AVATAR) == Value(None, NEW.id.text)


def test_the_mark_of_what_was_told_only_grows(rows: Rows) -> None:
    rows.advance("ada", NEW)
    for told in (NEW, OLD):
        rows.mark_told("ada", AVATAR, told.id.text)
    assert rows.find_row("ada").of(AVATAR) == Value(NEW.permanent_key, told=NEW.id.text)
    rows.remove("ada", AVATAR, LATER.id.text, NEW.permanent_key)
    assert rows.find_row("ada").of(AVATAR).told == NEW.id.text


def test_a_mark_creates_no_row(rows: Rows) -> None:
    rows.mark_told("ada", AVATAR, NEW.id.text)
    assert list(rows.list_rows()) == []


def test_kinds_do_not_touch_each_other(rows: Rows) -> None:
    rows.advance("ada", NEW)
    rows.advance("ada", BANNER_UPLOAD)
    rows.remove("ada", AVATAR, NEW.id.text, NEW.permanent_key)
    assert rows.find_row("ada").of(BANNER) == Value(BANNER_UPLOAD.permanent_key)


def test_each_row_is_listed(rows: Rows) -> None:
    for username in ("ada", "bob", "cleo"):
        rows.advance(username, NEW)
    assert sorted(row.username for row in rows.list_rows()) == ["ada", "bob", "cleo"]


def test_uploads_are_confirmed_and_removed_with_these_rows(rows: Rows, executor: Executor) -> None:
    aws = Aws(World(NEW.id.created + 10))
    metadata = (("sha256", DIGESTS["good"]), ("username", "ada"))
    aws.put(NEW.pending_key, Object("good", metadata))
    limits = Limits(limit_kinds(5_000_000, 4200, 4200), 300, 3600)
    confirmer = Confirmer(aws.bucket, rows, STRATEGIES["prefix"], limits, lambda: aws.now, executor)
    for _ in range(2):
        assert confirmer.confirm("ada", NEW.pending_key).upload == NEW
    assert Remover(rows, lambda: aws.now).remove("ada", AVATAR).keys == (NEW.permanent_key,)
    assert rows.find_row("ada").of(AVATAR).key is None
