from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 300
"""How long tests wait for what is bound to come: however busy the machine is, only what hangs takes longer."""


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """For what is promised to become true soon, such as a deletion after the answer."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"It did not become true in {seconds} s."
        time.sleep(0.01)
