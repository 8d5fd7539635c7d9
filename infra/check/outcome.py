"""What a check is, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.check.visit import Visit

Outcome = Literal["ok", "failed", "not checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """`run` raises one of the two errors below, or the check is ok."""

    name: str
    sentence: str
    """What is true of a correct deployment."""
    run: Callable[[Visit], None]


@dataclass(frozen=True, slots=True)
class Line:
    """The outcome of a check."""

    name: str
    sentence: str
    outcome: Outcome
    detail: str = ""


class CheckFailedError(Exception):
    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected}, got {got}")


class NotCheckedError(Exception):
    """The text says why."""


def require(condition: object, expected: str, got: object) -> None:
    """
    Raises:
        CheckFailedError: the condition is false.
    """
    if not condition:
        raise CheckFailedError(expected, str(got))
