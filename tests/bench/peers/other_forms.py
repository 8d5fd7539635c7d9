"""Presign in the two forms that were not chosen (docs/decisions/0015-presign-is-plain-asgi.md), of the same parts.

`FORM=handler`: as a handler of the framework's, with a dependency. `FORM=bare`: the endpoint alone, with no framework
beneath it, so that nothing makes problems of errors.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import boto3
from litestar import Litestar, get, post
from litestar.di import Provide

from services.store.clients import S3_CONFIG
from services.uploads.bucket import Bucket
from services.uploads.form import Signer
from services.uploads.presign import Presigner
from services.uploads.problems import ERRORS
from services.uploads.routes import PresignAnswer, PresignEndpoint, PresignRequest
from services.uploads.settings import Settings
from services.uploads.strategies import STRATEGIES
from services.web.bodies import MAX_BODY_BYTES, StrictRequest, require_json
from services.web.callers.guard import Guard
from services.web.callers.identity import Audience, Caller
from services.web.callers.key_set import fetch_over_http
from services.web.callers.verifier import Verifier
from services.web.metrics import Metrics
from services.web.problems import problem_details
from services.web.rate_limits import RateLimit
from services.web.server import API_HEADERS, send_always, serve

if TYPE_CHECKING:
    from litestar.params import JSONBody, SkipValidation
    from litestar.types import Receive, Scope, Send


def make_endpoint(settings: Settings) -> PresignEndpoint:
    session = boto3.Session()
    bucket = Bucket(session.client("s3", config=S3_CONFIG), settings.bucket)
    audience = Audience(settings.origin)
    return PresignEndpoint(
        Guard(audience, Verifier(audience, fetch_over_http(settings.jwks_url))),
        Presigner(
            Signer(bucket.find_destination(), session.get_credentials),
            STRATEGIES[settings.pending],
            settings.limits,
            time.time,
        ),
        RateLimit(settings.presigns_per_minute, time.monotonic),
        Metrics("uploads", settings.metrics),
    )


def create_framed(settings: Settings) -> Litestar:
    endpoint = make_endpoint(settings)

    @post("/uploads/presign", status_code=200)
    async def presign(data: JSONBody[PresignRequest], caller: SkipValidation[Caller]) -> PresignAnswer:
        return endpoint.answer(caller, data)

    @get("/healthz")
    async def healthz() -> dict[str, str]:
        return {}

    return Litestar(
        [presign, healthz],
        dependencies={"caller": Provide(endpoint.guard.identify)},
        request_class=StrictRequest,
        before_request=require_json,
        before_send=[send_always(API_HEADERS)],
        plugins=[problem_details(ERRORS, endpoint.metrics)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
        openapi_config=None,
    )


def create_bare(settings: Settings) -> Any:
    endpoint = make_endpoint(settings)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/uploads/presign":
            await endpoint(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"{}", "more_body": False})

    return answer


if __name__ == "__main__":
    forms = {"handler": create_framed, "bare": create_bare}
    serve("uploads", Settings, os.environ, forms[os.environ["FORM"]])
