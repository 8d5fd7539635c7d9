"""The uploads service as these tests run it: no limit of time strikes it but where a fault is meant to."""

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

AHEAD_SECONDS = 3600
"""Of the service's clock: what it presigns is later than any portrait, and is still good when it is posted."""

IMPATIENCE_SECONDS = 1
"""How long a call waits that the proxy leaves unanswered."""


def make_patient_app(settings: Settings, aws: Aws) -> Litestar:
    """Its clock stands still, so that a confirm has all the time there is; and so have its calls to AWS."""
    now = time.time() + AHEAD_SECONDS
    return create_app(settings, s3=aws.s3, dynamodb=aws.dynamodb, credentials=aws.find_credentials, clock=lambda: now)


def give_up_where_unanswered(aws: Aws, proxy: Proxy) -> None:
    """The calls that the proxy will leave unanswered, and no others, time out."""
    to_connect_and_to_read: Any = (PATIENCE_SECONDS, IMPATIENCE_SECONDS)
    impatient = URLLib3Session(timeout=to_connect_and_to_read)

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """What this does not send, the client sends as ever."""
        planned = proxy.find(_read(request))
        if planned is None or planned.fault.kind not in UNANSWERED:
            return None
        struck = planned.events[Event.SWALLOWED]
        try:
            return impatient.send(request)
        finally:
            # Or a busy proxy might take the second try for the first.
            planned.wait_for(Event.SWALLOWED, struck + 1)

    clients: tuple[Any, ...] = (aws.s3, aws.dynamodb)
    for client in clients:
        client.meta.events.register("before-send", send)


def _read(request: Any) -> Call:
    url = urlsplit(str(request.url))
    headers = [(name.encode(), _encode(value)) for name, value in request.headers.items()]
    return Call(request.method, f"{url.path}?{url.query}" if url.query else url.path, headers, _encode(request.body))


def _encode(value: str | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else (value or "").encode()
