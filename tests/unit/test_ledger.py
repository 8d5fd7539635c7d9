"""The rows in the order of their avatars, out of memory."""

from __future__ import annotations

import random
import sqlite3
from typing import TYPE_CHECKING

import pytest

from services.uploads.objects import Reference
from services.uploads.sweep.ledger import BATCH, Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator


def reorder(*avatars: str) -> list[str]:
    with Ledger() as ledger:
        ledger.write(Reference(avatar, "ada") for avatar in avatars)
        return [reference.avatar for reference in ledger.read()]


def test_what_is_written_is_read() -> None:
    rows = [Reference("avatars/1", "ada"), Reference("avatars/2", "bob")]
    with Ledger() as ledger:
        assert ledger.write(rows) == 2
        assert list(ledger.read()) == rows


def test_an_empty_one_is_read_to_its_end() -> None:
    with Ledger() as ledger:
        assert ledger.write([]) == 0
        assert list(ledger.read()) == []


def test_the_order_is_that_of_the_bytes_in_utf_8() -> None:
    # Neither of upper and lower case as one, nor of UTF-16, where the last of these would come before the one before.
    ordered = [
        "",
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


def test_what_looks_like_a_number_is_in_the_order_of_text() -> None:
    assert reorder("9", "10", "1e1", "010") == ["010", "10", "1e1", "9"]


def test_two_rows_with_one_avatar_are_both_read() -> None:
    rows = {Reference("avatars/1", "ada"), Reference("avatars/1", "bob")}
    with Ledger() as ledger:
        assert ledger.write(rows) == 2
        assert set(ledger.read()) == rows


@pytest.mark.parametrize("count", [BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7])
def test_many_are_written_in_any_order(count: int) -> None:
    avatars = [f"avatars/{number:06}" for number in range(count)]
    shuffled = random.Random(1).sample(avatars, count)  # noqa: S311 - an order, not a secret
    with Ledger() as ledger:
        assert ledger.write(Reference(avatar, "ada") for avatar in shuffled) == count
        assert [reference.avatar for reference in ledger.read()] == avatars


def test_rows_are_taken_as_they_come_and_not_all_at_once() -> None:
    alive = 0

    class Counted(str):
        __slots__ = ()

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def rows() -> Iterator[Reference]:
        nonlocal alive, most
        for number in range(5 * BATCH):
            alive += 1
            most = max(most, alive)
            yield Reference(Counted(number), "ada")

    with Ledger() as ledger:
        ledger.write(rows())
    assert most <= 2 * BATCH


def test_it_is_closed_at_its_end() -> None:
    with Ledger() as ledger:
        ledger.write([Reference("avatars/1", "ada")])
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        list(ledger.read())


def test_it_is_closed_even_if_it_is_left_in_the_middle() -> None:
    with Ledger() as ledger:
        ledger.write(Reference(f"avatars/{number}", "ada") for number in range(10))
        reading = ledger.read()
        next(reading)
    with pytest.raises(sqlite3.ProgrammingError):
        next(reading)


def test_rows_that_break_off_surface_their_error() -> None:
    def rows() -> Iterator[Reference]:
        yield Reference("avatars/1", "ada")
        raise ConnectionError

    with Ledger() as ledger, pytest.raises(ConnectionError):
        ledger.write(rows())
