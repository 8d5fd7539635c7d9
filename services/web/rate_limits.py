"""Rate limits for each user or address. Each process counts on its own."""

from __future__ import annotations

import math
import threading
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Request

CLIENT_ADDRESS_HEADER = "X-Client-Address"
"""The client's address. API Gateway overwrites whatever the client sends in it; the start of `X-Forwarded-For` is under
the client's control.
"""

MAX_KEYS = 100_000
"""Maximum number of callers that are remembered, about 15 MB. When it is reached, the least recently used entry is
dropped.
"""

MINUTE = 60.0
IPV6_NETWORK_BITS = 64


class TooManyRequestsError(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"There were too many requests. Try again in {retry_after} s.")
        self.retry_after = retry_after
        """Seconds."""


class RateLimit:
    """Allows each key a number of calls a minute. They may come in one burst; after that they are spaced evenly.

    The generic cell rate algorithm (ATM Forum, "Traffic Management Specification 4.0"): for each key it stores one
    value, the theoretical arrival time of the next call. Safe to use from several threads.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float], max_keys: int = MAX_KEYS) -> None:
        """
        Args:
            per_minute: calls for each key; 0 means no limit.
            clock: seconds that never go back.
            max_keys: how many keys are remembered.
        """
        self._interval = MINUTE / per_minute if per_minute else 0.0
        self._clock = clock
        self._due = LRUCache[str, float](max_keys)
        self._counting = threading.Lock()

    def take(self, key: str) -> None:
        """
        Raises:
            TooManyRequestsError: the limit is exceeded. This call does not count towards it.
        """
        if not self._interval:
            return
        with self._counting:
            now = self._clock()
            due = max(self._due.get(key, now), now)
            wait = due + self._interval - (now + MINUTE)
            # Sums of floats have rounding errors, which must not refuse the last call of the first minute.
            tolerance = self._interval / 1000
            is_refused = wait > tolerance
            self._due[key] = due if is_refused else due + self._interval
        if is_refused:
            # Half of the tolerance keeps a rounding error from making 61 seconds of 60. The call after this wait is
            # within the other half, so it passes.
            raise TooManyRequestsError(math.ceil(wait - tolerance / 2))


def find_caller_address(request: Request[Any, Any, Any]) -> str:
    """The client's IPv4 address, or its /64 network for IPv6, since one subscriber has all its addresses."""
    given = request.headers.get(CLIENT_ADDRESS_HEADER, "")
    peer = request.client.host if request.client else ""
    return find_network(given) or find_network(peer) or peer


def find_network(address: str) -> str | None:
    """The address, or its /64 network for IPv6. None if the text is not an address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
