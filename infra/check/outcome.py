"""How a check ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "failed", "not checked"]


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
