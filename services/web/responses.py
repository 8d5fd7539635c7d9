"""A response class for routes that return a struct and nothing else: `response_class=StructResponse`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

Content = TypeVar("Content")

_encode = msgspec.json.Encoder().encode


class StructResponse(Response[Content]):
    """Encodes a struct as JSON with msgspec, which needs no type encoders, and sends it with status and length alone.

    A response with cookies, headers or a background task, and one to HEAD, is built by Litestar.
    """

    def to_asgi_response(self, *arguments: Any, **options: Any) -> ASGIResponse:
        used = (self.headers, self.cookies, self.background, options.get("headers"), options.get("cookies"))
        if any(used) or options.get("background") or options.get("is_head_response"):
            return super().to_asgi_response(*arguments, **options)
        return _EncodedStruct(_encode(self.content), self.status_code or options.get("status_code") or 200)


class _EncodedStruct(ASGIResponse):
    __slots__ = ()

    def __init__(self, body: bytes, status_code: int) -> None:
        # Not Litestar's own constructor: the headers are these two.
        self.body = body
        self.status_code = status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})
