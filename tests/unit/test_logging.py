"""The log lines of a service for requests and for warnings."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from services.web.logging import HEALTH_PATHS, JsonFormatter, RequestLog
from services.web.request_context import annotate, begin_context, find_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
REQUEST_ID = "0123456789abcdef0123456789abcdef"
SECRET = "secret-secret"  # noqa: S105 - what must not be logged


class Stopwatch:
    """Each reading is a quarter of a second later than the one before."""

    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        self.now += 0.25
        return self.now


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    annotate(username="ada")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    await send({"type": "http.response.body", "body": b"y"})


async def refuse(_scope: Any, _receive: Any, send: Any) -> None:
    annotate(problem="expired")
    await send({"type": "http.response.start", "status": 410})
    await send({"type": "http.response.body", "body": b""})


async def fail(_scope: Any, _receive: Any, _send: Any) -> None:
    raise ValueError("early")


async def fail_late(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError("late")


async def receive_nothing() -> Any:
    raise NotImplementedError


async def ask(
    application: Any, headers: Mapping[str, str] | None = None, **scope: Any
) -> tuple[list[Any], list[dict[str, Any]]]:
    """The messages that were sent, with markers where lines were written between them; and these lines, parsed."""
    happened: list[Any] = []
    log = RequestLog(application, "uploads", happened.append, lambda: 1795000000.5, Stopwatch())
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    given: Any = {"type": "http", "method": "POST", "path": "/uploads/presign", "headers": pairs} | scope

    async def send(message: Any) -> None:
        happened.append(message)

    try:
        await log(given, receive_nothing, send)
    except ValueError as error:
        happened.append(error)
    return happened, [json.loads(line) for line in happened if isinstance(line, str)]


async def test_a_request_is_one_log_line_written_before_its_response_ends() -> None:
    happened, [line] = await ask(answer, {"X-Request-Id": REQUEST_ID})
    assert line == {
        "time": "2026-11-18T11:06:40.500000Z",
        "level": "info",
        "service": "uploads",
        "request_id": REQUEST_ID,
        "method": "POST",
        "path": "/uploads/presign",
        "status": 200,
        "duration_ms": 250.0,
        "username": "ada",
    }
    assert [type(each) for each in happened] == [dict, dict, str, dict]
    assert "\n" not in happened[2]


async def test_the_log_line_of_a_refusal_names_the_problem() -> None:
    _, [line] = await ask(refuse)
    assert (line["status"], line["problem"], line["level"]) == (410, "expired", "info")
    assert "username" not in line


async def test_neither_query_nor_headers_are_logged() -> None:
    headers = {"Authorization": f"Bearer {SECRET}", "Cookie": f"session={SECRET}", "X-Request-Id": f"{SECRET} {SECRET}"}
    happened, [_] = await ask(answer, headers, query_string=b"X-Amz-Signature=" + SECRET.encode())
    assert SECRET not in str(happened)


@pytest.mark.parametrize(("application", "status"), [(fail, 500), (fail_late, 200)])
async def test_an_application_error_is_logged_and_surfaces(application: Any, status: int) -> None:
    happened, [line] = await ask(application)
    assert line["status"] == status
    assert isinstance(happened[-1], ValueError)


async def test_a_server_error_is_logged_as_an_error() -> None:
    _, [line] = await ask(fail)
    assert line["level"] == "error"


@pytest.mark.parametrize("path", sorted(HEALTH_PATHS))
@pytest.mark.parametrize("application", [answer, refuse, fail])
async def test_health_is_not_logged(path: str, application: Any) -> None:
    assert (await ask(application, path=path))[1] == []


async def test_other_scopes_than_http_pass_through() -> None:
    async def start(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})

    assert await ask(start, type="lifespan") == ([{"type": "lifespan.startup.complete"}], [])


@pytest.mark.parametrize("wanted", [REQUEST_ID, "019b0000-0000-7000-8000-000000000001", "a" * 8, "Z" * 64])
async def test_a_safe_request_id_is_kept(wanted: str) -> None:
    happened, [line] = await ask(answer, {"X-Request-Id": wanted})
    assert line["request_id"] == wanted
    assert happened[0]["headers"] == [(b"a", b"b"), (b"x-request-id", wanted.encode())]


@pytest.mark.parametrize(
    "wanted",
    ["", "short", "a" * 65, "with space", 'quote"quote', "new\nline-line", "12345678\n", "ümlaut-ümlaut", "a/b/c/d/e"],
)
async def test_any_other_request_id_is_replaced(wanted: str) -> None:
    happened, [line] = await ask(answer, {"X-Request-Id": wanted})
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", line["request_id"])
    assert dict(happened[0]["headers"])[b"x-request-id"] == line["request_id"].encode()


async def test_concurrent_requests_keep_their_own_ids() -> None:
    both = anyio.Event()
    lines: list[str] = []

    async def wait(scope: Any, _receive: Any, send: Any) -> None:
        annotate(username=scope["path"])
        if scope["path"] == "/second":
            both.set()
        await both.wait()
        # Route handlers run in threads.
        found = await anyio.to_thread.run_sync(find_request_id)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"found", found.encode())]})
        await send({"type": "http.response.body", "body": b""})

    async def call(name: str) -> None:
        headers = [(b"x-request-id", f"request-of-{name}".encode())]
        scope: Any = {"type": "http", "method": "GET", "path": f"/{name}", "headers": headers}

        async def send(message: Any) -> None:
            if "headers" in message:
                assert dict(message["headers"])[b"found"] == f"request-of-{name}".encode()

        await RequestLog(wait, "uploads", lines.append)(scope, receive_nothing, send)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, "first")
        tasks.start_soon(call, "second")
    written = [json.loads(line) for line in lines]
    assert {(line["path"], line["username"], line["request_id"]) for line in written} == {
        ("/first", "/first", "request-of-first"),
        ("/second", "/second", "request-of-second"),
    }


async def test_a_path_can_neither_forge_a_log_line_nor_make_it_long() -> None:
    happened, [line] = await ask(answer, path='/\n{"level": "error"}\u2028' + "\U0001f600" * 10_000)
    (written,) = (each for each in happened if isinstance(each, str))
    assert "\n" not in written
    assert len(written.encode()) < 4096
    assert line["path"].startswith('/\n{"level"')


def write_record(make: Callable[[logging.Logger], object]) -> dict[str, Any]:
    """The log line of a record."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonFormatter("auth"))
    logger = logging.getLogger("services.somewhere")
    logger.addHandler(handler)
    logger.propagate = False  # pytest-xdist can't send invalid Unicode to the process that prints the reports
    try:
        make(logger)
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
    (line,) = said.getvalue().splitlines()
    return json.loads(line)


async def test_a_warning_is_logged_in_the_same_form() -> None:
    begin_context(REQUEST_ID)
    line = write_record(lambda logger: logger.warning("AWS did not answer: %s", "two\nlines \udc80"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert line == {
        "level": "warning",
        "service": "auth",
        "request_id": REQUEST_ID,
        "logger": "services.somewhere",
        "message": "AWS did not answer: two\nlines \udc80",
    }


def test_a_record_outside_a_request_has_no_request_id() -> None:
    assert "request_id" not in write_record(lambda logger: logger.warning("x"))


def test_a_traceback_is_part_of_the_log_line() -> None:
    with pytest.raises(ValueError, match="why") as caught:
        int("why")
    line = write_record(lambda logger: logger.error("Unexpected error", exc_info=caught.value))
    assert line["level"] == "error"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'why'")
