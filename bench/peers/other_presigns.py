"""Two implementations of presign that were not chosen (docs/decisions/0015-every-route-is-a-handler.md).

`FORM=asgi`: Litestar's router calls an ASGI application. `FORM=bare`: that application runs without Litestar, so that
exceptions do not become problem details.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, cast

import boto3
import msgspec
from litestar import Litestar, Request, asgi, get

from services.store.clients import S3_CONFIG
from services.uploads.bucket import Bucket
from services.uploads.form import Signer
from services.uploads.presign import Presigner
from services.uploads.problems import ERRORS
from services.uploads.routes import PresignRequest, RateLimits, make_routes
from services.uploads.settings import Settings
from services.uploads.strategies import STRATEGIES
from services.web.callers.guard import make_guard
from services.web.metrics import Metrics
from services.web.problem_response import API_HEADERS
from services.web.problems import problem_details
from services.web.rate_limits import RateLimit
from services.web.server import send_always, serve

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

    from services.uploads.confirm import Confirmer
    from services.uploads.outbox import Outbox
    from services.uploads.removal import Remover
    from services.uploads.user_pictures import UserPictures


def make_presign(settings: Settings) -> ASGIApp:
    """Make an ASGI application that calls the handler's function without Litestar's work before and after it."""
    session = boto3.Session()
    bucket = Bucket(session.client("s3", config=S3_CONFIG), settings.bucket)
    guard = make_guard(settings)
    handler, *_ = make_routes(
        guard,
        Presigner(
            Signer(bucket.find_destination(), session.get_credentials),
            STRATEGIES[settings.pending],
            settings.limits,
            time.time,
        ),
        cast("Confirmer", None),  # only confirm uses it
        cast("Remover", None),  # only the removal uses it
        cast("Outbox", None),  # only confirm and the removal use it
        cast("UserPictures", None),  # only confirm and the redirect use it
        RateLimits(*(RateLimit(settings.presigns_per_minute, time.monotonic) for _ in range(2))),
        Metrics("uploads", on=settings.metrics),
    )

    async def presign(scope: Scope, receive: Receive, send: Send) -> None:
        message: Any = await receive()  # a body of this size is one message
        data = msgspec.json.decode(message["body"], type=PresignRequest)
        request = Request[Any, Any, Any](scope)
        await guard.require_caller(request)
        body = msgspec.json.encode(await handler.fn(request, data))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return presign


def create_routed(settings: Settings) -> Litestar:
    @get("/healthz")
    async def healthz() -> dict[str, str]:
        return {}

    return Litestar(
        [asgi("/uploads/presign", copy_scope=False)(make_presign(settings)), healthz],
        before_send=[send_always(API_HEADERS)],
        plugins=[problem_details(ERRORS)],
        logging_config=None,
        openapi_config=None,
    )


def create_bare(settings: Settings) -> Any:
    presign = make_presign(settings)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/uploads/presign":
            await presign(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}", "more_body": False})

    return answer


if __name__ == "__main__":
    forms = {"asgi": create_routed, "bare": create_bare}
    serve("uploads", Settings, os.environ, forms[os.environ["FORM"]])
