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
from services.web.callers.verifier import Verifier
from services.web.metrics import Metrics
from services.web.openapi import describe_api
from services.web.problems import problem_details
from services.web.rate_limits import RateLimit
from services.web.server import API_HEADERS, send_always, widen_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient

    from services.auth.settings import Settings

DESCRIPTION = """Logs the demo's users in and says who calls. A login needs no password: whoever is in the table may.

Programs send the access token as `Authorization: Bearer …`; browsers have it in a cookie that no script can read.
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
    """`metrics`: those of the settings where there are no others."""
    counting = metrics or Metrics("auth", settings.metrics)
    audience = Audience(settings.origin)
    keys = tuple(SigningKey(kms, key_id.strip()) for key_id in settings.signing_keys.split(","))
    tokens = Tokens(keys, audience, settings.token_seconds, clock)
    logins = RateLimit(settings.logins_per_minute, stopwatch)
    users = Users(dynamodb, settings.table)

    async def own_keys() -> str:
        return msgspec.json.encode(tokens.key_set).decode()

    async def load_keys() -> None:
        # Before the first request: a service that can't reach its key is not healthy, and key_set never blocks.
        await anyio.to_thread.run_sync(lambda: tokens.key_set)

    guard = Guard(audience, Verifier(audience, own_keys))
    return Litestar(
        make_routes(audience, guard, users, tokens, logins, counting),
        request_class=StrictRequest,
        guards=[require_json],
        before_send=[send_always(API_HEADERS)],
        on_startup=[widen_threads, load_keys],
        plugins=[problem_details(ERRORS, counting)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,  # the process's own stays
        openapi_config=describe_api("auth", "/auth/schema", DESCRIPTION, audience),
    )
