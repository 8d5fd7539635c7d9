"""Lets pages of other origins call a service (Fetch standard, "CORS protocol")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.web.callers.guard import USERNAME_HEADER
from services.web.gate import is_http
from services.web.request_context import REQUEST_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import Collection

    from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

    Headers = list[tuple[bytes, bytes]]

REQUEST_HEADERS = ("Authorization", "Content-Type", USERNAME_HEADER, REQUEST_ID_HEADER)
"""The headers that a page may send, besides those that every page may send."""

RESPONSE_HEADERS = ("Retry-After", "WWW-Authenticate", REQUEST_ID_HEADER)
"""The headers that a page may read, besides those that every page may read."""

PREFLIGHT_SECONDS = 7200
"""How long a browser remembers the response to a preflight request: Chromium's maximum."""

VARY = (b"vary", b"Origin")
"""Without it a cache could send the response for one origin to the page of another one."""

ALLOWED_BY_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST, DELETE"),
    (b"access-control-allow-headers", ", ".join(REQUEST_HEADERS).encode()),
    (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
]
EXPOSED = (b"access-control-expose-headers", ", ".join(RESPONSE_HEADERS).encode())


class CrossOrigin:
    """ASGI middleware that lets pages of these origins send a Bearer token and read every response.

    It does not allow credentials, so a browser shows these pages no response to a request with a cookie, and a login
    sets none. A page of any other origin gets no header of CORS, and its browser then refuses its requests.
    """

    def __init__(self, application: ASGIApp, origins: Collection[str]) -> None:
        self._application = application
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_http(scope):
            await self._application(scope, receive, send)
            return
        origin = self._find_allowed_origin(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), VARY, *_make_headers(origin, EXPOSED)]
            await send(message)

        if origin and _is_preflight(scope):
            headers = [VARY, *_make_headers(origin, *ALLOWED_BY_PREFLIGHT)]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await self._application(scope, receive, send_with_headers)

    def _find_allowed_origin(self, scope: HTTPScope) -> bytes | None:
        origins = [value for name, value in scope["headers"] if name == b"origin"]
        return origins[0] if len(origins) == 1 and origins[0] in self._origins else None


def _make_headers(origin: bytes | None, *headers: tuple[bytes, bytes]) -> Headers:
    return [(b"access-control-allow-origin", origin), *headers] if origin else []


def _is_preflight(scope: HTTPScope) -> bool:
    names = {name for name, _ in scope["headers"]}
    return scope["method"] == "OPTIONS" and b"access-control-request-method" in names
