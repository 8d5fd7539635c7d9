from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from litestar import Litestar

from services.auth.problems import ERRORS
from services.auth.routes import make_routes
from services.auth.tokens import SigningKey, Tokens
from services.auth.users import Users
from services.web.bodies import MAX_BODY_BYTES, StrictRequest, require_json
from services.web.callers.guard import Guard
from services.web.callers.identity import Audience
from services.web.callers.issuer import Issuer
from services.web.callers.verifier import Verifier
from services.web.metrics import Metrics
from services.web.openapi import describe_api
from services.web.problem_response import API_HEADERS
from services.web.problems import problem_details
from services.web.rate_limits import RateLimit
from services.web.server import enlarge_thread_pool, send_always

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient

    from services.auth.settings import Settings

DESCRIPTION = """Logs the demo's users in. A login needs no password: every user in the table can log in.

Programs send the access token in the header `Authorization: Bearer …`. Browsers send it in an HttpOnly cookie.
"""


def create_app(
    settings: Settings,
    *,
    dynamodb: DynamoDBClient,
    kms: KMSClient,
    clock: Callable[[], float] = time.time,
    stopwatch: Callable[[], float] = time.monotonic,
    metrics: Metrics | None = None,
) -> Litestar:
    """By default `metrics` follows the settings."""
    metrics = metrics or Metrics("auth", settings.metrics_namespace, on=settings.metrics)
    audience = Audience(settings.origin)
    keys = tuple(SigningKey(kms, key_id.strip()) for key_id in settings.signing_keys.split(","))
    tokens = Tokens(keys, audience, settings.token_seconds, clock)
    logins = RateLimit(settings.logins_per_minute, stopwatch)
    users = Users(dynamodb, settings.table)

    async def read_keys() -> str:
        return msgspec.json.encode(tokens.key_set).decode()

    async def load_keys() -> None:
        # A service that can't read its keys from KMS does not start. Afterwards `key_set` returns them without a call.
        await anyio.to_thread.run_sync(lambda: tokens.key_set)

    guard = Guard(audience, Verifier(Issuer.of_auth_service(audience), read_keys))
    return Litestar(
        make_routes(audience, settings.other_origins, guard, users, tokens, logins, metrics),
        request_class=StrictRequest,
        before_request=require_json,
        before_send=[send_always(API_HEADERS)],
        on_startup=[enlarge_thread_pool, load_keys],
        plugins=[problem_details(ERRORS, metrics)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,  # keep the configuration of the process
        openapi_config=describe_api("auth", "/auth/schema", DESCRIPTION, audience),
    )
