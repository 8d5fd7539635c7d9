"""JSON bodies: read as the very type that a call takes, and written as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import (
    ClientException,
    HTTPException,
    InternalServerException,
    ValidationException,
)
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

MAX_BODY_BYTES = 16_384
"""Of a body. None that means anything has a tenth of it."""


class MalformedError(ClientException):
    """The body is no JSON at all."""


Kind = TypeVar("Kind", bound=msgspec.Struct)


async def require_json(request: Request[Any, Any, Any]) -> None:
    """To be run before each request: a body is JSON and says so, which no plain form of another site can do.

    Raises:
        HTTPException: 415, it does not say so.
    """
    has_body = request.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in request.headers
    if has_body:
        _require_json_type(request.headers.get("Content-Type", ""))


class StrictRequest(Request[Any, Any, Any]):
    """Reads a JSON body as the very type that the handler takes. Litestar reads it as anything first, at any depth, and
    then takes `"1"` for a number.
    """

    async def body(self) -> bytes:
        try:
            return await super().body()
        except InternalServerException as error:
            # Whoever sent it went away meanwhile, which is no failure of ours to be alarmed by.
            raise _cut_off() from error

    async def json(self) -> Any:
        wanted = self.route_handler.parsed_data_field
        return await super().json() if wanted is None else _decode(await self.body(), wanted.annotation)


async def read_json(scope: Scope, receive: Receive, kind: type[Kind]) -> Kind:
    """What a handler would be given as its `data`, for an endpoint that is plain ASGI.

    Raises:
        ValidationException: it is not of this kind.
        MalformedError: it is no JSON.
        HTTPException: 400, it breaks off; 413, it is too long; 415, it does not say that it is JSON.
    """
    body = await _read_body(receive)
    if body:
        _require_json_type(
            next((value for name, value in scope["headers"] if name == b"content-type"), b"").decode("latin-1")
        )
    return _decode(body, kind)


async def send_json(answer: msgspec.Struct, send: Send) -> None:
    """With status 200."""
    body = msgspec.json.encode(answer)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _cut_off()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        if not message.get("more_body", False):
            return body


def _cut_off() -> ClientException:
    return ClientException("The body did not come to its end.")


def _require_json_type(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException("The body must be application/json.", status_code=415)


def _decode(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body or b"null", type=kind)
    except msgspec.ValidationError as error:
        raise ValidationException(extra=[{"message": str(error)}]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # the second where a text is no UTF-8
        raise MalformedError from error
