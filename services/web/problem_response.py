"""Problem details (RFC 9457) without Litestar: for the HTTP server, the gate and the local gateway."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"

URN = "urn:problem:"

API_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of a service without pages: a browser runs nothing in the responses and shows them in no frame."""


@dataclass(frozen=True, slots=True)
class ProblemResponse:
    """A response with problem details. `headers` are sent in addition to those of every problem."""

    status: int
    slug: str
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> bytes:
        problem = {"type": URN + self.slug, "status": self.status, "title": self.title, "detail": self.detail}
        return msgspec.json.encode(problem)

    @property
    def encoded_headers(self) -> list[tuple[bytes, bytes]]:
        headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(self.body)), **API_HEADERS, **self.headers}
        return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


CLOSE = {"Connection": "close"}

MALFORMED = ProblemResponse(400, "invalid-request", "Bad Request", "The request is not valid HTTP.", CLOSE)
"""The rest of the connection can't be trusted either, so it is closed."""

URL_TOO_LONG = ProblemResponse(400, "invalid-request", "Bad Request", "The path or the query is too long.")

NO_WEBSOCKET = ProblemResponse(400, "invalid-request", "Bad Request", "There are no WebSockets here.", CLOSE)

STOPPING = ProblemResponse(
    503,
    "unavailable",
    "Try again in a moment",
    "This task is stopping. Try again.",
    {"Retry-After": "1", **CLOSE},
)

ADDRESS_NOT_ALLOWED = ProblemResponse(
    403, "address-not-allowed", "Your address is not allowed", "This deployment is for some networks only."
)

UNEXPECTED = ProblemResponse(500, "internal", "Internal server error", "Internal server error")
