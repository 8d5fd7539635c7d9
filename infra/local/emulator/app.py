"""MiniStack as an ASGI application that runs lifecycle rules at its start, daily and on demand, and injects faults."""

from __future__ import annotations

import asyncio
import importlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Litestar, get, post
from litestar.params import JSONBody

from infra.local.asgi_messages import send_problem
from infra.local.controls import ControlEndpoint
from infra.local.emulator import layer
from infra.local.emulator.clock import MAX_AHEAD, Clock, TooFarAheadError, run_daily
from infra.local.emulator.faults import FaultyAws
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.faults import FAULTS_PATH, FaultChoice, Injection
from services.web.bodies import StrictRequest
from services.web.problems import Problem, problem_details

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Receive = Callable[[], Awaitable[Any]]
    Send = Callable[[Any], Awaitable[None]]


INTERNAL_PREFIX = "/_"
"""Prefix of MiniStack's own paths, such as that of its reset. They need no signature."""
RESET_PATH = "/_reset"
"""Sets the clock to the real time and lifts the fault."""
MAX_BODY_BYTES = 200
TOO_FAR_AHEAD = Problem("too-far-ahead", 409, "The clock can't be moved that far ahead")


class Deleted(msgspec.Struct, frozen=True):
    bucket: str
    key: str
    rule: str
    expired: datetime


class LifecycleClock(msgspec.Struct, frozen=True):
    now: datetime
    days_ahead: float
    rules: list[dict[str, Any]]
    deleted: list[Deleted] = []


class MoveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    days: Annotated[int, msgspec.Meta(ge=1, le=MAX_AHEAD.days, description="Number of days to move the clock ahead.")]


class Emulator:
    """The ASGI application. It imports MiniStack when it is created, since that import reads the environment."""

    def __init__(self, region: str) -> None:
        self._clock = Clock()
        self._region = region
        self._s3 = importlib.import_module("ministack.services.s3")
        layer.install(self._s3, self._clock)
        self._ministack = importlib.import_module("ministack.app").app
        self._aws = FaultyAws(self._ministack)
        # No page sends requests to the emulator itself: the gateway forwards those of the demo's page.
        self._control = ControlEndpoint(self._create_control(), None, "GET")
        self._internal = ControlEndpoint(self._ministack, None, "GET", "HEAD")
        self._daily: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._ministack(scope, receive, self._start_with(send))
        elif scope["type"] == "http" and scope["path"] in {LIFECYCLE_PATH, FAULTS_PATH, RESET_PATH}:
            await self._control(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(INTERNAL_PREFIX):
            await self._internal(scope, receive, send)
        elif scope["type"] == "http" and _is_signed_by_page(scope):
            await send_problem(send, 403, "foreign-origin", "A page may only post forms")
        else:
            await self._aws(scope, receive, send)

    def _start_with(self, send: Send) -> Send:
        async def send_and_start(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                # Objects in kept state may have expired while the emulator was stopped.
                self._expire()
                self._daily = asyncio.create_task(run_daily(self._clock, self._expire))
            elif message["type"] == "lifespan.shutdown.complete" and self._daily:
                self._daily.cancel()
            await send(message)

        return send_and_start

    def _expire(self) -> list[Deleted]:
        expired = layer.expire_objects(self._s3, self._region, self._clock.now())
        return [Deleted(bucket, key, expiration.rule, expiration.when) for bucket, key, expiration in expired]

    def _create_control(self) -> Litestar:
        @get(LIFECYCLE_PATH)
        async def show() -> LifecycleClock:
            return self._show([])

        @post(LIFECYCLE_PATH, status_code=200, request_max_body_size=MAX_BODY_BYTES)
        async def move(data: JSONBody[MoveRequest]) -> LifecycleClock:
            self._clock.move(timedelta(days=data.days))
            return self._show(self._expire())

        @get(FAULTS_PATH)
        async def show_fault() -> FaultChoice:
            return FaultChoice(self._aws.fault)

        @post(FAULTS_PATH, status_code=200, request_max_body_size=MAX_BODY_BYTES)
        async def inject(data: JSONBody[Injection]) -> FaultChoice:
            self._aws.inject(data.fault, data.process_ids)
            return FaultChoice(self._aws.fault)

        @post(RESET_PATH, status_code=204)
        async def reset() -> None:
            self._clock.reset()
            self._aws.inject(None)

        return Litestar(
            [show, move, show_fault, inject, reset],
            request_class=StrictRequest,
            plugins=[problem_details({TooFarAheadError: TOO_FAR_AHEAD})],
            openapi_config=None,
        )

    def _show(self, deleted: list[Deleted]) -> LifecycleClock:
        rules = layer.list_rules(self._s3, self._region)
        return LifecycleClock(self._clock.now(), self._clock.ahead / timedelta(days=1), rules, deleted)


def _is_signed_by_page(scope: Any) -> bool:
    """Whether a page signs this request, or asks to in a preflight request. The demo's page posts forms and loads
    pictures only. MiniStack does not verify signatures of its root key, and allows every page to call every service but
    S3.
    """
    headers = dict(scope["headers"])
    wanted = {name.strip() for name in headers.get(b"access-control-request-headers", b"").lower().split(b",")}
    if scope["method"] == "OPTIONS" and not wanted <= {b"", b"content-type"}:
        return True
    query = scope["query_string"].lower()
    # An `img` element sends no origin. Only the query API of services such as IAM has an `Action`.
    if b"x-amz-credential=" in query and (b"origin" in headers or b"action=" in query):
        return True
    is_form = headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
    return {b"origin", b"authorization"} <= headers.keys() and not is_form
