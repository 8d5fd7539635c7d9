from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import NoCredentialsError
from litestar import Litestar

from services.uploads.bucket import Bucket
from services.uploads.confirm import Confirmer
from services.uploads.form import Signer
from services.uploads.notifier import Notifier
from services.uploads.outbox import Outbox
from services.uploads.presign import Presigner
from services.uploads.problems import ERRORS
from services.uploads.removal import Remover
from services.uploads.routes import RateLimits, make_routes
from services.uploads.server_timing import ServerTiming, measure_calls
from services.uploads.strategies import STRATEGIES
from services.uploads.user_pictures import UserPictures
from services.uploads.users import Users
from services.uploads.webhook import make_webhook
from services.web.bodies import MAX_BODY_BYTES, StrictRequest, require_json
from services.web.callers.guard import make_guard
from services.web.callers.identity import Audience
from services.web.clock_error import publish_clock_error
from services.web.metrics import Metrics
from services.web.openapi import describe_api
from services.web.pictures import Pictures
from services.web.problem_response import API_HEADERS
from services.web.problems import problem_details
from services.web.rate_limits import RateLimit
from services.web.server import enlarge_thread_pool, send_always

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

    from services.uploads.settings import Settings

DESCRIPTION = """Pictures are uploaded in three phases: presign returns a form, the browser posts the file to the bucket
with that form, and confirm makes the object the user's picture of its kind. The upload never passes through this
service; confirm reads the stored file once, to check it.

If there is no confirm, the old picture stays, and a lifecycle rule deletes the posted object after a day.
"""

READ_MEMORY_BYTES = 100_000_000
"""Memory for the objects that are read at the same time. Further confirms wait for a thread."""

MAX_READING_THREADS = 40
"""As many as run route handlers. With the default `MAX_BYTES`, the memory allows fewer: twenty."""


def create_app(
    settings: Settings,
    *,
    s3: S3Client,
    dynamodb: DynamoDBClient,
    credentials: Callable[[], Credentials | None],
    clock: Callable[[], float] = time.time,
    stopwatch: Callable[[], float] = time.monotonic,
    metrics: Metrics | None = None,
) -> Litestar:
    """Forms are signed with `credentials`. By default `metrics` follows the settings.

    Raises:
        NoCredentialsError: boto3 finds no credentials.
    """
    if credentials() is None:
        raise NoCredentialsError  # `Bucket.find_destination` would fail with an obscure error
    if settings.server_timing:
        measure_calls(s3)
        measure_calls(dynamodb)
    metrics = metrics or Metrics("uploads", settings.metrics_namespace, on=settings.metrics)
    audience = Audience(settings.origin)
    guard = make_guard(settings)
    rate_limits = RateLimits(
        presigns=RateLimit(settings.presigns_per_minute, stopwatch),
        confirms=RateLimit(settings.confirms_per_minute, stopwatch),
    )
    max_bytes = max(limits.max_bytes for limits in settings.limits.pictures.values())
    readers = max(1, min(READ_MEMORY_BYTES // max_bytes, MAX_READING_THREADS))
    executor = ThreadPoolExecutor(readers, thread_name_prefix="read")
    bucket = Bucket(s3, settings.bucket)
    strategy = STRATEGIES[settings.pending]
    presigner = Presigner(Signer(bucket.find_destination(), credentials), strategy, settings.limits, clock)
    users = Users(dynamodb, settings.table, creates=settings.new_users == "create")
    confirmer = Confirmer(
        bucket=bucket,
        users=users,
        strategy=strategy,
        limits=settings.limits,
        clock=clock,
        executor=executor,
    )
    remover = Remover(users, clock)
    webhook = make_webhook(settings.confirmed_url, settings.confirmed_secret)
    notifier = Notifier(webhook, users, bucket, settings.limits.pictures) if webhook else None
    outbox = Outbox(notifier, metrics)
    pictures = Pictures(s3, settings.bucket, settings.picture_url_seconds, clock, credentials)
    user_pictures = UserPictures(users, pictures, settings.origin)
    return Litestar(
        make_routes(guard, presigner, confirmer, remover, outbox, user_pictures, rate_limits, metrics),
        request_class=StrictRequest,
        middleware=[ServerTiming()] if settings.server_timing else [],
        before_request=require_json,
        before_send=[send_always(API_HEADERS)],
        lifespan=[publish_clock_error(settings.ecs_container_metadata_uri_v4, metrics)],
        on_startup=[enlarge_thread_pool],
        on_shutdown=[outbox.close, executor.shutdown],
        plugins=[problem_details(ERRORS, metrics)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,  # keep the configuration of the process
        openapi_config=describe_api(
            "uploads", "/uploads/schema", DESCRIPTION, audience, has_session=settings.issuer is None
        ),
    )
