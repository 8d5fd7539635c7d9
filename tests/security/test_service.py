"""Attacks with HTTP requests: malformed, too large, to unknown paths, or slow."""

from __future__ import annotations

import json
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis import checks as schemathesis_checks
from schemathesis.specs.openapi import checks

from bench.soak.proxy import CUT, Fault, When, run_proxy
from infra.local.ports import pick_free_ports
from infra.local.stack import run_processes, start_gateway
from services.store.kinds import AVATAR
from services.web.connection import MAX_HEAD_BYTES, REQUEST_SECONDS
from services.web.rate_limits import CLIENT_ADDRESS_HEADER
from tests import web
from tests.conftest import DECLARED, SOME_DIGEST, only_prefix
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.pictures import make_picture
from tests.raw_http import Connection, read_statuses
from tests.security.services import run_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2
    from schemathesis.schemas import BaseSchema

    from infra.local.stack import Stack
    from tests.conftest import User
    from tests.security.conftest import Refused, Untouched

pytestmark = only_prefix

CALLS_WITH_BODY = {"/auth/login": "username", "/uploads/presign": "content_type", "/uploads/confirm": "key"}
"""The calls that have a JSON body, each with the name of a text field."""

DESCRIPTIONS = {"auth": "/auth/schema", "uploads": "/uploads/schema", "frontend": "/schema"}

EXAMPLES = 100
"""The number of valid and invalid requests that Schemathesis generates for each service."""

CHECKS: list[Any] = [
    schemathesis_checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(autouse=True)
def _services_stay_healthy(http: httpx2.Client, servers: list[str]) -> Iterator[None]:
    yield
    for url in servers:
        assert http.get(f"{url}/healthz").status_code == 200


# Bodies


@pytest.mark.parametrize("path", CALLS_WITH_BODY)
def test_a_malformed_body(user: User, path: str, refused: Refused) -> None:
    text = f'{{"{CALLS_WITH_BODY[path]}": "%s"}}'.encode()
    for body in (b"{", b'{"', b"\xff\xfe", text % b"\xed\xa0\x80", text % b"\\ud800", b"nonsense", b"\0", b"\n"):
        answer = user.http.post(path, content=body, headers={"Content-Type": "application/json"})
        refused.by_service(answer, 400, "malformed-json")


@pytest.mark.parametrize("path", CALLS_WITH_BODY)
def test_json_of_another_shape(user: User, path: str, refused: Refused) -> None:
    bodies: list[Any] = [{}, [], None, "text", 7, {"unknown": 1}, {"username": 5, "key": [], "size": "1"}, [[[]]]]
    for body in bodies:
        refused.by_service(user.http.post(path, json=body), 400, "invalid-request")
    refused.by_service(user.http.post(path), 400, "invalid-request")


def test_values_of_another_type(user: User, refused: Refused) -> None:
    """A lenient parser would convert these values."""
    for size in ("1", 1.5, True, None, [1]):
        refused.by_service(user.declare("image/png", size), 400, "invalid-request")  # pyright: ignore[reportArgumentType] - the attack
    for key in (7, None, [f"{AVATAR.pending_prefix}x"], {"$ne": ""}):
        refused.by_service(user.http.post("/uploads/confirm", json={"key": key}), 400, "invalid-request")


def test_unknown_fields(user: User, refused: Refused) -> None:
    for path, body in (
        ("/auth/login", {"username": user.username, "role": "admin"}),
        ("/uploads/presign", DECLARED | {"username": "somebody"}),
        ("/uploads/confirm", {"key": f"{AVATAR.pending_prefix}x", "username": "somebody"}),
        ("/uploads/confirm", {"key": f"{AVATAR.pending_prefix}x", "__class__": "x"}),
    ):
        refused.by_service(user.http.post(path, json=body), 400, "invalid-request")


@pytest.mark.parametrize("path", CALLS_WITH_BODY)
def test_a_field_sent_twice(user: User, path: str, refused: Refused) -> None:
    """Programs differ in which of the two they read."""
    name = CALLS_WITH_BODY[path]
    valid = {"/auth/login": {"username": user.username}, "/uploads/presign": DECLARED}.get(path, {"key": "x"})
    rest = json.dumps(valid)[1:]
    for twice in (f'"{name}": "a"', f'"{name}": {json.dumps(valid[name])}', f'"\\u{ord(name[0]):04x}{name[1:]}": "a"'):
        answer = user.http.post(path, content=f"{{{twice}, {rest}", headers={"Content-Type": "application/json"})
        problem = refused.by_service(answer, 400, "invalid-request")
        assert "more than once" in problem["detail"]


def test_a_digest_with_a_newline(user: User, refused: Refused) -> None:
    """It is the same digest to a lenient decoder of base64. So is one whose last character has other unused bits."""
    last = SOME_DIGEST[-2]
    for digest in (f"{SOME_DIGEST}\n", f"\n{SOME_DIGEST}", SOME_DIGEST.replace(f"{last}=", f"{chr(ord(last) + 1)}=")):
        refused.by_service(user.declare(sha256=digest), 400, "invalid-request")


@pytest.mark.parametrize("path", CALLS_WITH_BODY)
def test_deeply_nested_json(user: User, path: str, refused: Refused) -> None:
    """JSON nested as deep as 16 KiB allow, as the whole body and as the value of a field."""
    nested = "[" * 8000 + "]" * 8000
    for body in (nested, "[" * 16_000, '{"a":' * 2700 + "1" + "}" * 2700, f'{{"{CALLS_WITH_BODY[path]}": {nested}}}'):
        answer = user.http.post(path, content=body, headers={"Content-Type": "application/json"})
        refused.by_service(answer, 400, "invalid-request")


@pytest.mark.parametrize("path", CALLS_WITH_BODY)
def test_a_huge_body(user: User, path: str, refused: Refused) -> None:
    for size in (16_384, 1_000_000):
        body = json.dumps({"key": "x" * size})
        refused.by_service(
            user.http.post(path, content=body, headers={"Content-Type": "application/json"}), 413, "body-too-large"
        )


def test_a_huge_chunked_body(stack: Stack, user: User, refused: Refused) -> None:
    """The body is sent in chunks to the service without the gateway. The service stops reading early."""
    token = f"Authorization: {user.http.headers['Authorization']}"
    for path, where in (("/auth/login", "auth"), ("/uploads/presign", "uploads"), ("/uploads/confirm", "uploads")):
        with Connection(stack.services[where]) as connection:
            headers = (token, "Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close")
            connection.send(f"POST {path} HTTP/1.1", *headers, body=b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
            answer = connection.read_all()
            assert read_statuses(answer) == [413]
            assert b"urn:problem:body-too-large" in answer
    refused.record("413 body-too-large")


@pytest.mark.parametrize("path", CALLS_WITH_BODY)
def test_another_content_type(user: User, path: str, refused: Refused) -> None:
    body = json.dumps({"username": user.username})
    for content_type in (
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/msgpack",
        "application/jsonx",
        "text/plain; application/json",
        "text/plain, application/json",
    ):
        headers = {} if content_type is None else {"Content-Type": content_type}
        answer = user.http.post(path, content=body, headers=headers)
        refused.by_service(answer, 415, "unsupported-media-type")


def test_another_method(user: User, refused: Refused) -> None:
    for path in CALLS_WITH_BODY:
        for method in ("GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"):
            refused.by_service(user.http.request(method, path), 405, "method-not-allowed")


def test_a_response_outside_the_openapi_document(
    stack: Stack, user: User, untouched: Untouched, refused: Refused
) -> None:
    """Successful responses are validated too, so that an incomplete document fails."""
    described = {service: read_description(stack, service) for service in DESCRIPTIONS}
    form = user.upload_unconfirmed("image/png", make_picture())
    untouched.except_avatar(user)
    untouched.except_object(form["key"])  # deleted after the response
    presign = DECLARED
    for service, method, path, body, status in (
        ("auth", "POST", "/auth/login", {"username": user.username}, 200),
        ("auth", "GET", "/auth/me", None, 200),
        ("auth", "GET", "/auth/.well-known/jwks.json", None, 200),
        ("auth", "POST", "/auth/logout", None, 204),
        ("uploads", "POST", "/uploads/presign", presign, 200),
        ("uploads", "POST", "/uploads/confirm", {"key": form["key"]}, 200),
        ("frontend", "GET", "/users", None, 200),
        ("frontend", "GET", "/users/{username}/avatar", None, 303),
        ("frontend", "GET", "/inspector/objects", None, 200),
        ("frontend", "GET", "/inspector/users", None, 200),
    ):
        url = stack.services[service] + path.replace("{username}", user.username)
        answer = user.http.request(method, url, json=body, headers={"Origin": stack.origin})
        assert answer.status_code == status
        described[service][path][method].validate_response(answer)
    refused.record("every successful response is described")


def test_a_response_of_aws_that_is_cut_off(stack: Stack, user: User, tmp_path: Path, refused: Refused) -> None:
    """The end of the connection must not be taken for the end of the headers: the user would be unknown."""
    with run_proxy(stack.aws.endpoint) as proxy:
        own = stack.resources.credentials["auth"]
        with run_service(stack, "auth", tmp_path, AWS_ENDPOINT_URL=proxy.url, **own) as auth:
            for kind in sorted(CUT, key=str):
                planned = proxy.plan(Fault("GetItem", When.AFTER, kind, about=user.username, times=None))
                answer = web.post(f"{auth}/auth/login", json={"username": user.username})
                refused.by_service(answer, 503, "unavailable")
                proxy.lift(planned)
            assert web.post(f"{auth}/auth/login", json={"username": user.username}).status_code == 200


# Request heads


def test_headers_above_the_limit(servers: list[str], refused: Refused) -> None:
    for url in servers:
        for headers in (
            [f"X-{number}: {'a' * 100}" for number in range(1000)],
            [f"X: {'a' * 1_000_000}"],
            [f"Cookie: {'session=x; ' * 10_000}"],
            [f"Authorization: Bearer {'a' * 100_000}"],
        ):
            with (
                Connection(url) as connection,
                suppress(ConnectionError),
            ):  # the server may close while the test is sending
                connection.send("GET /auth/me HTTP/1.1", *headers)
                assert read_statuses(connection.read_all()) in ([400], [])
    refused.record(f"400, and closed, beyond {MAX_HEAD_BYTES // 1024} KiB")


def test_headers_above_the_limit_sent_line_by_line(servers: list[str], refused: Refused) -> None:
    for url in servers:
        with Connection(url) as connection, suppress(ConnectionError):
            connection.socket.sendall(b"GET /auth/me HTTP/1.1\r\n")
            for _ in range(4 * MAX_HEAD_BYTES // 1000):
                connection.socket.sendall(b"X: " + b"a" * 1000 + b"\r\n")
            assert read_statuses(connection.read_all()) in ([400], [])
    refused.record(f"400, and closed, beyond {MAX_HEAD_BYTES // 1024} KiB")


def test_a_long_url(servers: list[str], refused: Refused) -> None:
    """Requests up to the load balancer's limit are accepted."""
    for url in servers:
        for length, expected in ((60_000, {307, 400, 404}), (100_000, {400})):
            with Connection(url) as connection:
                connection.send(f"GET /users?cursor={'a' * length} HTTP/1.1", "Connection: close")
                assert set(read_statuses(connection.read_all())) <= expected
        with Connection(url) as connection:
            headers = [f"X-{number}: {'a' * 1000}" for number in range(60)]
            connection.send("GET /healthz HTTP/1.1", "Connection: close", *headers)
            assert read_statuses(connection.read_all()) == [200]
    refused.record("400")


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

SMUGGLING: dict[str, tuple[list[str], bytes]] = {
    "a length and chunks": (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\n" + SMUGGLED),
    "chunks and a length": (["Transfer-Encoding: chunked", "Content-Length: 5"], b"0\r\n\r\n" + SMUGGLED),
    "two lengths": (["Content-Length: 2", f"Content-Length: {2 + len(SMUGGLED)}"], b"{}" + SMUGGLED),
    "a list of lengths": ([f"Content-Length: 2, {2 + len(SMUGGLED)}"], b"{}" + SMUGGLED),
    "a length with a sign": (["Content-Length: +2"], b"{}" + SMUGGLED),
    "a negative length": (["Content-Length: -2"], b"{}" + SMUGGLED),
    "a length in hexadecimal": (["Content-Length: 0x2"], b"{}" + SMUGGLED),
    "a length that is too large": (["Content-Length: 99999999999999999999"], b"{}" + SMUGGLED),
    "two transfer codings": (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], b"0\r\n\r\n" + SMUGGLED),
    "an unknown transfer coding": (["Transfer-Encoding: xchunked"], b"0\r\n\r\n" + SMUGGLED),
    "a transfer coding after chunked": (["Transfer-Encoding: chunked, gzip"], b"0\r\n\r\n" + SMUGGLED),
    "a space before the colon": (["Transfer-Encoding : chunked"], b"0\r\n\r\n" + SMUGGLED),
    "a folded header line": (["Transfer-Encoding:\r\n chunked", "Content-Length: 5"], b"0\r\n\r\n" + SMUGGLED),
    "a vertical tab": (["Transfer-Encoding: \x0bchunked"], b"0\r\n\r\n" + SMUGGLED),
    "a bare CR": (["X: a\rTransfer-Encoding: chunked"], b"0\r\n\r\n" + SMUGGLED),
    "a NUL": (["X: a\0b"], SMUGGLED),
    "a chunk without a size": (["Transfer-Encoding: chunked"], b"\r\n\r\n" + SMUGGLED),
    "a chunk with a negative size": (["Transfer-Encoding: chunked"], b"-1\r\n\r\n" + SMUGGLED),
    "a chunk with a size that is too large": (["Transfer-Encoding: chunked"], b"1" * 21 + b"\r\n\r\n" + SMUGGLED),
    "a chunk longer than its size": (["Transfer-Encoding: chunked"], b"1\r\n{}\r\n0\r\n\r\n" + SMUGGLED),
}


def test_request_smuggling(servers: list[str], refused: Refused) -> None:
    """The only response is a refusal, and the server closes the connection."""
    for url in servers:
        for kind, (headers, body) in SMUGGLING.items():
            with Connection(url) as connection:
                connection.send("POST /auth/login HTTP/1.1", "Content-Type: application/json", *headers, body=body)
                answers = connection.read_all()
                assert read_statuses(answers) == [400], f"{kind} at {url}: {answers!r}"
    refused.record("400, and closed")


# Paths


UNKNOWN_PATHS = [
    "//auth/me",
    "/auth/../uploads/presign",
    "/auth/./me",
    "/auth/%2e%2e/users",
    "/auth/..%2fusers",
    "/uploads/../users",
    "/uploads/..%2f..%2fusers",
    "/users/..%2f..%2fauth%2fme/avatar",
    "/users/../inspector/users",
    "/static/../app.py",
    "/static/%2e%2e/app.py",
    "/static/..%2f..%2fserver.py",
    "/static/%2fetc/passwd",
    "/static/....//app.py",
    "/AUTH/me",
    "/auth\\me",
    "/auth/me;x",
    "/auth/me%00",
    "/auth/me%0d%0aX-Injected: 1",
    "//evil.example/users",
    "/_ministack/health",
    "/_ministack/reset",
    "/_layer",
    "http://evil.example/nothing",
]


def test_paths_outside_the_routes(stack: Stack, refused: Refused) -> None:
    for target in UNKNOWN_PATHS:
        with Connection(stack.origin) as connection:
            connection.send(f"GET {target.replace(' ', '%20')} HTTP/1.1", "Connection: close")
            answer = connection.read_all()
            assert read_statuses(answer) == [404], f"{target}: {answer!r}"
            assert b"urn:problem:not-found" in answer
    refused.record("404 not-found")


INVALID_REQUEST_LINES = [
    "GET evil.example HTTP/1.1",
    "GET @evil.example/ HTTP/1.1",
    "GET http:///auth/me HTTP/1.1",
    "CONNECT evil.example:80 HTTP/1.1",
    "GET /auth/me HTTP/9.9",
    "GET /auth/ me HTTP/1.1",
    "GET\t/auth/me\tHTTP/1.1",
    "PRI * HTTP/2.0",
    "\x16\x03\x01\x02",
]


def test_an_invalid_request_line(servers: list[str], refused: Refused) -> None:
    for url in servers:
        for line in INVALID_REQUEST_LINES:
            with Connection(url) as connection:
                connection.send(line, "Connection: close")
                assert read_statuses(connection.read_all()) in ([400], []), f"{line} at {url}"
    refused.record("400, and closed")


def test_another_host_in_the_request(stack: Stack, user: User, refused: Refused) -> None:
    """Absolute URLs and other Host headers: no response redirects to the other host."""
    for target, headers in (
        ("http://evil.example/auth/me", ()),
        ("/auth/me", ("X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: host=evil.example")),
        ("/users", ("Host: evil.example",)),
        ("//evil.example/%2e%2e", ("Host: evil.example",)),
        (f"/users/{user.username}/avatar", ("X-Original-URL: /inspector/users", "X-Rewrite-URL: /inspector/users")),
    ):
        with Connection(stack.origin) as connection:
            connection.send(f"GET {target} HTTP/1.1", "Connection: close", *headers)
            answer = connection.read_all()
            # 400: two Host headers (RFC 9112, section 3.2).
            assert read_statuses(answer)[0] in (303, 307, 400, 401)
            location = answer.lower().partition(b"\r\nlocation: ")[2].partition(b"\r\n")[0].decode()
            assert not location or location.startswith((f"{stack.origin}/", f"{stack.aws.endpoint}/")), location
    refused.record("the other host is ignored")


def test_options_for_the_whole_server(servers: list[str], refused: Refused) -> None:
    for url in servers:
        with Connection(url) as connection:
            connection.send("OPTIONS * HTTP/1.1", "Connection: close")
            assert read_statuses(connection.read_all()) == [404]
    refused.record("404 not-found")


def test_a_header_with_a_control_character(stack: Stack, refused: Refused) -> None:
    with Connection(stack.origin) as connection:
        connection.send("GET /users HTTP/1.1", "Connection: close", "X: a\x01b")
        answer = connection.read_all()
        assert read_statuses(answer) == [400], answer
    refused.record("400")


# Slow requests


class SlowRequests:
    """Incomplete requests that stay open for all tests of this section: half in the head, half in the body. They
    announce more bytes than the tests send, so that no request becomes complete.
    """

    def __init__(self, urls: list[str]) -> None:
        self.urls = urls
        self.connections: list[Connection] = []
        self.begin()

    def begin(self) -> None:
        for url in self.urls:
            for _ in range(25):
                head, body = Connection(url), Connection(url)
                head.socket.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
                body.send("POST /auth/login HTTP/1.1", "Content-Type: application/json", "Content-Length: 16000")
                body.socket.sendall(b"{")
                self.connections += head, body

    def trickle(self) -> None:
        for connection in self.connections:
            try:
                connection.socket.sendall(b"x")
            except ConnectionError:
                continue

    @property
    def are_all_open(self) -> bool:
        """Whether the server still waits for every incomplete head: no response and no close has arrived. (The frontend
        responds to the bodies at once, since it has no such route.)
        """
        heads = [head.socket for head in self.connections[::2]]
        return select.select(heads, [], [], 0) == ([], [], [])

    def end(self) -> None:
        for connection in self.connections:
            connection.socket.close()
        self.connections.clear()


@pytest.fixture(scope="module")
def slow_requests(stack: Stack) -> Iterator[SlowRequests]:
    slow_requests = SlowRequests([*stack.services.values(), stack.origin])
    yield slow_requests
    slow_requests.end()


@pytest.mark.parametrize("call", ["/auth/me", "/users?limit=1", "/uploads/presign"])
def test_slow_clients(slow_requests: SlowRequests, user: User, call: str, refused: Refused) -> None:
    def is_answered_while_slow_requests_are_open() -> bool:
        """Whether a request was answered while the slow ones were open. On a busy machine the server may close them
        before, and they are started again.
        """
        slow_requests.trickle()
        answer = user.declare("image/png", 100) if call == "/uploads/presign" else user.http.get(call)
        assert answer.status_code == 200
        if slow_requests.are_all_open:
            return True
        slow_requests.end()
        slow_requests.begin()
        return False

    eventually(is_answered_while_slow_requests_are_open)
    refused.record("other requests are answered")


def read_description(stack: Stack, service: str) -> BaseSchema:
    schema = schemathesis.openapi.from_dict(web.get(stack.services[service] + DESCRIPTIONS[service]).json())
    schema.config.base_url = stack.services[service]
    return schema


@pytest.mark.parametrize("service", DESCRIPTIONS)
def test_generated_requests(
    stack: Stack, user: User, slow_requests: SlowRequests, service: str, refused: Refused, untouched: Untouched
) -> None:
    """Schemathesis generates valid and invalid requests from each service's OpenAPI document, and checks the responses
    against it.
    """
    slow_requests.trickle()
    if service == "uploads":
        untouched.except_avatar(user)  # one of the requests removes it
    schema: Any = read_description(stack, service)
    tried = 0

    @seed(7)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(schema.as_strategy(GenerationMode.POSITIVE) | schema.as_strategy(GenerationMode.NEGATIVE))
    def try_out(case: Any) -> None:
        nonlocal tried
        tried += 1
        case.call_and_validate(
            timeout=PATIENCE_SECONDS, headers={"Authorization": user.http.headers["Authorization"]}, checks=CHECKS
        )

    try_out()
    assert tried >= EXAMPLES
    refused.record("no 5xx, and every response as described")


def test_a_request_that_never_ends(stack: Stack, slow_requests: SlowRequests, refused: Refused) -> None:
    """The server closes the connection and logs no error. (The frontend has no such route and responds at once.)"""
    for connection in slow_requests.connections:
        slow_requests.trickle()
        assert read_statuses(connection.read_all()) in ([], [404], [503])
    logged = [process.log.read_text() for process in stack.processes.started]
    assert not [log[log.index("Unexpected error") :] for log in logged if "Unexpected error" in log]
    refused.record(f"closed after {REQUEST_SECONDS} s")


NETWORKS = "203.0.113.0/24,2001:db8:1::/48"


@pytest.fixture
def closed_service(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """The URL of an uploads service for clients of `NETWORKS` only."""
    with run_service(stack, "uploads", tmp_path, ALLOWED_ADDRESSES=NETWORKS) as url:
        yield url


def test_an_address_that_is_not_allowed(closed_service: str, user: User, refused: Refused) -> None:
    def call(*addresses: str) -> httpx2.Response:
        token = ("Authorization", user.http.headers["Authorization"])
        headers = [token, *((CLIENT_ADDRESS_HEADER, address) for address in addresses)]
        return web.post(f"{closed_service}/uploads/presign", json=DECLARED, headers=headers)

    for address in ("203.0.113.0", "203.0.113.255", "2001:db8:1:ffff::1", "::ffff:203.0.113.7"):
        assert call(address).status_code == 200
    for address in ("203.0.114.0", "2001:db8:2::1", "::ffff:198.51.100.7", "", "x", "203.0.113.7, 198.51.100.7"):
        refused.by_service(call(address), 403, "address-not-allowed")
    refused.by_service(call("203.0.113.7", "198.51.100.7"), 403, "address-not-allowed")
    # Without the header the request did not come through API Gateway. Its sender is this machine.
    refused.by_service(call(), 403, "address-not-allowed")
    assert web.get(f"{closed_service}/healthz").status_code == 200
    outside = web.get(f"{closed_service}/healthz", headers={CLIENT_ADDRESS_HEADER: "198.51.100.7"})
    refused.by_service(outside, 403, "address-not-allowed")


def test_an_allowed_address_that_the_client_invents(
    stack: Stack, closed_service: str, user: User, refused: Refused
) -> None:
    [port] = pick_free_ports(1)
    origin = f"http://localhost:{port}"
    headers = {CLIENT_ADDRESS_HEADER: "203.0.113.7", "X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    headers["Authorization"] = user.http.headers["Authorization"]
    with run_processes() as processes:
        start_gateway(
            processes, {**stack.services, "uploads": closed_service}, stack.aws, origin, port
        ).wait_until_ready()
        refused.by_service(
            web.post(f"{origin}/uploads/presign", json=DECLARED, headers=headers), 403, "address-not-allowed"
        )
