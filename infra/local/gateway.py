"""A reverse proxy in place of API Gateway and the load balancer: one origin, which routes to the services by path."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import uvicorn
from litestar import Litestar
from litestar.static_files import create_static_files_router  # pyright: ignore[reportUnknownVariableType]

from infra.documents.openapi import find_path, merge_documents
from infra.documents.routing import TIMEOUT_SECONDS, find_service
from infra.local.asgi_messages import Headers, send_problem, send_response
from infra.local.command_endpoint import COMMANDS, CommandEndpoint
from infra.local.controls import ControlEndpoint
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.fault_endpoint import FaultEndpoint
from infra.local.faults import FAULTS_PATH
from infra.local.ports import HOST
from services.web.connection import MAX_HEAD_BYTES, Connection
from services.web.gate import Gate, is_http
from services.web.rate_limits import CLIENT_ADDRESS_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from litestar.types import HTTPScope, Message, Receive, Scope, Send

    from services.web.api_document import Document

logger = logging.getLogger(__name__)

IDLE_SECONDS = 75
"""Keep-alive timeout: longer than that of clients, which might otherwise send a request on a closing connection."""
MAX_BODY_BYTES = 10_000_000
"""Maximum request body, bytes, as in API Gateway (AWS: "Quotas for configuring and running an HTTP API")."""
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-authenticate", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
CLIENT_ADDRESS = CLIENT_ADDRESS_HEADER.lower().encode()
FORWARDING_HEADERS = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", CLIENT_ADDRESS})
"""Headers that the gateway sets. It removes those of the client."""
HEALTH_PATH = "/_gateway/health"
OPENAPI_PATH = "/openapi.json"
STARTING = b"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta http-equiv="refresh" content="1"><title>Starting</title></head>
<body><p>The services are starting. This page reloads every second.</p></body>
</html>
"""
PAGES_PATH = "/pages"
"""Path of the files of the option `--pages`."""


STRATEGIES_PATH = "/_strategies"
"""`/_strategies/tag/uploads/…` leads to the uploads service with this pending strategy, at `/uploads/…`."""


class Gateway:
    """An ASGI application. `services`: base URLs by name of the service. `strategies`: those of the uploads services by
    pending strategy. `commands`: what runs on demand, by path. `folder`: that of the processes' ids, without which no
    fault can be chosen. `pages`: a folder whose files are served.
    """

    def __init__(
        self,
        services: Mapping[str, str],
        emulator: str,
        origin: str,
        *,
        strategies: Mapping[str, str] | None = None,
        commands: Mapping[str, CommandEndpoint] | None = None,
        folder: Path | None = None,
        pages: str | None = None,
    ) -> None:
        self._services = services
        self._emulator = emulator
        self._origin = origin
        self._strategies = {f"{STRATEGIES_PATH}/{name}".encode(): url for name, url in (strategies or {}).items()}
        self._pages = _make_pages(pages) if pages else None
        # Not an httpx2 client: it would keep the cookies of one user and send them with the requests of others.
        self._transport = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_connections=200))
        self._faults = FaultEndpoint(emulator, self._transport, folder) if folder else None
        self._controls = {path: ControlEndpoint(command, origin) for path, command in (commands or {}).items()}
        self._lifecycle = ControlEndpoint(self._forward, origin, "GET")
        if self._faults:
            self._controls[FAULTS_PATH] = ControlEndpoint(self._faults, origin, "GET")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_http(scope):
            raise NotImplementedError(scope["type"])
        if scope["path"] == HEALTH_PATH:
            await send_response(send, 204, [], b"")
        elif control := self._controls.get(scope["path"]):
            await control(scope, receive, send)
        elif scope["method"] == "GET" and self._has_other_host(scope):
            # The session cookie and the CORS rules are for one origin, so 127.0.0.1 is redirected to it.
            await send_response(send, 307, [(b"location", self._origin.encode() + _target(scope))], b"")
        elif scope["path"] == LIFECYCLE_PATH:
            await self._lifecycle(scope, receive, send)
        elif scope["path"] == OPENAPI_PATH:
            await self._send_openapi(send)
        elif self._pages and scope["path"].startswith(f"{PAGES_PATH}/"):
            await self._pages(scope, receive, send)
        else:
            await self._forward(scope, receive, send)

    async def _send_openapi(self, send: Send) -> None:
        """Merge the documents that the services serve now."""
        try:
            documents = [
                await self._read_document(base + find_path(service)) for service, base in self._services.items()
            ]
        except httpx2.TransportError:
            await send_problem(send, 503, "unavailable", "A service is unavailable; try again in a moment")
            return
        body = json.dumps(merge_documents(documents)).encode()
        await send_response(send, 200, [(b"content-type", b"application/vnd.oai.openapi+json")], body)

    async def _read_document(self, url: str) -> Document:
        timeout = httpx2.Timeout(TIMEOUT_SECONDS).as_dict()
        request = httpx2.Request("GET", url, extensions={"timeout": timeout})
        response = await self._transport.handle_async_request(request)
        try:
            return json.loads(await response.aread())
        finally:
            await response.aclose()

    def _has_other_host(self, scope: HTTPScope) -> bool:
        return dict(scope["headers"]).get(b"host", b"").decode("latin-1") != self._origin.partition("://")[2]

    async def _forward(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        found = self._find_target(scope)
        if found is None:
            await send_problem(send, 404, "not-found", "There is nothing at this path")
            return
        # A connection to a service is taken when the body is complete, as by API Gateway, so that slow clients do not
        # use up all connections.
        try:
            body = await _read_body(receive)
        except _BodyTooLargeError:
            await send_problem(send, 413, "body-too-large", "The body is too large")
            return
        if body is None:
            return
        url, target = found
        request = httpx2.Request(
            scope["method"],
            url,
            headers=[*_select_headers(scope["headers"]), *self._make_forwarding_headers(scope)],
            content=body if _has_body(scope) else None,
            # The request target is passed on unchanged, so that the service sees its dots, slashes and escapes.
            extensions={"timeout": httpx2.Timeout(TIMEOUT_SECONDS).as_dict(), "target": target},
        )
        has_started = False

        async def send_part(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._relay(request, scope, send_part)
        except httpx2.LocalProtocolError:
            await send_problem(send, 400, "malformed-request", "The request is not valid HTTP and can't be forwarded")
        except httpx2.TimeoutException:
            if has_started:
                raise
            await send_problem(send, 504, "gateway-timeout", "The service did not respond in time")
        except httpx2.TransportError as error:
            if has_started:
                raise
            logger.warning("%s %s: %s", scope["method"], scope["path"], error)
            await _send_unavailable(scope, send)

    async def _relay(self, request: httpx2.Request, scope: HTTPScope, send: Send) -> None:
        """
        Raises:
            httpx2.TransportError: there was no response, or it was cut off.
        """
        response = await self._transport.handle_async_request(request)
        try:
            if self._faults and await self._faults.lose(scope, response):
                raise httpx2.ReadTimeout("The response is lost, as the page has chosen")
            headers = list(_select_headers(response.headers.raw))
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            async for chunk in response.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await response.aclose()

    def _find_target(self, scope: HTTPScope) -> tuple[str, bytes] | None:
        """The base URL of the service, and the request target there."""
        target = _target(scope)
        # The page moves the emulator's clock at this path, which a deployment does not have.
        if scope["path"] == LIFECYCLE_PATH:
            return self._emulator, target
        for prefix, url in self._strategies.items():
            if target.startswith(prefix + b"/uploads/"):
                return url, target.removeprefix(prefix)
        service = find_service(scope["path"], self._services)
        return (self._services[service], target) if service else None

    def _make_forwarding_headers(self, scope: HTTPScope) -> Headers:
        client = scope["client"][0] if scope["client"] else HOST
        scheme, _, host = self._origin.partition("://")
        return [
            (CLIENT_ADDRESS, client.encode()),
            (b"x-forwarded-for", client.encode()),
            (b"x-forwarded-proto", scheme.encode()),
            (b"x-forwarded-host", host.encode()),
        ]


class _BodyTooLargeError(Exception):
    pass


async def _send_unavailable(scope: HTTPScope, send: Send) -> None:
    """A browser gets a page that reloads, since the services may still be starting."""
    if b"text/html" in dict(scope["headers"]).get(b"accept", b""):
        await send_response(send, 503, [(b"content-type", b"text/html"), (b"retry-after", b"1")], STARTING)
    else:
        await send_problem(send, 503, "unavailable", "The service is unavailable; try again in a moment")


async def _read_body(receive: Receive) -> bytes | None:
    """The request body, or None if the client disconnected before its end.

    Raises:
        _BodyTooLargeError: the body is longer than `MAX_BODY_BYTES`.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message["body"]
        if len(body) > MAX_BODY_BYTES:
            raise _BodyTooLargeError
        if not message["more_body"]:
            return bytes(body)


def _make_pages(folder: str) -> Litestar:
    return Litestar([create_static_files_router(PAGES_PATH, [folder], html_mode=True)], openapi_config=None)


def _target(scope: HTTPScope) -> bytes:
    query = scope["query_string"]
    return (scope["raw_path"] or scope["path"].encode()) + (b"?" + query if query else b"")


def _select_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers to forward."""
    return [
        # Whitespace around a value is not part of it (RFC 9110, section 5.5).
        (name, value.strip(b" \t"))
        for name, value in headers
        if name.lower() not in HOP_BY_HOP | FORWARDING_HEADERS
    ]


def _has_body(scope: HTTPScope) -> bool:
    """Whether the request has a body: one of these headers is present then (RFC 9112, section 6)."""
    return not {b"content-length", b"transfer-encoding"}.isdisjoint(name for name, _ in scope["headers"])


def main() -> None:
    """Serve with settings from the environment: `PORT`, `ORIGIN`, `EMULATOR` (a URL), `PAGES` (a folder, or empty),
    `PROCESSES` (the folder of the processes' ids), and in JSON `SERVICES` (URLs by name), `STRATEGIES` (URLs of uploads
    services by pending strategy) and `COMMANDS` (the variables of the commands that are offered, by path).
    """
    commands: dict[str, dict[str, str]] = json.loads(os.environ["COMMANDS"])
    # A sweep during a reset could delete a seeded picture, whose row does not exist yet.
    running = asyncio.Lock()
    gateway = Gateway(
        json.loads(os.environ["SERVICES"]),
        os.environ["EMULATOR"],
        os.environ["ORIGIN"],
        strategies=json.loads(os.environ["STRATEGIES"]),
        commands={
            path: CommandEndpoint(path.removeprefix("/_"), COMMANDS[path], environ, running=running)
            for path, environ in commands.items()
        },
        folder=Path(os.environ["PROCESSES"]),
        pages=os.environ["PAGES"],
    )
    uvicorn.run(
        Gate(gateway),
        host=HOST,
        port=int(os.environ["PORT"]),
        http=Connection,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ws="none",
        # Otherwise uvicorn would take the client's address from the client's own headers.
        proxy_headers=False,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=IDLE_SECONDS,
    )


if __name__ == "__main__":
    main()
