"""The third call, ours and the original's: how long, by how many calls to AWS, and at what cost of processor time."""

from __future__ import annotations

import base64
import hashlib
import http.client
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
import uuid_utils

from bench.load import LoadError, read_cpu_seconds
from bench.servers import USERNAME, Server, make_module_command, start_peer, start_service
from bench.spread import count_round_trips, find_percentile
from infra.seed.people import PORTRAITS
from services.store.keys import TOKEN_FIELD, USERNAME_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from bench.subjects import Place

DELAYS = (0, 10, 25)
"""Milliseconds that each call to AWS takes."""

CONFIRMS = 30
WARM_UP = 5
PAUSE_SECONDS = 0.02
"""Besides AWS's own delay, between two confirms, so that none waits for what follows the other's answer."""

PICTURE = PORTRAITS[0]


@dataclass(frozen=True, slots=True)
class Confirmed:
    p50: float
    """Milliseconds."""
    in_sequence: int
    """Calls to AWS before the answer; where they take no time it can't be told which ones are made at once."""
    in_all: float
    """Calls to AWS for one confirm, those after the answer too."""
    cpu: float
    """Milliseconds of processor time for one confirm, with what follows its answer."""


@dataclass(frozen=True, slots=True)
class Confirmer:
    whose: Literal["ours", "original"]
    server: Server
    pending: Literal["prefix", "tag"]
    path: str
    begin: Callable[[], dict[str, Any]]
    """What the confirm of a new upload is asked with."""
    headers: dict[str, str]


def start_confirmers(place: Place) -> Sequence[Confirmer]:
    original = start_peer(
        place.processes, "original", make_module_command("bench.peers.original"), "/health", place.aws
    )
    confirmers: list[Confirmer] = []
    pendings: tuple[Literal["prefix", "tag"], ...] = ("prefix", "tag")
    for pending in pendings:
        ours = start_service(place.processes, place.aws, "uploads", place.auth, pending)
        presign = _presign_by(ours, place, pending)
        headers = dict([place.bearer, ("Content-Type", "application/json")])
        confirmers += [
            Confirmer("ours", ours, pending, "/uploads/confirm", presign, headers),
            Confirmer(
                "original",
                original,
                pending,
                f"/{pending}",
                _put_by_hand(place, pending),
                {"Content-Type": "application/json"},
            ),
        ]
    return confirmers


def measure_confirms(place: Place, confirmer: Confirmer, milliseconds: float, count: int = CONFIRMS) -> Confirmed:
    """
    Raises:
        LoadError: one was not answered 200.
    """
    asked = [msgspec.json.encode(confirmer.begin()) for _ in range(WARM_UP + count)]
    place.aws.wait_before_answers(milliseconds)
    pause = PAUSE_SECONDS + milliseconds / 1000
    connection = connect(confirmer.server)
    for body in asked[:WARM_UP]:
        _confirm(connection, confirmer, body)
        time.sleep(pause)
    place.aws.take_served()
    cpu = read_cpu_seconds(confirmer.server.process)
    took: list[float] = []
    answered: list[float] = []
    for body in asked[WARM_UP:]:
        began = time.monotonic()
        _confirm(connection, confirmer, body)
        answered.append(time.monotonic())
        took.append(answered[-1] - began)
        time.sleep(pause)
    cpu = read_cpu_seconds(confirmer.server.process) - cpu
    place.aws.wait_before_answers(0)
    served = place.aws.take_served()
    connection.close()
    last = [call for call in served if call.began >= answered[-1] - took[-1]]
    return Confirmed(
        find_percentile(took, 50) * 1000, count_round_trips(last, answered[-1]), len(served) / count, cpu / count * 1000
    )


def connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.origin.removeprefix("http://"))


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """
    Raises:
        LoadError: the answer is none of success.
    """
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != HTTPStatus.OK:
        raise LoadError(f"{method} {path} was answered {answer.status}: {said.decode(errors='replace')[:200]}")
    return said


def _confirm(connection: http.client.HTTPConnection, confirmer: Confirmer, body: bytes) -> None:
    ask(connection, "POST", confirmer.path, body, confirmer.headers)


def _presign_by(server: Server, place: Place, pending: str) -> Callable[[], dict[str, Any]]:
    """By the service itself; the browser's post is played by putting the object where the form says."""
    connection = connect(server)
    headers = dict([place.bearer, ("Content-Type", "application/json")])
    body = PICTURE.read_bytes()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    declared = msgspec.json.encode({"content_type": "image/png", "size": len(body), "sha256": digest})

    def begin() -> dict[str, Any]:
        form = msgspec.json.decode(ask(connection, "POST", "/uploads/presign", declared, headers))
        _put(place, form["key"], form["fields"].get(f"x-amz-meta-{TOKEN_FIELD}"), pending)
        return {name: form[name] for name in ("key", "upload_token") if name in form}

    return begin


def _put_by_hand(place: Place, pending: str) -> Callable[[], dict[str, Any]]:
    def begin() -> dict[str, Any]:
        key = f"{'pending' if pending == 'prefix' else 'avatars'}/{uuid_utils.uuid7()}"
        _put(place, key, None, pending)
        return {"key": key}

    return begin


def _put(place: Place, key: str, token: str | None, pending: str) -> None:
    metadata = {USERNAME_FIELD: USERNAME} | ({TOKEN_FIELD: token} if token else {})
    tags = urlencode({"Status": "Pending"}) if pending == "tag" else ""
    place.aws.add_object(key, PICTURE.read_bytes(), "image/png", metadata, tags)
