"""The uploads service for these tests: only calls with a planned fault time out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.httpsession import URLLib3Session

from bench.soak.proxy import UNANSWERED, Call, Event, Proxy
from services.uploads.app import create_app
from tests.eventually import PATIENCE_SECONDS

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from litestar import Litestar

    from infra.local.clients import Aws
    from services.uploads.settings import Settings

CLOCK_AHEAD_SECONDS = 3600
"""How far the service's clock is ahead. Its uploads are newer than any seeded avatar, and its forms are still valid."""

UNANSWERED_TIMEOUT_SECONDS = 1
"""Read timeout of a call to which the proxy sends no response."""


def make_app(settings: Settings, aws: Aws) -> Litestar:
    """An app whose clock stands still, so that no deadline of a confirm or of its AWS calls passes."""
    now = time.time() + CLOCK_AHEAD_SECONDS
    return create_app(settings, s3=aws.s3, dynamodb=aws.dynamodb, credentials=aws.find_credentials, clock=lambda: now)


def time_out_unanswered_calls(aws: Aws, proxy: Proxy) -> None:
    """Make only the calls time out to which the proxy will send no response."""
    to_connect_and_to_read: Any = (PATIENCE_SECONDS, UNANSWERED_TIMEOUT_SECONDS)
    session = URLLib3Session(timeout=to_connect_and_to_read)

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """Send a call that will get no response. For other calls return None, and the client sends them itself."""
        planned = proxy.find(_read(request))
        if planned is None or planned.fault.kind not in UNANSWERED:
            return None
        before = planned.events[Event.SWALLOWED]
        try:
            return session.send(request)
        finally:
            # Otherwise a busy proxy might count the second try as the first.
            planned.wait_for(Event.SWALLOWED, before + 1)

    clients: tuple[Any, ...] = (aws.s3, aws.dynamodb)
    for client in clients:
        client.meta.events.register("before-send", send)


def _read(request: Any) -> Call:
    url = urlsplit(str(request.url))
    headers = [(name.encode(), _encode(value)) for name, value in request.headers.items()]
    return Call(request.method, f"{url.path}?{url.query}" if url.query else url.path, headers, _encode(request.body))


def _encode(value: str | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else (value or "").encode()
