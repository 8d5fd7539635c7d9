"""Shares reads between concurrent requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value")

MAX_WAIT_SECONDS = 1
"""How long a read waits for the previous one of the same key. It then starts while the previous one still runs."""


class SharedReads(Generic[Key, Value]):
    """Reads values in threads. Requests that arrive while a value is being read share the next read of it.

    A request never gets the result of a read that began before the request arrived, so it sees every earlier change.
    """

    def __init__(self, read: Callable[[Key], Value], max_wait_seconds: float = MAX_WAIT_SECONDS) -> None:
        self._read = read
        self._max_wait_seconds = max_wait_seconds
        self._running: dict[Key, asyncio.Task[Value]] = {}
        """For each key, the latest read that has begun."""
        self._waiting: dict[Key, asyncio.Task[Value]] = {}
        """For each key, the next read, which has not begun."""

    async def get(self, key: Key) -> Value:
        """The value at a time after the call. It raises what `read` raises."""
        reading = self._waiting.get(key)
        if reading is None:
            reading = asyncio.create_task(self._read_after(key, self._running.get(key)))
            self._waiting[key] = reading
        # The read continues for the other requests if this one is cancelled.
        return await asyncio.shield(reading)

    async def _read_after(self, key: Key, previous: asyncio.Task[Value] | None) -> Value:
        if previous is not None:
            await asyncio.wait([previous], timeout=self._max_wait_seconds)
        reading = self._running[key] = self._waiting.pop(key)
        try:
            return await asyncio.to_thread(self._read, key)
        finally:
            if self._running.get(key) is reading:
                del self._running[key]
