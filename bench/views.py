"""A page view, with so many objects in the bucket and as many users."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uuid_utils

from bench.confirm import ask, connect
from bench.servers import USERNAME
from bench.spread import find_percentile
from infra.seed.people import PORTRAITS
from services.store.keys import USERNAME_FIELD, UploadId

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from bench.servers import Server
    from bench.subjects import Place

COUNTS = (3, 100, 1000)
DELAYS = (0, 10)
"""Milliseconds that each call to AWS takes."""
VIEWS = 15
WARM_UP = 3
PICTURE = PORTRAITS[1].read_bytes()


@dataclass(frozen=True, slots=True)
class Viewed:
    p50: float
    """Milliseconds."""
    calls: float
    """To AWS, for one view."""


def fill(place: Place, count: int) -> None:
    """So many users, each with an avatar."""
    place.aws.empty()
    for number in range(count):
        username = USERNAME if number == 0 else f"user-{number}"
        avatar = UploadId(str(uuid_utils.uuid7())).avatar_key
        place.aws.add_person(username, avatar)
        place.aws.add_object(avatar, PICTURE, "image/png", {USERNAME_FIELD: username, "request-id": uuid.uuid4().hex})


def measure_views(place: Place, frontend: Server, milliseconds: float) -> Viewed:
    """
    Raises:
        LoadError: one was not answered 200.
    """
    connection = connect(frontend)
    headers = dict([place.bearer])
    place.aws.wait_before_answers(milliseconds)
    for _ in range(WARM_UP):
        _view(connection, headers)
    place.aws.take_served()
    took = [_view(connection, headers) for _ in range(VIEWS)]
    calls = len(place.aws.take_served()) / VIEWS
    place.aws.wait_before_answers(0)
    connection.close()
    return Viewed(find_percentile(took, 50) * 1000, calls)


def _view(connection: HTTPConnection, headers: dict[str, str]) -> float:
    began = time.monotonic()
    ask(connection, "GET", "/", b"", headers)
    return time.monotonic() - began
