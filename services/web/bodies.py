"""JSON request bodies, decoded as the type that the route handler declares."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, HTTPException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

MAX_BODY_BYTES = 16_384
"""Maximum request body, bytes, for the applications' `request_max_body_size`. The largest valid body is less than a
tenth of that."""


class MalformedError(ClientException):
    """The body is not JSON."""


async def require_json(request: Request[Any, Any, Any]) -> None:
    """A `before_request` hook that requires the content type JSON of every body. An HTML form on another site can't
    send that type, so it is refused before its cookie is read.

    Raises:
        HTTPException: 415, the body has another content type.
    """
    # `request.headers` would decode every header of every request.
    headers = dict(request.scope["headers"])
    has_body = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    if has_body and headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != b"application/json":
        raise HTTPException("The body must be application/json.", status_code=415)


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is decoded strictly, as the type of the handler's `data`.

    Litestar's own class decodes arbitrary JSON, to any depth, and converts it afterwards, which accepts `"1"` as a
    number.
    """

    _content: bytes | None = None

    async def body(self) -> bytes:
        """
        Raises:
            ClientException: the client disconnected before the end of the body.
            RequestEntityTooLarge: the body is longer than the application's `request_max_body_size`.
        """
        if self._content is None:
            max_bytes = self.route_handler.resolve_request_max_body_size() or math.inf
            content = b""
            is_complete = False
            while not is_complete:
                message = await self.receive()
                if message["type"] != "http.request":
                    raise ClientException("The client disconnected before the end of the body.")
                content += message.get("body", b"")
                if len(content) > max_bytes:
                    raise RequestEntityTooLarge
                is_complete = not message.get("more_body", False)
            self._content = content
        return self._content

    async def json(self) -> Any:
        """
        Raises:
            ValidationException: the body is not of the type of `data`, or has two members of one name.
            MalformedError: the body is not JSON.
        """
        data = self.route_handler.parsed_data_field
        return await super().json() if data is None else _decode(await self.body(), data.annotation)


def _decode(body: bytes, kind: Any) -> Any:
    body = body or b"null"
    try:
        decoded = _decode_typed(body, kind)
        # Of two members with one name msgspec takes the last, and another program may have read the first (RFC 8259,
        # section 4). The types of bodies are flat, so a body that msgspec has accepted is flat as well.
        _NAMES.decode(body.decode())
    except msgspec.ValidationError as error:
        raise ValidationException(extra=[{"message": str(error)}]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # UnicodeDecodeError: the body is not UTF-8
        raise MalformedError from error
    return decoded


def _decode_typed(body: bytes, kind: Any) -> Any:
    """
    Raises:
        msgspec.DecodeError: the body is not JSON, or a ValidationError: it is not of this type.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # In JSON Schema `10.0` and `1e1` are integers, and some clients write them. msgspec takes them as floats.
        try:
            value = _INTEGERS.decode(body)
        except (msgspec.DecodeError, RecursionError):
            raise error from None
        return msgspec.convert(value, kind)


def _read_float(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


_INTEGERS = msgspec.json.Decoder(float_hook=_read_float)
"""Reads a float without a fraction as an integer."""


def _refuse_duplicates(members: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in members]
    if len(set(names)) < len(names):
        raise msgspec.ValidationError("Object contains a field more than once")


_NAMES = json.JSONDecoder(object_pairs_hook=_refuse_duplicates, parse_int=str, parse_float=str)
"""Reads the names of members. Numbers stay text, since Python refuses to read very long ones."""
