"""Measures the error of the task's clock, and writes it as metrics.

ECS compares the clock with Amazon Time Sync and reports the error at the task metadata endpoint, as `ClockDrift`:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate-response.html
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import httpx2
import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from litestar import Litestar

    from services.web.metrics import Metrics

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 60
"""Time between two measurements."""

TIMEOUT_SECONDS = 5
"""Maximum time of a measurement, from the request to the end of the response."""


class ClockDrift(msgspec.Struct, frozen=True, rename="pascal"):
    clock_error_bound: Annotated[float, msgspec.Meta(ge=0)]
    """Difference between the clock and UTC, milliseconds."""
    clock_synchronization_status: str

    @property
    def is_synchronized(self) -> bool:
        """Whether the last synchronization of the clock succeeded. The other status is `NOT_SYNCHRONIZED`."""
        return self.clock_synchronization_status == "SYNCHRONIZED"


class _TaskMetadata(msgspec.Struct, rename="pascal"):
    clock_drift: ClockDrift


def parse_task_metadata(document: bytes) -> ClockDrift:
    """
    Raises:
        MsgspecError: the document does not state the error of the clock.
    """
    return msgspec.json.decode(document, type=_TaskMetadata).clock_drift


def publish_clock_error(
    endpoint: str | None,
    metrics: Metrics,
    interval_seconds: float = INTERVAL_SECONDS,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Make a `lifespan` context manager that measures the error of the clock in the background.

    It does nothing without an endpoint, or if metrics are off.
    """

    @asynccontextmanager
    async def publish(_: Litestar) -> AsyncGenerator[None]:
        if endpoint is None or not metrics.on:
            yield
            return
        task = asyncio.create_task(_measure_repeatedly(f"{endpoint}/task", metrics, interval_seconds, timeout_seconds))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    return publish


async def _measure_repeatedly(url: str, metrics: Metrics, interval_seconds: float, timeout_seconds: float) -> None:
    # The endpoint has a link-local address, which no proxy can reach, and uses plain HTTP. Loading the certificates for
    # HTTPS would block the event loop for 20 ms.
    no_certificates = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with httpx2.AsyncClient(trust_env=False, verify=no_certificates) as client:
        while True:
            try:
                async with asyncio.timeout(timeout_seconds):
                    response = await client.get(url)
                drift = parse_task_metadata(response.raise_for_status().content)
            except (httpx2.HTTPError, httpx2.InvalidURL, msgspec.MsgspecError, TimeoutError) as error:
                logger.warning("The error of the task's clock is unknown: %r", error)
                metrics.measure("ClockSynchronized", 0, "None")
            else:
                metrics.measure("ClockErrorBound", drift.clock_error_bound, "Milliseconds")
                metrics.measure("ClockSynchronized", int(drift.is_synchronized), "None")
            await asyncio.sleep(interval_seconds)
