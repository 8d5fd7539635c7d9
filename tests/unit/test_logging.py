"""What a service writes of a request, by an application that the test makes; and what becomes of other warnings."""

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
    """Each look at it is a quarter of a second later."""

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
    """What was sent, with the lines that had been written by then in their places; and those lines, read."""
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


async def test_a_request_is_one_line_written_before_its_answer_ends() -> None:
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


async def test_a_refusal_says_which() -> None:
    _, [line] = await ask(refuse)
    assert (line["status"], line["problem"], line["level"]) == (410, "expired", "info")
    assert "username" not in line


async def test_neither_query_nor_headers_are_written() -> None:
    headers = {"Authorization": f"Bearer {SECRET}", "Cookie": f"session={SECRET}", "X-Request-Id": f"{SECRET} {SECRET}"}
    happened, [_] = await ask(answer, headers, query_string=b"X-Amz-Signature=" + SECRET.encode())
    assert SECRET not in str(happened)


@pytest.mark.parametrize(("application", "status"), [(fail, 500), (fail_late, 200)])
async def test_an_application_that_fails_leaves_a_line_and_fails(application: Any, status: int) -> None:
    happened, [line] = await ask(application)
    assert line["status"] == status
    assert isinstance(happened[-1], ValueError)


async def test_a_server_error_has_the_level_of_one() -> None:
    _, [line] = await ask(fail)
    assert line["level"] == "error"


@pytest.mark.parametrize("path", sorted(HEALTH_PATHS))
@pytest.mark.parametrize("application", [answer, refuse, fail])
async def test_health_is_not_logged(path: str, application: Any) -> None:
    assert (await ask(application, path=path))[1] == []


async def test_what_is_no_request_goes_through() -> None:
    async def start(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})

    assert await ask(start, type="lifespan") == ([{"type": "lifespan.startup.complete"}], [])


@pytest.mark.parametrize("wanted", [REQUEST_ID, "019b0000-0000-7000-8000-000000000001", "a" * 8, "Z" * 64])
async def test_a_safe_id_is_taken_over(wanted: str) -> None:
    happened, [line] = await ask(answer, {"X-Request-Id": wanted})
    assert line["request_id"] == wanted
    assert happened[0]["headers"] == [(b"a", b"b"), (b"x-request-id", wanted.encode())]


@pytest.mark.parametrize(
    "wanted",
    ["", "short", "a" * 65, "with space", 'quote"quote', "new\nline-line", "12345678\n", "ümlaut-ümlaut", "a/b/c/d/e"],
)
async def test_for_any_other_a_new_one_is_made(wanted: str) -> None:
    happened, [line] = await ask(answer, {"X-Request-Id": wanted})
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", line["request_id"])
    assert dict(happened[0]["headers"])[b"x-request-id"] == line["request_id"].encode()


async def test_requests_at_once_are_told_apart() -> None:
    both = anyio.Event()
    lines: list[str] = []

    async def wait(scope: Any, _receive: Any, send: Any) -> None:
        annotate(username=scope["path"])
        if scope["path"] == "/second":
            both.set()
        await both.wait()
        # In a thread, as handlers run.
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


async def test_a_path_is_no_way_to_forge_a_line_or_to_make_it_long() -> None:
    happened, [line] = await ask(answer, path='/\n{"level": "error"}\u2028' + "\U0001f600" * 10_000)
    (written,) = (each for each in happened if isinstance(each, str))
    assert "\n" not in written
    assert len(written.encode()) < 4096
    assert line["path"].startswith('/\n{"level"')


def write_record(make: Callable[[logging.Logger], object]) -> dict[str, Any]:
    """What becomes of a record that is logged so."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonFormatter("auth"))
    logger = logging.getLogger("services.somewhere")
    logger.addHandler(handler)
    logger.propagate = False  # what is no Unicode could not be told to the process that prints the reports
    try:
        make(logger)
    finally:
        logger.propagate = True
        logger.removeHandler(handler)
    (line,) = said.getvalue().splitlines()
    return json.loads(line)


async def test_a_warning_is_a_line_of_the_same_form() -> None:
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


def test_outside_of_a_request_there_is_no_id() -> None:
    assert "request_id" not in write_record(lambda logger: logger.warning("x"))


def test_a_traceback_is_within_the_line() -> None:
    with pytest.raises(ValueError, match="why") as caught:
        int("why")
    line = write_record(lambda logger: logger.error("Unexpected error", exc_info=caught.value))
    assert line["level"] == "error"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("ValueError: invalid literal for int() with base 10: 'why'")
