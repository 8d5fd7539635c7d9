"""The rate limits, with a clock that the test sets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from litestar.testing import RequestFactory

from services.web.rate_limits import RateLimit, TooManyRequestsError, find_caller_address, find_network

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def find_wait(limit: RateLimit, key: str) -> int | None:
    """Seconds to wait if the call is refused."""
    try:
        limit.take(key)
    except TooManyRequestsError as error:
        return error.retry_after
    return None


def count_taken(limit: RateLimit, key: str, tries: int) -> int:
    """The number of these simultaneous calls that pass."""
    return sum(find_wait(limit, key) is None for _ in range(tries))


@pytest.mark.parametrize("per_minute", [1, 3, 7, 60, 120, 1000])
def test_a_burst_of_one_minute_s_calls_passes_and_no_more(clock: Clock, per_minute: int) -> None:
    assert count_taken(RateLimit(per_minute, clock), "ada", per_minute + 10) == per_minute


@pytest.mark.parametrize("per_minute", [1, 3, 7, 60, 120, 1000])
def test_calls_after_the_burst_pass_at_an_even_rate(clock: Clock, per_minute: int) -> None:
    limit = RateLimit(per_minute, clock)
    count_taken(limit, "ada", per_minute)
    for _ in range(3):
        clock.now += 60 / per_minute
        assert count_taken(limit, "ada", 2) == 1


def test_after_a_minute_without_calls_the_whole_burst_passes_again(clock: Clock) -> None:
    limit = RateLimit(5, clock)
    count_taken(limit, "ada", 9)
    clock.now += 60
    assert count_taken(limit, "ada", 9) == 5


def test_each_caller_has_an_own_limit(clock: Clock) -> None:
    limit = RateLimit(5, clock)
    count_taken(limit, "ada", 9)
    assert count_taken(limit, "bob", 9) == 5


def test_zero_is_no_limit(clock: Clock) -> None:
    assert count_taken(RateLimit(0, clock), "ada", 1000) == 1000


@given(st.integers(1, 300), st.floats(0, 1e6), st.lists(st.floats(0, 2), max_size=50))
@example(1, 1.7939268484779372, [0.0, 0.0])
def test_a_call_after_the_stated_wait_passes(per_minute: int, now: float, pauses: list[float]) -> None:
    clock = Clock(now)
    limit = RateLimit(per_minute, clock)
    count_taken(limit, "ada", per_minute)
    for pause in pauses:
        clock.now += pause
        wait = find_wait(limit, "ada")
        if wait is not None:
            assert 1 <= wait <= 60
            clock.now += wait
            limit.take("ada")


@given(st.integers(1, 120), st.lists(st.floats(0, 5), max_size=300))
def test_no_period_passes_more_calls_than_the_burst_and_the_rate_allow(per_minute: int, pauses: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(per_minute, clock)
    taken = 0
    for pause in pauses:
        clock.now += pause
        taken += count_taken(limit, "ada", 3)
    assert taken <= per_minute + (clock.now - 1000) * per_minute / 60 + 0.01


def test_a_refused_call_does_not_count(clock: Clock) -> None:
    limit = RateLimit(60, clock)
    count_taken(limit, "ada", 1000)
    clock.now += 1
    assert count_taken(limit, "ada", 1) == 1


def test_the_least_recently_used_caller_is_dropped(clock: Clock) -> None:
    limit = RateLimit(1, clock, max_keys=10)
    count_taken(limit, "quiet", 1)
    count_taken(limit, "busy", 1)
    for number in range(100):
        limit.take(f"other {number}")
        assert count_taken(limit, "busy", 1) == 0
    assert count_taken(limit, "quiet", 1) == 1


def test_threads_together_pass_no_more_than_the_limit(clock: Clock) -> None:
    limit = RateLimit(500, clock)
    with ThreadPoolExecutor(8) as threads:
        taken = sum(threads.map(count_taken, [limit] * 8, ["ada"] * 8, [200] * 8))
    assert taken == 500


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:0DB8:1:2::1", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("192.0.2.7, 198.51.100.1", None),
        ("192.0.2.7:443", None),
        ("", None),
        ("somebody", None),
    ],
)
def test_an_address_is_read_as_its_network(address: str, network: str | None) -> None:
    assert find_network(address) == network


@pytest.mark.parametrize(
    ("headers", "caller"),
    [
        ({"X-Client-Address": "192.0.2.7"}, "192.0.2.7"),
        ({"X-Client-Address": "192.0.2.7", "X-Forwarded-For": "198.51.100.1"}, "192.0.2.7"),
        ({"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.1"}, "203.0.113.9"),
        ({"X-Client-Address": "whoever"}, "203.0.113.9"),
        ({}, "203.0.113.9"),
    ],
)
def test_the_caller_s_address_comes_from_the_edge_or_else_from_the_connection(
    headers: Mapping[str, str], caller: str
) -> None:
    request: Any = RequestFactory().post("/auth/login", headers=dict(headers))
    request.scope["client"] = ("203.0.113.9", 1234)
    assert find_caller_address(request) == caller
