from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from litestar import Litestar
from litestar.di import Provide

from services.auth.verifier import PROBLEMS, Audience, Doorkeeper, Verifier, fetch_over_http
from services.metrics import Metrics
from services.problems import TOO_MANY_REQUESTS, UNAVAILABLE, Problem, problem_details
from services.rate_limits import RateLimit, TooManyRequestsError
from services.server import API_HEADERS, StrictRequest, describe_api, require_json, send_always, widen_threads
from services.uploads import routes, upload
from services.uploads.bucket import Bucket
from services.uploads.pending import STRATEGIES
from services.uploads.uploads import KeepsChangingError, TooSlowError, Uploads
from services.uploads.users import UnknownUserError, Users

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

    from services.uploads.settings import Settings

ERRORS = PROBLEMS | {
    upload.TypeNotAllowedError: Problem("type-not-allowed", 415, "Not a type an avatar can have"),
    upload.EmptyFileError: Problem("empty-file", 422, "The file is empty"),
    upload.TooLargeError: Problem("too-large", 413, "The file is too large"),
    upload.UnknownUploadError: Problem("unknown-upload", 404, "There is no such upload"),
    upload.OtherStrategyError: Problem("other-strategy", 409, "The upload was begun in another way"),
    upload.ExpiredError: Problem("expired", 410, "The upload was not confirmed in time"),
    upload.SupersededError: Problem("superseded", 409, "A later upload is the avatar", metric="Superseded"),
    upload.NotAPictureError: Problem("not-a-picture", 422, "The file is not a picture"),
    upload.TypeMismatchError: Problem("type-mismatch", 422, "The file is not what it was declared to be"),
    upload.UnreadablePictureError: Problem("unreadable-picture", 422, "The picture can't be read"),
    upload.TooManyPixelsError: Problem("too-many-pixels", 422, "The picture has too many pixels"),
    KeepsChangingError: Problem("changed", 409, "The upload keeps changing"),
    TooSlowError: UNAVAILABLE,
    UnknownUserError: Problem("unknown-user", 404, "There is no such user"),
    TooManyRequestsError: TOO_MANY_REQUESTS,
}

GATHERING_THREADS = 40
"""As many as the framework runs handlers in, so that no confirm waits for another's reading."""


def create_app(
    settings: Settings,
    *,
    s3: S3Client,
    dynamodb: DynamoDBClient,
    clock: Callable[[], float] = time.time,
    stopwatch: Callable[[], float] = time.monotonic,
    metrics: Metrics | None = None,
) -> Litestar:
    """`metrics`: those of the settings where there are no others."""
    counting = metrics or Metrics("uploads", settings.metrics)
    audience = Audience(settings.origin)
    doorkeeper = Doorkeeper(audience, Verifier(audience, fetch_over_http(settings.jwks_url)))
    presigns = RateLimit(settings.presigns_per_minute, stopwatch)
    executor = ThreadPoolExecutor(GATHERING_THREADS, thread_name_prefix="gather")
    uploads = Uploads(
        bucket=Bucket(s3, settings.bucket),
        users=Users(dynamodb, settings.table),
        strategy=STRATEGIES[settings.pending],
        limits=settings.limits,
        clock=clock,
        executor=executor,
    )
    return Litestar(
        [routes.presign, routes.confirm, routes.healthz],
        dependencies={
            "caller": Provide(doorkeeper.provide_caller),
            "uploads": Provide(lambda: uploads, sync_to_thread=False),
            "presigns": Provide(lambda: presigns, sync_to_thread=False),
            "metrics": Provide(lambda: counting, sync_to_thread=False),
        },
        request_class=StrictRequest,
        before_request=require_json,
        before_send=[send_always(API_HEADERS)],
        on_startup=[widen_threads],
        on_shutdown=[executor.shutdown],
        plugins=[problem_details(ERRORS, counting)],
        request_max_body_size=16_384,
        logging_config=None,  # the process's own stays
        openapi_config=describe_api("uploads", "/uploads/schema"),
    )
