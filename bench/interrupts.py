"""Ctrl-C and SIGTERM, for commands that have processes to stop."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C stopped, as shells report it."""


def handle_signals() -> None:
    """Raise `KeyboardInterrupt` in the main thread at the next signal, and ignore those after it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not interrupt the shutdown.
    ignore_signals()
    raise KeyboardInterrupt
