"""Reads request bodies and sends responses as ASGI messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from litestar.types import Receive, Send

Headers = list[tuple[bytes, bytes]]


async def read_body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return
        yield message["body"]
        if not message["more_body"]:
            return


async def send_problem(
    send: Send, status: int, slug: str, title: str, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    body = json.dumps({"type": f"urn:problem:{slug}", "status": status, "title": title, "detail": title}).encode()
    sent = [(b"content-type", b"application/problem+json"), *headers]
    if status >= 500:  # noqa: PLR2004 - the server errors of RFC 9110, section 15.6
        sent.append((b"retry-after", b"1"))
    await send_response(send, status, sent, body)


async def send_response(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
