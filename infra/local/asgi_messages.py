"""Reads request bodies and sends responses as ASGI messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.web.problem_response import ProblemResponse

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
    # 500 is the first of the server errors of RFC 9110, section 15.6.
    problem = ProblemResponse(status, slug, title, title, {"Retry-After": "1"} if status >= 500 else {})  # noqa: PLR2004
    await send_response(send, status, [*problem.encoded_headers, *headers], problem.body)


async def send_response(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
