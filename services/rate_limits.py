"""How often one user, or one address, may call. Each process counts for itself."""

from __future__ import annotations

import math
import threading
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Request

CLIENT_ADDRESS_HEADER = "X-Client-Address"
"""Who calls, as the edge sees it, which overwrites what a client says there. `X-Forwarded-For` begins with whatever a
client likes."""

MOST_KEYS = 100_000
"""Callers that are remembered; about 15 MB of them. One more, and the one that was quiet the longest is forgotten."""

MINUTE = 60.0
IPV6_NETWORK_BITS = 64


class TooManyRequestsError(Exception):
    def __init__(self, retry_after: int) -> None:
        super().__init__(f"This was asked for too often. Try again in {retry_after} s.")
        self.retry_after = retry_after
        """Seconds."""


class RateLimit:
    """So many a minute for each key: all of them at once, if need be, and then one after the other, evenly.

    The generic cell rate algorithm (ATM Forum, Traffic Management 4.0): of each key it remembers one time only, that at
    which all of its calls would have been due. `clock`: seconds that never go back. Safe to use from several threads.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float], most_keys: int = MOST_KEYS) -> None:
        """`per_minute`: 0 is no limit."""
        self._interval = MINUTE / per_minute if per_minute else 0.0
        self._clock = clock
        self._most_keys = most_keys
        self._due: dict[str, float] = {}
        self._counting = threading.Lock()

    def take(self, key: str) -> None:
        """
        Raises:
            TooManyRequestsError: not now. This call does not count.
        """
        if not self._interval:
            return
        with self._counting:
            now = self._clock()
            # Out and in again: a dictionary keeps its order, and so the one that was quiet the longest is its first.
            due = max(self._due.pop(key, now), now)
            wait = due + self._interval - (now + MINUTE)
            # Sums of intervals are a little off, and the last of the first minute's calls must not be refused for it.
            is_refused = wait > self._interval / 1000
            self._due[key] = due if is_refused else due + self._interval
            if len(self._due) > self._most_keys:
                del self._due[next(iter(self._due))]
        if is_refused:
            raise TooManyRequestsError(math.ceil(wait))


def find_caller_address(request: Request[Any, Any, Any]) -> str:
    """The client's address; of IPv6 its network, of which every household has one and all the addresses in it."""
    told = request.headers.get(CLIENT_ADDRESS_HEADER, "")
    peer = request.client.host if request.client else ""
    return find_network(told) or find_network(peer) or peer


def find_network(address: str) -> str | None:
    """None for what is no address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
