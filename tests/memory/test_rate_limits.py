"""The memory of a rate limit does not grow with the number of callers."""

from __future__ import annotations

import tracemalloc

from services.web.rate_limits import RateLimit


def test_memory_does_not_grow_with_the_callers() -> None:
    limit = RateLimit(60, lambda: 1000.0, max_keys=1000)
    tracemalloc.start()
    try:
        for number in range(2000):
            limit.take(f"2001:db8::{number:x}")
        full, _ = tracemalloc.get_traced_memory()
        for number in range(20_000):
            limit.take(f"2001:db9::{number:x}")
        later, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert later < full * 1.1
    assert peak < 1000 * 400
