"""Reads request bodies and sends responses as ASGI messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.web.problems import MEDIA_TYPE, URN, ProblemDetails

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
    details = ProblemDetails(type=URN + slug, status=status, title=title, detail=title)
    sent = [(b"content-type", MEDIA_TYPE.encode()), *headers]
    if status >= 500:  # noqa: PLR2004 - the server errors of RFC 9110, section 15.6
        sent.append((b"retry-after", b"1"))
    await send_response(send, status, sent, msgspec.json.encode(details))


async def send_response(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
