"""ASGI middleware in front of an application."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import unquote

from services.web.connection import MAX_HEAD_BYTES
from services.web.problem_response import (
    MALFORMED,
    NO_WEBSOCKET,
    STOPPING,
    UNEXPECTED,
    URL_TOO_LONG,
    ProblemResponse,
)
from services.web.request_context import annotate

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

MAX_PATH_LENGTH = 512
"""Maximum number of characters of a path. The longest valid one has a username of 256."""

MAX_QUERY_BYTES = 3072
"""Maximum size of a query. The longest valid one has three cursors."""

MAX_PARAMETERS = 16
"""Maximum number of parameters in a query."""

MAX_HOST_BYTES = 300
"""Maximum size of the header `Host`: a name of 253 characters (RFC 1035) and a port."""

MAX_DIGITS = 15
"""Maximum number of digits of the header `Content-Length`."""

_CONTROL_CHARACTER = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
"""Characters that a header must not contain (RFC 9110, section 5.5). h11 accepts most of them."""


class Gate:
    """Responds in place of the application to a malformed request, to every request once it is closed, also to health
    checks, so that a load balancer uses another task, and to an exception that the application did not translate.

    Litestar and Python cache URLs that they have parsed, so a long URL would stay in memory.
    """

    def __init__(self, application: ASGIApp) -> None:
        self.is_closed = False
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_http(scope):
            await self._application(scope, receive, send)
            return
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        _normalize_target(scope)
        refusal = STOPPING if self.is_closed else _find_refusal(scope)
        if refusal is None:
            try:
                await self._application(scope, receive, send_and_note)
            except Exception:
                if has_started:
                    raise
                logger.exception("Unexpected error")
                refusal = UNEXPECTED
        if refusal is not None:
            annotate(problem=refusal.slug)
            await send({"type": "http.response.start", "status": refusal.status, "headers": refusal.encoded_headers})
            await send({"type": "http.response.body", "body": refusal.body, "more_body": False})


def is_http(scope: Scope) -> TypeGuard[HTTPScope]:
    """Whether this is a request, and not a lifespan event."""
    # Litestar's enumeration for this would load all of Litestar, which takes longer than the gateway's own start.
    return scope["type"] == "http"  # pyright: ignore[reportUnnecessaryComparison] - the enumeration is a str


def _normalize_target(scope: HTTPScope) -> None:
    """Take the path from a target in absolute form, which servers must accept (RFC 9112, section 3.2.2). uvicorn
    leaves that to the application.
    """
    scheme, separator, rest = scope["raw_path"].partition(b"://")
    authority, _, path = rest.partition(b"/")
    if separator and scheme.lower() in {b"http", b"https"} and authority:
        scope["raw_path"] = b"/" + path
        scope["path"] = unquote(scope["raw_path"].decode("ascii"))


def _find_refusal(scope: HTTPScope) -> ProblemResponse | None:
    target, query = scope["raw_path"], scope["query_string"]
    if len(scope["path"]) > MAX_PATH_LENGTH or len(query) > MAX_QUERY_BYTES or query.count(b"&") >= MAX_PARAMETERS:
        return URL_TOO_LONG
    method = str(scope["method"])
    headers = dict(scope["headers"])
    text = b"".join(part for header in scope["headers"] for part in header)
    is_malformed = (
        scope["http_version"] not in {"1.0", "1.1"}
        # A response to CONNECT would end HTTP on this connection.
        or method == "CONNECT"
        or not (target.startswith(b"/") or (target, method) == (b"*", "OPTIONS"))
        # h11 limits what it waits for, and accepts more if it arrives at once.
        or len(target) + len(query) + len(text) > MAX_HEAD_BYTES
        or _CONTROL_CHARACTER.search(text)
        or len(headers.get(b"host", b"")) > MAX_HOST_BYTES
        or len(headers.get(b"content-length", b"")) > MAX_DIGITS
        # A sender must not send both (RFC 9112, section 6.2). h11 would ignore the length.
        or {b"content-length", b"transfer-encoding"} <= headers.keys()
    )
    if is_malformed:
        return MALFORMED
    return NO_WEBSOCKET if headers.get(b"upgrade", b"").lower() == b"websocket" else None
