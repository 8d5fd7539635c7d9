"""A rate limit takes no more memory, however many callers there are."""

from __future__ import annotations

import tracemalloc

from services.web.rate_limits import RateLimit


def test_a_flood_of_callers_takes_no_more_memory_than_said() -> None:
    limit = RateLimit(60, lambda: 1000.0, max_keys=1000)
    tracemalloc.start()
    try:
        for number in range(2000):
            limit.take(f"2001:db8::{number:x}")
        full, _ = tracemalloc.get_traced_memory()
        for number in range(20_000):
            limit.take(f"2001:db9::{number:x}")
        later, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert later < full * 1.1
    assert most < 1000 * 400
