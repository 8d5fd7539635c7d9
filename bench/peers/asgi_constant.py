"""A bare ASGI application with a constant response: the cost of the server alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"15")]


async def constant(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b'{"status":"ok"}', "more_body": False})


if __name__ == "__main__":
    host, port = os.environ["HOST"], int(os.environ["PORT"])
    uvicorn.run(constant, host=host, port=port, access_log=False, log_level="warning", lifespan="off")
