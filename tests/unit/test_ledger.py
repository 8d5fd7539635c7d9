"""The ledger stores references on disk and returns them in order of their keys."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from services.store.kinds import AVATAR
from services.uploads.objects import Reference
from services.uploads.sweep.ledger import BATCH, Ledger
from tests.rows import make_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.store.table import Row


def refer(avatar: str | None, username: str = "ada") -> Row:
    return make_row(username, username.title(), avatar)


def reorder(*avatars: str) -> list[str]:
    with Ledger() as ledger:
        ledger.write(map(refer, avatars))
        return [reference.key for reference in ledger.read(AVATAR)]


def test_references_are_read_as_they_were_written() -> None:
    rows = [refer("avatars/1", "ada"), refer("avatars/2", "bob")]
    with Ledger() as ledger:
        assert ledger.write(rows) == 2
        assert list(ledger.read(AVATAR)) == [Reference("avatars/1", "ada"), Reference("avatars/2", "bob")]


def test_rows_that_had_an_avatar_are_counted_without_a_reference() -> None:
    removed = make_row("bob", "Bob", removed="019b0000-0000-7000-8000-000000000002")
    both = make_row("cleo", "Cleo", "avatars/2", "019b0000-0000-7000-8000-000000000001")
    with Ledger() as ledger:
        assert ledger.write([refer("avatars/1"), removed, both, refer(None, "dan")]) == 3
        assert list(ledger.read(AVATAR)) == [Reference("avatars/1", "ada"), Reference("avatars/2", "cleo")]


def test_an_empty_ledger_has_no_references() -> None:
    with Ledger() as ledger:
        assert ledger.write([]) == 0
        assert list(ledger.read(AVATAR)) == []


def test_references_are_read_in_utf_8_binary_order() -> None:
    # The order neither ignores case nor is that of UTF-16, which swaps the last two.
    ordered = [
        "\0",
        "a",
        "a\0",
        "a\0b",
        "a!",
        "a-",
        "a/",
        "aB",
        "aa",
        "ab",
        "b",
        "~",
        "\u00e9",
        "\uffff",
        "\U0001f600",
    ]
    assert reorder(*reversed(ordered)) == ordered
    assert ordered == sorted(ordered, key=str.encode)


def test_avatars_that_look_like_numbers_are_ordered_as_text() -> None:
    assert reorder("9", "10", "1e1", "010") == ["010", "10", "1e1", "9"]


def test_two_rows_with_one_avatar_are_both_read() -> None:
    with Ledger() as ledger:
        assert ledger.write([refer("avatars/1", "ada"), refer("avatars/1", "bob")]) == 2
        assert set(ledger.read(AVATAR)) == {Reference("avatars/1", "ada"), Reference("avatars/1", "bob")}


@pytest.mark.parametrize("count", [BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7])
def test_references_may_be_written_in_any_order(count: int) -> None:
    avatars = [f"avatars/{number:06}" for number in range(count)]
    shuffled = random.Random(1).sample(avatars, count)  # noqa: S311 - an order, not a secret
    with Ledger() as ledger:
        assert ledger.write(map(refer, shuffled)) == count
        assert [reference.key for reference in ledger.read(AVATAR)] == avatars


def test_the_ledger_holds_few_references_in_memory_at_once() -> None:
    alive = 0

    class Counted(str):
        __slots__ = ()

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def rows() -> Iterator[Row]:
        nonlocal alive, most
        for number in range(5 * BATCH):
            alive += 1
            most = max(most, alive)
            yield refer(Counted(f"avatars/{number}"))

    with Ledger() as ledger:
        ledger.write(rows())
    assert most <= 2 * BATCH


def test_the_ledger_is_closed_after_its_block() -> None:
    with Ledger() as ledger:
        ledger.write([refer("avatars/1")])
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        list(ledger.read(AVATAR))


def test_the_ledger_is_closed_while_it_is_being_read() -> None:
    with Ledger() as ledger:
        ledger.write(refer(f"avatars/{number}") for number in range(10))
        reading = ledger.read(AVATAR)
        next(reading)
    with pytest.raises(sqlite3.ProgrammingError):
        next(reading)


def test_an_error_while_references_are_written_surfaces() -> None:
    def rows() -> Iterator[Row]:
        yield refer("avatars/1")
        raise ConnectionError

    with Ledger() as ledger, pytest.raises(ConnectionError):
        ledger.write(rows())
