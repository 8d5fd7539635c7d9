"""The headers of CORS, on an application that counts its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services.web.cross_origin import CrossOrigin
from services.web.gate import Gate

if TYPE_CHECKING:
    from litestar.types import Message, Receive, Scope, Send

pytestmark = pytest.mark.anyio

ALLOWED = b"https://app.example.com"
ORIGIN = (b"origin", ALLOWED)
PREFLIGHT = (b"access-control-request-method", b"POST")


class Application:
    def __init__(self) -> None:
        self.requests = 0

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        self.requests += 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"vary", b"Accept-Encoding")]})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def ask(application: Any, method: str, *headers: tuple[bytes, bytes]) -> tuple[int, list[tuple[str, str]]]:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Any = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": "/uploads/presign",
        "raw_path": b"/uploads/presign",
        "query_string": b"",
        "headers": list(headers),
    }
    await CrossOrigin(application, [ALLOWED.decode()])(scope, receive, send)
    return sent[0]["status"], [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]


async def test_a_preflight_request_is_answered_for_two_hours_without_the_application() -> None:
    application = Application()
    assert await ask(application, "OPTIONS", ORIGIN, PREFLIGHT) == (
        204,
        [
            ("vary", "Origin"),
            ("access-control-allow-origin", ALLOWED.decode()),
            ("access-control-allow-methods", "GET, POST, DELETE"),
            ("access-control-allow-headers", "Authorization, Content-Type, X-Username, X-Request-Id"),
            ("access-control-max-age", "7200"),
        ],
    )
    assert application.requests == 0


@pytest.mark.parametrize(
    "headers", [(PREFLIGHT,), (PREFLIGHT, (b"origin", b"https://evil.example")), (PREFLIGHT, ORIGIN, ORIGIN), (ORIGIN,)]
)
async def test_an_options_request_that_is_no_allowed_preflight_reaches_the_application(
    headers: tuple[tuple[bytes, bytes], ...],
) -> None:
    application = Application()
    await ask(application, "OPTIONS", *headers)
    assert application.requests == 1


async def test_a_response_keeps_its_headers_and_exposes_those_that_a_client_needs() -> None:
    assert await ask(Application(), "POST", ORIGIN) == (
        200,
        [
            ("vary", "Accept-Encoding"),
            ("vary", "Origin"),
            ("access-control-allow-origin", ALLOWED.decode()),
            ("access-control-expose-headers", "Retry-After, WWW-Authenticate, X-Request-Id"),
        ],
    )


async def test_a_page_of_an_allowed_origin_reads_that_a_task_is_stopping() -> None:
    gate = Gate(Application())
    gate.is_closed = True
    status, headers = await ask(gate, "POST", ORIGIN)
    assert status == 503
    assert {("retry-after", "1"), ("access-control-allow-origin", ALLOWED.decode())} <= set(headers)


async def test_a_page_of_another_origin_gets_no_header_of_cors() -> None:
    assert await ask(Application(), "POST", (b"origin", b"https://app.example.com.evil.example")) == (
        200,
        [("vary", "Accept-Encoding"), ("vary", "Origin")],
    )
