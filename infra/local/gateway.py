"""In place of API Gateway and the load balancer: one origin, three services behind it, routed by path."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING

import httpx2
import uvicorn

from infra.documents.routing import find_service
from infra.local.asgi import Headers, read_body, send_answer, send_problem
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.ports import HOST
from infra.local.sweeps import SWEEP_PATH, Sweeps
from services.web.connection import Connection
from services.web.rate_limits import CLIENT_ADDRESS_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30
"""What an HTTP API gives its integration (AWS: "Quotas for HTTP APIs")."""
IDLE_SECONDS = 75
"""How long a connection may be idle: longer than clients keep one, which else send a request on one that is closing."""
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
CLIENT_ADDRESS = CLIENT_ADDRESS_HEADER.lower().encode()
OURS = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", CLIENT_ADDRESS})
"""What a client says there goes no further."""
HEALTH_PATH = "/_gateway/health"


class Gateway:
    """An ASGI application. `services`: the base URL of each, by its name."""

    def __init__(self, services: Mapping[str, str], emulator: str, origin: str, sweeps: Sweeps | None = None) -> None:
        self._services = services
        self._emulator = emulator
        self._origin = origin
        self._sweeps = sweeps
        # A transport and not a client, which would keep one user's cookies and send them along with another's request.
        self._transport = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=200))

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        if scope["path"] == HEALTH_PATH:
            await send_answer(send, 204, [], b"")
        elif scope["path"] == SWEEP_PATH and self._sweeps:
            await self._sweeps(scope, receive, send)
        elif scope["method"] == "GET" and self._is_another_name(scope):
            # The session cookie and the bucket's CORS rules know one origin; 127.0.0.1 is led to it.
            await send_answer(send, 307, [(b"location", self._origin.encode() + _target(scope))], b"")
        else:
            await self._forward(scope, receive, send)

    def _is_another_name(self, scope: HTTPScope) -> bool:
        return dict(scope["headers"]).get(b"host", b"").decode("latin-1") != self._origin.partition("://")[2]

    async def _forward(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        request = httpx2.Request(
            scope["method"],
            self._find_target(scope["path"]),
            headers=[*_end_to_end(scope["headers"]), *self._forwarded(scope)],
            content=read_body(receive) if _has_body(scope) else None,
            # The target as it came: the service is the one that reads it, dots, slashes and all.
            extensions={"timeout": httpx2.Timeout(TIMEOUT_SECONDS).as_dict(), "target": _target(scope)},
        )
        begun = False
        try:
            answer = await self._transport.handle_async_request(request)
            try:
                await send(
                    {
                        "type": "http.response.start",
                        "status": answer.status_code,
                        "headers": list(_end_to_end(answer.headers.raw)),
                        "trailers": False,
                    }
                )
                begun = True
                async for chunk in answer.aiter_raw():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            finally:
                await answer.aclose()
        except httpx2.LocalProtocolError:
            await send_problem(send, 400, "malformed-request", "The request can't be passed on as it is")
        except httpx2.TimeoutException:
            if begun:
                raise
            await send_problem(send, 504, "gateway-timeout", "The service did not answer in time")
        except httpx2.TransportError as error:
            if begun:
                raise
            logger.warning("%s %s: %s", scope["method"], scope["path"], error)
            await send_problem(send, 503, "unavailable", "The service is not there; try again in a moment")

    def _find_target(self, path: str) -> str:
        # One more that a deployment does not have: the clock of the emulator's lifecycle rules, for the page.
        return self._emulator if path == LIFECYCLE_PATH else self._services[find_service(path)]

    def _forwarded(self, scope: HTTPScope) -> Headers:
        client = scope["client"][0] if scope["client"] else HOST
        scheme, _, host = self._origin.partition("://")
        return [
            (CLIENT_ADDRESS, client.encode()),
            (b"x-forwarded-for", client.encode()),
            (b"x-forwarded-proto", scheme.encode()),
            (b"x-forwarded-host", host.encode()),
        ]


def _target(scope: HTTPScope) -> bytes:
    query = scope["query_string"]
    return (scope["raw_path"] or scope["path"].encode()) + (b"?" + query if query else b"")


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return [
        # What surrounds a value is not a part of it (RFC 9110, section 5.5).
        (name, value.strip(b" \t"))
        for name, value in headers
        if name.lower() not in HOP_BY_HOP | OURS
    ]


def _has_body(scope: HTTPScope) -> bool:
    """RFC 9112, section 6: one of these two headers says so."""
    return not {b"content-length", b"transfer-encoding"}.isdisjoint(name for name, _ in scope["headers"])


def main() -> None:
    """Settings from the environment: `PORT`, `ORIGIN`, `EMULATOR`; in JSON, `SERVICES`, the services' URLs by name, and
    `SWEEP`, what a sweep finds in its environment, where there is one.
    """
    origin = os.environ["ORIGIN"]
    sweep = json.loads(os.environ["SWEEP"])
    sweeps = Sweeps(origin, sweep) if sweep else None
    gateway = Gateway(json.loads(os.environ["SERVICES"]), os.environ["EMULATOR"], origin, sweeps)
    uvicorn.run(
        gateway,
        host=HOST,
        port=int(os.environ["PORT"]),
        http=Connection,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=IDLE_SECONDS,
    )


if __name__ == "__main__":
    main()
