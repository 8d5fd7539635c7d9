"""The metrics of the clock's error, with a server in place of the task metadata endpoint."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from infra.local.ports import HOST, pick_free_ports
from infra.local.processes import Processes
from infra.local.stack import inherit_environ
from services.web.clock_error import publish_clock_error
from services.web.metrics import Metrics
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.metric_lines import check_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from pathlib import Path

ERROR, SYNCHRONIZED = ("ClockErrorBound", "Milliseconds"), ("ClockSynchronized", "None")
SLOW = "/slow"
TRICKLE_SECONDS = 0.02
"""Pause between two bytes of a response that does not end: shorter than any timeout of one read."""

Values = dict[tuple[str, str], float]


class Endpoint:
    """A task metadata endpoint, whose response a test can change."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{HOST}:{port}"
        self.requested: list[str] = []
        self.status = 200
        self.document: dict[str, Any] = {}
        self.stopped = threading.Event()

    def report(self, milliseconds: float, status: str) -> None:
        self.document = {"ClockDrift": {"ClockErrorBound": milliseconds, "ClockSynchronizationStatus": status}}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            endpoint.requested.append(self.path)
            self.send_response(endpoint.status)
            self.end_headers()
            if self.path.startswith(SLOW):
                self._trickle()
            else:
                self.wfile.write(json.dumps(endpoint.document).encode())

        def _trickle(self) -> None:
            with contextlib.suppress(OSError):  # the client disconnected
                while not endpoint.stopped.wait(TRICKLE_SECONDS):
                    self.wfile.write(b" ")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name for it
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        endpoint = Endpoint(server.server_address[1])
        endpoint.report(0.446931, "SYNCHRONIZED")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.stopped.set()
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def measuring(url: str | None, *, on: bool = True, timeout_seconds: float = PATIENCE_SECONDS) -> Generator[list[str]]:
    """Run an application that measures the clock, and yield its metrics."""
    lines: list[str] = []
    metrics = Metrics("uploads", on=on, write=lines.append)
    lifespan = publish_clock_error(url, metrics, interval_seconds=0.01, timeout_seconds=timeout_seconds)
    with TestClient(Litestar([], lifespan=[lifespan])):
        yield lines


def read_values(lines: Iterable[str]) -> Values:
    """The last value of each metric, by name and unit."""
    values: Values = {}
    for line in lines:
        document = check_line(line)
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        assert (directive["Dimensions"], document["Service"]) == ([["Service"]], "uploads")
        values |= {(each["Name"], each["Unit"]): document[each["Name"]][0] for each in directive["Metrics"]}
    return values


def test_the_clocks_error_is_measured_again_and_again(endpoint: Endpoint) -> None:
    with measuring(endpoint.url) as lines:
        eventually(lambda: read_values(lines) == {ERROR: 0.446931, SYNCHRONIZED: 1})
        endpoint.report(700, "NOT_SYNCHRONIZED")
        eventually(lambda: read_values(lines) == {ERROR: 700, SYNCHRONIZED: 0})
        endpoint.report(0.5, "SYNCHRONIZED")
        eventually(lambda: read_values(lines) == {ERROR: 0.5, SYNCHRONIZED: 1})
    assert set(endpoint.requested) == {"/task"}


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_clock_of_unknown_error_counts_as_not_synchronized(endpoint: Endpoint, status: int) -> None:
    endpoint.status = status
    if status == 200:
        endpoint.document = {}
    with measuring(endpoint.url) as lines:
        eventually(lambda: bool(lines))
        assert read_values(lines) == {SYNCHRONIZED: 0}
        endpoint.status = 200
        endpoint.report(0.5, "SYNCHRONIZED")
        eventually(lambda: read_values(lines) == {ERROR: 0.5, SYNCHRONIZED: 1})


def test_an_endpoint_that_refuses_connections_stops_nothing() -> None:
    with measuring(f"http://{HOST}:{pick_free_ports(1)[0]}") as lines:
        eventually(lambda: len(lines) > 1)
        assert read_values(lines) == {SYNCHRONIZED: 0}


def test_a_response_that_does_not_end_is_given_up(endpoint: Endpoint) -> None:
    with measuring(f"{endpoint.url}{SLOW}", timeout_seconds=0.1) as lines:
        eventually(lambda: len(lines) > 1)
    assert read_values(lines) == {SYNCHRONIZED: 0}


def test_an_application_stops_during_a_measurement(endpoint: Endpoint) -> None:
    with measuring(f"{endpoint.url}{SLOW}") as lines:
        eventually(lambda: bool(endpoint.requested))
    assert lines == []


def test_nothing_is_measured_without_an_endpoint_or_without_metrics(endpoint: Endpoint) -> None:
    with (
        measuring(None) as without_endpoint,
        measuring(f"{endpoint.url}/off", on=False),
        measuring(endpoint.url) as lines,
    ):
        eventually(lambda: len(lines) > 10)
    assert without_endpoint == []
    assert set(endpoint.requested) == {"/task"}


def test_the_uploads_service_publishes_its_clocks_error(endpoint: Endpoint, tmp_path: Path) -> None:
    (port,) = pick_free_ports(1)
    environ = {
        "ORIGIN": "https://pictures.example",
        "TABLE": "users",
        "BUCKET": "pictures",
        "JWKS_URL": "http://auth/jwks",
        "PORT": str(port),
        "METRICS": "true",
        "ECS_CONTAINER_METADATA_URI_V4": endpoint.url,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    }
    processes = Processes(tmp_path)
    try:
        health = f"http://{HOST}:{port}/healthz"
        process = processes.start("uploads", "services.uploads", health=health, environ=inherit_environ() | environ)
        process.wait_until_ready()
        eventually(lambda: process.log.read_text().count("\n") >= 2)
    finally:
        processes.stop()
    # The log has no other line, so the service also stopped without an error.
    assert read_values(process.log.read_text().splitlines()) == {ERROR: 0.446931, SYNCHRONIZED: 1}
