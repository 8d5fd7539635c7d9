"""Concurrent requests share reads, and each sees every change before it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from services.frontend.shared_reads import SharedReads

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Source:
    """A value whose reads last until they are released. A read returns the value at its beginning."""

    def __init__(self) -> None:
        self.value = 0
        self.begun = threading.Semaphore(0)
        self.released = threading.Semaphore(0)
        self.count = 0

    def read(self, key: str) -> str:
        self.count += 1
        value = self.value
        self.begun.release()
        assert self.released.acquire(timeout=10)
        if value < 0:
            raise ValueError(key)
        return f"{key}{value}"


@pytest.fixture
def source() -> Source:
    return Source()


async def start(reading: Coroutine[None, None, str]) -> asyncio.Task[str]:
    """Start the request, and let it come as far as it can without a thread."""
    task = asyncio.create_task(reading)
    for _ in range(3):
        await asyncio.sleep(0)
    return task


async def wait_for_begin(source: Source) -> None:
    assert await asyncio.to_thread(source.begun.acquire, timeout=10)


def test_requests_during_a_read_share_the_next_one(source: Source) -> None:
    async def run() -> list[str]:
        shared = SharedReads(source.read, max_wait_seconds=60)
        first = await start(shared.get("a"))
        await wait_for_begin(source)
        source.value = 1
        later = [await start(shared.get("a")) for _ in range(3)]
        source.value = 2
        source.released.release(2)
        return [await request for request in (first, *later)]

    assert asyncio.run(run()) == ["a0", "a2", "a2", "a2"]
    assert source.count == 2


def test_each_key_has_its_own_reads(source: Source) -> None:
    async def run() -> list[str]:
        shared = SharedReads(source.read)
        requests = [await start(shared.get(key)) for key in "ab"]
        for _ in requests:
            await wait_for_begin(source)
        source.released.release(2)
        return [await request for request in requests]

    assert asyncio.run(run()) == ["a0", "b0"]


def test_a_read_does_not_wait_long_for_the_previous_one(source: Source) -> None:
    async def run() -> list[str]:
        shared = SharedReads(source.read, max_wait_seconds=0)
        requests: list[asyncio.Task[str]] = []
        for source.value in range(3):
            requests.append(await start(shared.get("a")))
            await wait_for_begin(source)
        source.released.release(3)
        return [await request for request in requests]

    assert asyncio.run(run()) == ["a0", "a1", "a2"]


def test_each_request_gets_the_error_of_its_read_and_the_next_read_succeeds(source: Source) -> None:
    async def run() -> list[str | BaseException]:
        shared = SharedReads(source.read, max_wait_seconds=60)
        source.value = -1
        failing = [asyncio.create_task(shared.get("a")) for _ in range(2)]
        await wait_for_begin(source)
        source.value = 1
        succeeding = await start(shared.get("a"))
        source.released.release(2)
        return await asyncio.gather(*failing, succeeding, return_exceptions=True)

    *errors, value = asyncio.run(run())
    assert [type(error) for error in errors] == [ValueError, ValueError]
    assert value == "a1"


def test_a_cancelled_request_does_not_end_the_read_of_the_others(source: Source) -> None:
    async def run() -> str:
        shared = SharedReads(source.read)
        cancelled, other = [asyncio.create_task(shared.get("a")) for _ in range(2)]
        await wait_for_begin(source)
        cancelled.cancel()
        source.released.release()
        return await other

    assert asyncio.run(run()) == "a0"


def test_nothing_is_kept_after_a_read(source: Source) -> None:
    shared = SharedReads(source.read)
    source.released.release()
    asyncio.run(shared.get("a"))
    assert vars(shared) == vars(SharedReads(source.read))
