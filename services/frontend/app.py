from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.file_system import BaseLocalFileSystem
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router  # pyright: ignore[reportUnknownVariableType]
from litestar.template import TemplateConfig

from services.frontend.changes import Changes
from services.frontend.inspector import Inspector
from services.frontend.listing import Listing
from services.frontend.people import People
from services.frontend.problems import ERRORS
from services.frontend.routes import make_routes
from services.frontend.templates import create_environment
from services.frontend.view import View
from services.web.bodies import MAX_BODY_BYTES, StrictRequest, require_json
from services.web.callers.guard import make_guard
from services.web.callers.identity import Audience
from services.web.openapi import describe_api
from services.web.pictures import Pictures
from services.web.problems import problem_details
from services.web.server import enlarge_thread_pool, send_always

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.credentials import Credentials
    from litestar.types import PathType
    from litestar.types.file_types import FileInfo
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client

    from services.frontend.settings import Settings

STATIC = Path(__file__).parent / "static"

DESCRIPTION = """The users with their pictures, the objects in the bucket and the rows of the table, read-only.

Lists are paginated. Send the `cursor` of a response to get the next page; it is null on the last page.
"""

READING_THREADS = 40
"""Number of threads that call AWS for all page views: as many as one view has objects and rows, and as a client has
connections (`services.store.clients`).
"""


class StaticFileSystem(BaseLocalFileSystem):
    """A file whose name the operating system refuses is not found. Litestar would respond 500."""

    async def info(self, path: PathType, **options: Any) -> FileInfo:  # pyright: ignore[reportUnknownParameterType] - a PathLike
        try:
            return await super().info(path, **options)
        except (OSError, ValueError) as error:  # ValueError: the name contains a null character
            raise FileNotFoundError from error


def create_app(
    settings: Settings,
    *,
    s3: S3Client,
    dynamodb: DynamoDBClient,
    credentials: Callable[[], Credentials | None],
    clock: Callable[[], float] = time.time,
) -> Litestar:
    """`credentials`: returns the credentials with which `s3` signs the pictures' URLs."""
    audience = Audience(settings.origin)
    guard = make_guard(settings)
    executor = ThreadPoolExecutor(READING_THREADS, thread_name_prefix="read")
    people = People(dynamodb, settings.table)
    listing = Listing(s3, settings.bucket, executor, clock)
    # The local demo has objects of both strategies. The search for those of `tag` finds those of `prefix` as well.
    strategy = "tag" if settings.local_demo else settings.pending
    inspector = Inspector(s3, settings.bucket, people, executor, listing, strategy)
    limits = {"width": settings.max_width, "height": settings.max_height, "bytes": settings.max_bytes}
    has_login = settings.issuer is None
    view = View(
        people,
        inspector,
        executor,
        settings.pending,
        limits,
        local_demo=settings.local_demo,
        has_login=has_login,
    )
    changes = Changes(inspector, has_login=has_login)
    pictures = Pictures(s3, settings.bucket, settings.picture_url_seconds, clock, credentials)
    environment = create_environment()
    return Litestar(
        [
            *make_routes(guard, view, changes, people, pictures, inspector),
            create_static_files_router(
                path="/static",
                directories=[STATIC],
                file_system=StaticFileSystem(),
                cache_control=None,
                include_in_schema=False,
            ),
        ],
        template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(environment)),
        request_class=StrictRequest,
        before_request=require_json,
        before_send=[send_always(_security_headers(pictures.origin))],
        on_startup=[enlarge_thread_pool],
        on_shutdown=[executor.shutdown],
        plugins=[problem_details(ERRORS)],
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,  # keep the configuration of the process
        openapi_config=describe_api("frontend", "/schema", DESCRIPTION, audience, has_session=has_login),
        # No response contains both a secret and text that an attacker can choose, so BREACH does not apply.
        compression_config=CompressionConfig(backend="gzip", gzip_compress_level=5, minimum_size=1000),
    )


def _security_headers(bucket_origin: str) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        # The page loads pictures from the bucket and posts the form to it. It measures a chosen file by a blob: URL.
        "img-src": f"'self' blob: {bucket_origin}",
        "connect-src": f"'self' {bucket_origin}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {sources}" for name, sources in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
