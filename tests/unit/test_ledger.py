"""The ledger stores references on disk and returns them in order of their avatars."""

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


def test_references_are_read_as_they_were_written() -> None:
    rows = [Reference("avatars/1", "ada"), Reference("avatars/2", "bob")]
    with Ledger() as ledger:
        assert ledger.write(rows) == 2
        assert list(ledger.read()) == rows


def test_an_empty_ledger_has_no_references() -> None:
    with Ledger() as ledger:
        assert ledger.write([]) == 0
        assert list(ledger.read()) == []


def test_references_are_read_in_utf_8_binary_order() -> None:
    # The order neither ignores case nor is that of UTF-16, which swaps the last two.
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


def test_avatars_that_look_like_numbers_are_ordered_as_text() -> None:
    assert reorder("9", "10", "1e1", "010") == ["010", "10", "1e1", "9"]


def test_two_rows_with_one_avatar_are_both_read() -> None:
    rows = {Reference("avatars/1", "ada"), Reference("avatars/1", "bob")}
    with Ledger() as ledger:
        assert ledger.write(rows) == 2
        assert set(ledger.read()) == rows


@pytest.mark.parametrize("count", [BATCH - 1, BATCH, BATCH + 1, 3 * BATCH + 7])
def test_references_may_be_written_in_any_order(count: int) -> None:
    avatars = [f"avatars/{number:06}" for number in range(count)]
    shuffled = random.Random(1).sample(avatars, count)  # noqa: S311 - an order, not a secret
    with Ledger() as ledger:
        assert ledger.write(Reference(avatar, "ada") for avatar in shuffled) == count
        assert [reference.avatar for reference in ledger.read()] == avatars


def test_the_ledger_holds_few_references_in_memory_at_once() -> None:
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


def test_the_ledger_is_closed_after_its_block() -> None:
    with Ledger() as ledger:
        ledger.write([Reference("avatars/1", "ada")])
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        list(ledger.read())


def test_the_ledger_is_closed_while_it_is_being_read() -> None:
    with Ledger() as ledger:
        ledger.write(Reference(f"avatars/{number}", "ada") for number in range(10))
        reading = ledger.read()
        next(reading)
    with pytest.raises(sqlite3.ProgrammingError):
        next(reading)


def test_an_error_while_references_are_written_surfaces() -> None:
    def rows() -> Iterator[Reference]:
        yield Reference("avatars/1", "ada")
        raise ConnectionError

    with Ledger() as ledger, pytest.raises(ConnectionError):
        ledger.write(rows())
