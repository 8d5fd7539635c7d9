"""Attacks on the HTTP server: requests that a parser reads in two ways, that are too large, or that no client sends."""

from __future__ import annotations

import base64
import json
import random
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psutil
import pytest

from services.web.connection import MAX_HEAD_BYTES, REQUEST_SECONDS
from services.web.gate import MAX_PATH_LENGTH
from services.web.problem_response import API_HEADERS
from tests import web
from tests.conftest import only_prefix
from tests.eventually import eventually
from tests.raw_http import Connection, read_statuses

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import User
    from tests.security.conftest import Refused

pytestmark = only_prefix

H2C = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)
"""The headers with which curl and the JDK's client ask for HTTP/2."""

CUT_OFF_BYTES = 8_000_000
"""More than a server and the kernel's buffers take before a connection is cut off. An attack sends fifteen times as
much."""

GENERATED = 300
"""Generated requests to each server."""


@pytest.fixture(autouse=True)
def _services_stay_healthy(http: httpx2.Client, servers: list[str]) -> Iterator[None]:
    yield
    for url in servers:
        assert http.get(f"{url}/healthz").status_code == 200


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_request_in_the_body_of_an_upgrade(stack: Stack, user: User, framing: str, refused: Refused) -> None:
    """The body arrives in a segment of its own and reads like a request. It is the body, so there is one response."""
    smuggled = b"GET /auth/healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    for url in (stack.services["auth"], stack.origin):
        for body, expected in (
            (smuggled, 400),
            (json.dumps({"username": user.username}).encode(), 200),
        ):
            length = f"Content-Length: {len(body)}" if framing == "length" else "Transfer-Encoding: chunked"
            with Connection(url) as connection:
                connection.send("POST /auth/login HTTP/1.1", "Content-Type: application/json", *H2C, length)
                # The server has read the head before the body is sent.
                connection.send_in_pieces(body if framing == "length" else chunk(body))
                # The next request on the connection is a request of its own.
                connection.send("GET /auth/healthz HTTP/1.1", "Connection: close")
                answers = connection.read_all()
                assert read_statuses(answers) == [expected, 200], f"{url}: {answers!r}"
    refused.record("served as HTTP/1.1, with its body")


def test_a_websocket_handshake(servers: list[str], refused: Refused) -> None:
    for url in servers:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        for path in ("/", "/healthz", "/auth/me"):
            refused.by_service(web.get(url + path, headers=headers), 400, "invalid-request")


def test_requests_in_one_segment(servers: list[str], refused: Refused) -> None:
    """Pipelined requests are answered one after the other; what follows the last one is ignored."""
    for url in servers:
        with Connection(url) as connection:
            first = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" if url != servers[-1] else b""
            first = first or b"GET /auth/healthz HTTP/1.1\r\nHost: " + url.partition("://")[2].encode() + b"\r\n\r\n"
            last = first.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
            connection.socket.sendall(first * 3 + last + first)
            assert read_statuses(connection.read_all()) == [200] * 4
    refused.record("one response for each")


def flood(url: str, start: bytes, piece: bytes) -> int:
    """Send `start` and then `piece` again and again, and return how many bytes were sent until the server closed."""
    total = 0
    with Connection(url) as connection, suppress(ConnectionError):
        connection.socket.sendall(start)
        while total < 15 * CUT_OFF_BYTES:
            connection.socket.sendall(piece)
            total += len(piece)
    return total


CHUNKED = (
    b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: " + b"a" * 10_000 + b"\r\n"),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX: ", b"a" * 10_000),
        (CHUNKED + b"2;", b"a" * 10_000),
    ],
    ids=["lines", "one line", "a chunk extension"],
)
def test_endless_trailers(servers: list[str], start: bytes, piece: bytes, refused: Refused) -> None:
    for url in servers:
        assert flood(url, start, piece) < CUT_OFF_BYTES, url
    refused.record(f"closed beyond {MAX_HEAD_BYTES // 1024} KiB")


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"\r\n" * 5000),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\n", b"X: " + b"a" * 10_000 + b"\r\n"),
        (b"\n", b"a" * 10_000),
    ],
    ids=["nothing else", "then headers", "then one line"],
)
def test_a_head_that_begins_with_empty_lines(servers: list[str], start: bytes, piece: bytes, refused: Refused) -> None:
    for url in servers:
        assert flood(url, start, piece) < CUT_OFF_BYTES, url
    refused.record("closed")


def test_a_malformed_body_after_the_response(stack: Stack, refused: Refused) -> None:
    """The service responds without reading the body, and the invalid rest of the body is no error in the log."""
    for service in stack.services:
        for method in ("GET", "HEAD", "POST"):
            with Connection(stack.services[service]) as connection:
                connection.send(f"{method} /nothing HTTP/1.1", "Transfer-Encoding: chunked")
                answer = connection.socket.recv(65_536)
                assert read_statuses(answer) in ([404], [415])
                connection.socket.sendall(b"no size\r\n")
                assert read_statuses(connection.read_all()) == []
    logged = [process.log.read_text() for process in stack.processes.started]
    assert not [log for log in logged if "Traceback" in log or "protocol.data_received" in log]
    refused.record("closed")


def test_half_sent_bodies(stack: Stack, user: User, refused: Refused) -> None:
    """More bodies are incomplete than the gateway has connections to the services."""
    headers = ("Content-Type: application/json", "Content-Length: 100", "Expect: 100-continue")

    def is_served_before_the_bodies_end() -> bool:
        """Whether the gateway reads all the bodies and serves another client. On a busy machine it may close the first
        connections before the last one is open.
        """
        connections = [Connection(stack.origin) for _ in range(300)]
        try:
            for connection in connections:
                connection.send("POST /auth/login HTTP/1.1", *headers, body=b"{")
            if not all(connection.socket.recv(100).startswith(b"HTTP/1.1 100") for connection in connections):
                return False
            assert user.http.get("/auth/me").status_code == 200
            return all(connection.is_quiet for connection in connections)
        finally:
            for connection in connections:
                connection.socket.close()

    eventually(is_served_before_the_bodies_end)
    refused.record("other requests are answered")


def test_distinct_queries_and_cookies(stack: Stack, refused: Refused) -> None:
    """Litestar keeps the last 1,024 queries and cookies that it has parsed. Unlimited, they took hundreds of MB."""
    url = stack.services["frontend"]
    (process,) = (psutil.Process(each.popen.pid) for each in stack.processes.started if each.name == "frontend")

    def send_all(first: int) -> None:
        with web.Client() as client:
            for number in range(first, first + 1100):
                text = f"{number:x}&".ljust(9000, "&")
                answer = client.get(f"{url}/users?limit=1&{text}", headers={"Cookie": text.replace("&", ";")})
                assert answer.status_code == 400
                answer = client.get(f"{url}/inspector/users?limit=0", headers={"Cookie": text.replace("&", ";")})
                assert answer.status_code == 400

    send_all(0)
    before = process.memory_info().rss
    send_all(10_000)
    assert process.memory_info().rss - before < 30_000_000
    refused.record("400, and nothing stays in memory")


def test_a_cookie_that_is_slow_to_unquote(stack: Stack, refused: Refused) -> None:
    """Python before 3.11.10 unquotes it in seconds (CVE-2024-7592). No service unquotes cookies."""
    cookie = 'session="' + "\\a" * 30_000 + '"'
    for service, method, path in (("auth", "GET", "/auth/me"), ("uploads", "POST", "/uploads/presign")):
        answer = web.request(method, stack.services[service] + path, headers={"Cookie": cookie, "Origin": stack.origin})
        refused.by_service(answer, 401, "not-logged-in")


def make_token(header: str) -> str:
    parts = (header.encode(), b"{}", b"signature")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


SURROGATES = [
    r'{"alg": "\ud800", "kid": "\ud800"}',
    r'{"alg": "ES256", "kid": "\ud800"}',
    r'{"alg": "ES256", "kid": ["\ud800"]}',
    r'{"alg": "ES256", "crit": ["\ud800"], "\ud800": 1, "kid": "x"}',
    r'{"alg": "ES256", "typ": "\udfff", "b64": "\ud800", "kid": 1}',
]


def test_a_token_with_a_lone_surrogate(stack: Stack, refused: Refused) -> None:
    for header in SURROGATES:
        for url in (f"{stack.services['auth']}/auth/me", f"{stack.origin}/auth/me"):
            answer = web.get(url, headers={"Authorization": f"Bearer {make_token(header)}"})
            refused.by_service(answer, 401, "not-logged-in")


def test_a_file_name_that_the_system_refuses(stack: Stack, refused: Refused) -> None:
    for name in ("%00", "page.css%00", "a" * 300, "%FF" * 200, f"{'a' * 300}/page.css", "page.css/x", "."):
        for url in (stack.services["frontend"], stack.origin):
            problem = refused.by_service(web.get(f"{url}/static/{name}"), 404, "not-found")
            assert "static" not in problem["title"] + problem["detail"]


def test_an_infinite_quality(stack: Stack, refused: Refused) -> None:
    """Litestar fails to sort media types by such a quality. No route chooses its response by the header."""
    for service, path in (("auth", "/auth/schema"), ("uploads", "/uploads/schema"), ("frontend", "/schema")):
        for accept in ("text/html;q=1e999", "text/html;q=inf, */*", "*/*;q=nan", "q=-inf"):
            for each, status in ((path, 200), (f"{path}/openapi.json", 200), (f"{path}/unknown", 404)):
                answer = web.get(stack.services[service] + each, headers={"Accept": accept})
                assert answer.status_code == status
                check_refusal(answer.status_code, answer.headers, answer.content)
    refused.record("the header is ignored")


# Generated requests


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get", "*"]
TEXTS = [
    *("", "0", "-1", "1e999", "inf", "nan", "null", "true", "%", "%00", "%ff%fe", "%ED%A0%80", "%0d%0a", "..", "."),
    *("//", "\\", "'", '"', "<script>", "${x}", "{}", "[]", "[", "@", "::", "é", "\x80\xff", "\t", "a b"),
    *("a" * 300, "a" * 5000, "%F0%9F%98%80" * 40),
]
"""Texts for every part of a request."""
VALUES = [
    *TEXTS,
    *("*/*", "text/html;q=inf", "gzip;q=x", "bytes=0-", "bytes=-1", "W/x", "Thu, 01 Jan 1970 00:00:00 GMT", "a,b;c=d"),
    *("application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain;charset=x"),
    *("localhost:0", "127.0.0.1:99999", "Bearer", "Basic x", "session=", 'session="\\', "session=\xe9; ;;=;session"),
    *(f"Bearer {make_token(header)}" for header in (*SURROGATES, "[]", "null", "{", '{"alg": 1e999}', '{"kid": {}}')),
]
"""Texts for headers. A path must not contain a token, since paths are logged."""
NAMES = [
    *("Accept", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Method", "Authorization", "Connection"),
    *("Content-Encoding", "Content-Type", "Cookie", "Expect", "Forwarded", "Host", "If-Match", "If-Modified-Since"),
    *("If-None-Match", "If-Range", "Origin", "Range", "Referer", "TE", "Trailer", "Upgrade", "User-Agent"),
    *("X-Client-Address", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-HTTP-Method-Override"),
    "X-Request-Id",
]
PATHS = [
    *("/", "/users", "/users/{}", "/users/{}/avatar", "/inspector/objects", "/inspector/users", "/static/{}"),
    *("/static/page.css", "/schema", "/schema/{}", "/auth/login", "/auth/logout", "/auth/me", "/auth/schema/{}"),
    *("/auth/.well-known/jwks.json", "/uploads/presign", "/uploads/confirm", "/uploads/avatar", "/uploads/schema"),
    *("/uploads/{}", "/{}", "{}", "http://x/{}", "*", "/healthz", "/_sweep", "/_gateway/health"),
]
PARAMETERS = ["limit", "cursor", "users", "objects", "rows", "state", "object_state", "row_state", "", "x"]
BODIES = [b"", b"{}", b"[]", b"\xff", b'{"username": "\\ud800"}', b'{"key": "x"}', b'{"size": 1e999}', b"x" * 20_000]


def make_request(chance: random.Random, host: str) -> tuple[bytes, bytes]:
    """A head and a body. Each part is well-formed more often than not, so that requests reach the route handlers."""
    target = chance.choice(PATHS).replace("{}", quote(chance.choice(TEXTS), safe="/%\\:.<>${}[]'"))
    if chance.random() < 0.5:
        pairs = (
            f"{chance.choice(PARAMETERS)}={quote(chance.choice(TEXTS), safe='%')}" for _ in range(chance.randint(1, 4))
        )
        target += "?" + "&".join(pairs)
    body = chance.choice(BODIES) if chance.random() < 0.4 else b""
    lines = [
        f"{chance.choice(METHODS)} {target} HTTP/1.{chance.choice('1110')}",
        f"Host: {host if chance.random() < 0.9 else chance.choice(VALUES)}",
        *(f"{chance.choice(NAMES)}: {chance.choice(VALUES)}" for _ in range(chance.randint(0, 4))),
    ]
    if body:
        lines += ["Content-Type: application/json"] if chance.random() < 0.8 else []
        is_chunked = chance.random() < 0.5
        lines += ["Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"]
        body = chunk(body) if is_chunked else body
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"), body


def check_refusal(status: int, headers: Any, body: bytes) -> None:
    """A problem, with the headers that every service sends, and nothing about its code."""
    if status >= 400:
        assert headers["content-type"] == "application/problem+json"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == API_HEADERS["X-Content-Type-Options"]
        for word in (b"Traceback", b"litestar", b"h11", b".py", b"/services/"):
            assert word not in body


def test_generated_request_heads(servers: list[str], stack: Stack, refused: Refused) -> None:
    """Methods, URLs and headers of every kind: no response has a status of 500 or more, and each error is a problem."""
    chance = random.Random(7)  # noqa: S311 - requests that are the same in each run
    seen = set[int]()
    for url in servers:
        host = url.partition("://")[2]
        for _ in range(GENERATED):
            head, body = make_request(chance, host)
            with Connection(url) as connection, suppress(ConnectionError):
                connection.socket.sendall(head + body)
                answer = connection.read_all()
                first, _, rest = answer.partition(b"\r\n\r\n")
                while first.startswith(b"HTTP/1.1 100"):
                    first, _, rest = rest.partition(b"\r\n\r\n")
                assert first, head
                status = int(first[9:12])
                headers = dict(re.findall(r"^([\w-]+): (.*?)\r?$", first.decode("latin-1").lower(), re.MULTILINE))
                assert status < 500, head
                try:
                    check_refusal(status, headers, rest)
                except (AssertionError, KeyError):
                    pytest.fail(f"{head!r}\n{answer[:1000]!r}")
                seen.add(status)
    assert seen >= {200, 204, 307, 400, 401, 404, 405}
    logged = [process.log.read_text() for process in stack.processes.started]
    assert not [log[log.index("Traceback") :] for log in logged if "Traceback" in log]
    refused.record("no 5xx, and every error is a problem")


def test_a_long_path(servers: list[str], refused: Refused) -> None:
    for url in servers:
        for path in (f"/static/{'a' * MAX_PATH_LENGTH}", f"/users/{'%C3%A9' * MAX_PATH_LENGTH}/avatar"):
            with Connection(url) as connection:
                connection.send(f"GET {path} HTTP/1.1", "Connection: close")
                assert read_statuses(connection.read_all()) == [400]
    refused.record(f"400 beyond {MAX_PATH_LENGTH} characters")


def test_a_request_that_begins_and_never_ends(stack: Stack, refused: Refused) -> None:
    """Trailers that arrive slowly are part of the request."""
    with Connection(stack.services["auth"]) as connection:
        connection.socket.sendall(CHUNKED + b"2\r\n{}\r\n0\r\nX: ")

        def is_closed() -> bool:
            with suppress(ConnectionError):
                connection.socket.sendall(b"a")
            return not connection.is_quiet

        eventually(is_closed)
        assert read_statuses(connection.read_all()) == []
    refused.record(f"closed after {REQUEST_SECONDS} s")
