"""Measures a page view, by the number of objects in the bucket. There are as many users."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uuid_utils

from bench.confirm import connect, send
from bench.servers import USERNAME
from bench.spread import find_percentile
from infra.seed.people import PORTRAITS
from services.store.keys import USERNAME_FIELD, Upload, UploadId
from services.store.kinds import AVATAR

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from bench.servers import Server
    from bench.subjects import Setup

COUNTS = (3, 100, 1000)
DELAYS = (0, 10)
"""Delays of each call to AWS, milliseconds."""
VIEWS = 15
WARM_UP = 3
PICTURE = PORTRAITS[1].read_bytes()


@dataclass(frozen=True, slots=True)
class ViewMeasurement:
    p50: float
    """Median duration, milliseconds."""
    calls: float
    """Calls to AWS for one view."""


def fill_table_and_bucket(setup: Setup, count: int) -> None:
    """Create `count` users, each with an avatar."""
    setup.aws.clear()
    for number in range(count):
        username = USERNAME if number == 0 else f"user-{number}"
        avatar = Upload(AVATAR, UploadId(str(uuid_utils.uuid7()))).permanent_key
        setup.aws.add_user(username, avatar)
        setup.aws.add_object(avatar, PICTURE, "image/png", {USERNAME_FIELD: username, "request-id": uuid.uuid4().hex})


def measure_view(setup: Setup, frontend: Server, milliseconds: float) -> ViewMeasurement:
    """
    Raises:
        LoadError: a response has another status code than 200.
    """
    connection = connect(frontend)
    headers = dict([setup.bearer])
    setup.aws.set_delay(milliseconds)
    for _ in range(WARM_UP):
        _view(connection, headers)
    setup.aws.take_calls()
    durations = [_view(connection, headers) for _ in range(VIEWS)]
    calls = len(setup.aws.take_calls()) / VIEWS
    setup.aws.set_delay(0)
    connection.close()
    return ViewMeasurement(find_percentile(durations, 50) * 1000, calls)


def _view(connection: HTTPConnection, headers: dict[str, str]) -> float:
    began = time.monotonic()
    send(connection, "GET", "/", b"", headers)
    return time.monotonic() - began
