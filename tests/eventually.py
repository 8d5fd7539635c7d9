from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 10


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """For what is promised to become true soon, such as a deletion after the answer."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not become true in time."
        time.sleep(0.01)
