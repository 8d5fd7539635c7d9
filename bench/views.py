"""Measures a page view, by the number of objects in the bucket. There are as many users."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uuid_utils

from bench.confirm import connect, send
from bench.load import read_cpu_seconds
from bench.servers import USERNAME
from bench.spread import find_percentile
from infra.seed.people import PORTRAITS
from services.frontend.object_cache import MIN_OBJECT_AGE_SECONDS
from services.store.keys import USERNAME_FIELD, Upload, UploadId
from services.store.kinds import AVATAR

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from bench.servers import Server
    from bench.subjects import Setup

COUNTS = (3, 100, 1000)
DELAYS = (0, 10)
"""Delays of each call to AWS, milliseconds."""
VIEWS = 30
WARM_UP = 3
PICTURE = PORTRAITS[1].read_bytes()


@dataclass(frozen=True, slots=True)
class ViewMeasurement:
    first: float
    """Duration of the first view after a start, milliseconds."""
    first_calls: float
    """Calls to AWS for the first view."""
    p50: float
    """Median duration of later views, milliseconds."""
    calls: float
    """Calls to AWS for one later view."""
    cpu: float
    """Processor time for one later view, milliseconds."""


def fill_table_and_bucket(setup: Setup, count: int) -> None:
    """Create `count` users, each with an avatar that is older than the services' caches require."""
    setup.aws.clear()
    for number in range(count):
        username = USERNAME if number == 0 else f"user-{number}"
        avatar = Upload(AVATAR, UploadId(str(uuid_utils.uuid7()))).permanent_key
        setup.aws.add_user(username, avatar)
        setup.aws.add_object(avatar, PICTURE, "image/png", {USERNAME_FIELD: username, "request-id": uuid.uuid4().hex})
    setup.aws.age_objects(2 * MIN_OBJECT_AGE_SECONDS)


def measure_view(setup: Setup, frontend: Server, milliseconds: float) -> ViewMeasurement:
    """Measure a frontend that was just started.

    Raises:
        LoadError: a response has another status code than 200.
    """
    connection = connect(frontend)
    headers = dict([setup.bearer])
    setup.aws.set_delay(milliseconds)
    setup.aws.take_calls()
    first = _view(connection, headers)
    first_calls = len(setup.aws.take_calls())
    for _ in range(WARM_UP):
        _view(connection, headers)
    setup.aws.take_calls()
    cpu = read_cpu_seconds(frontend.process)
    durations = [_view(connection, headers) for _ in range(VIEWS)]
    cpu = read_cpu_seconds(frontend.process) - cpu
    calls = len(setup.aws.take_calls()) / VIEWS
    setup.aws.set_delay(0)
    connection.close()
    return ViewMeasurement(first * 1000, first_calls, find_percentile(durations, 50) * 1000, calls, cpu / VIEWS * 1000)


def _view(connection: HTTPConnection, headers: dict[str, str]) -> float:
    began = time.monotonic()
    send(connection, "GET", "/", b"", headers)
    return time.monotonic() - began
