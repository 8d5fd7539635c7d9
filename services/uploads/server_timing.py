"""Measures the calls to AWS that a request makes, and sends their times in its response (W3C: "Server Timing").

Only the local demo turns it on: its page draws the calls. In a deployment it would tell strangers how the service
works.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from litestar.middleware import ASGIMiddleware

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

_calls: ContextVar[list[tuple[str, float]] | None] = ContextVar("calls", default=None)
"""The operations that the current request has called, with the milliseconds of each. Its threads share the list."""


def measure_calls(client: BaseClient) -> None:
    """Measure the client's calls from the request to the header section of its response."""
    client.meta.events.register("before-call", _begin)  # pyright: ignore[reportUnknownMemberType]
    client.meta.events.register("after-call", _end)  # pyright: ignore[reportUnknownMemberType]


def _begin(context: dict[str, Any], **_: object) -> None:
    context["began"] = time.perf_counter()


def _end(context: dict[str, Any], model: Any, **_: object) -> None:
    calls = _calls.get()
    if calls is not None:
        calls.append((model.name, 1000 * (time.perf_counter() - context["began"])))


class ServerTiming(ASGIMiddleware):
    """Adds the header `Server-Timing` to the response of a request that has called AWS."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        calls: list[tuple[str, float]] = []
        _calls.set(calls)

        async def send_with_times(message: Message) -> None:
            if message["type"] == "http.response.start" and calls:
                value = ", ".join(f"{name};dur={milliseconds:.1f}" for name, milliseconds in calls)
                message["headers"] = [*message["headers"], (b"server-timing", value.encode())]
            await send(message)

        await next_app(scope, receive, cast("Send", send_with_times))
