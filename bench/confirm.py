"""Measures a confirm, ours and the original's: its duration, its calls to AWS and its processor time."""

from __future__ import annotations

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
from bench.spread import count_sequential_calls, find_percentile
from infra.seed.people import PORTRAITS
from services.store.keys import DIGEST_FIELD, PENDING_TAG, TOKEN_FIELD, USERNAME_FIELD, Upload, UploadId
from services.store.kinds import AVATAR
from services.uploads.bucket import compute_sha256
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from bench.subjects import Setup
    from services.settings.limits import PendingStrategy

DELAYS = (0, 10, 25)
"""Delays of each call to AWS, milliseconds."""

CONFIRMS = 30
WARM_UP = 5
PAUSE_SECONDS = 0.02
"""Pause between two confirms besides the delay of AWS, so that the work after a response does not slow the next."""

PICTURE = PORTRAITS[0]


@dataclass(frozen=True, slots=True)
class ConfirmMeasurement:
    p50: float
    """Median duration, milliseconds."""
    sequential_calls: int
    """Calls to AWS in sequence before the response. Without a delay parallel calls cannot be told apart."""
    calls: float
    """Calls to AWS for one confirm, including those after the response."""
    cpu: float
    """Processor time for one confirm, including the work after the response, milliseconds."""


@dataclass(frozen=True, slots=True)
class ConfirmSubject:
    implementation: Literal["ours", "original"]
    server: Server
    pending: PendingStrategy
    path: str
    make_body: Callable[[], dict[str, Any]]
    """Makes a new upload and returns the request body of its confirm."""
    headers: dict[str, str]


def start_confirm_subjects(setup: Setup) -> Sequence[ConfirmSubject]:
    original = start_peer(
        setup.processes, "original", make_module_command("bench.peers.original"), "/health", setup.aws
    )
    subjects: list[ConfirmSubject] = []
    pendings: tuple[PendingStrategy, ...] = ("prefix", "tag")
    for pending in pendings:
        ours = start_service(setup.processes, setup.aws, "uploads", setup.auth, pending)
        presign = _upload_by_presign(ours, setup, pending)
        headers = dict([setup.bearer, ("Content-Type", "application/json")])
        subjects += [
            ConfirmSubject("ours", ours, pending, "/uploads/confirm", presign, headers),
            ConfirmSubject(
                "original",
                original,
                pending,
                f"/{pending}",
                _upload_without_presign(setup, pending),
                {"Content-Type": "application/json"},
            ),
        ]
    return subjects


def measure_confirm(
    setup: Setup, subject: ConfirmSubject, milliseconds: float, count: int = CONFIRMS
) -> ConfirmMeasurement:
    """
    Raises:
        LoadError: a response has another status code than 200.
    """
    bodies = [msgspec.json.encode(subject.make_body()) for _ in range(WARM_UP + count)]
    setup.aws.set_delay(milliseconds)
    pause = PAUSE_SECONDS + milliseconds / 1000
    connection = connect(subject.server)
    for body in bodies[:WARM_UP]:
        _confirm(connection, subject, body)
        time.sleep(pause)
    setup.aws.take_calls()
    cpu = read_cpu_seconds(subject.server.process)
    durations: list[float] = []
    responded: list[float] = []
    for body in bodies[WARM_UP:]:
        began = time.monotonic()
        _confirm(connection, subject, body)
        responded.append(time.monotonic())
        durations.append(responded[-1] - began)
        time.sleep(pause)
    cpu = read_cpu_seconds(subject.server.process) - cpu
    setup.aws.set_delay(0)
    served = setup.aws.take_calls()
    connection.close()
    last = [call for call in served if call.began >= responded[-1] - durations[-1]]
    return ConfirmMeasurement(
        find_percentile(durations, 50) * 1000,
        count_sequential_calls(last, responded[-1]),
        len(served) / count,
        cpu / count * 1000,
    )


def connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.origin.removeprefix("http://"))


def send(connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """
    Raises:
        LoadError: the response has another status code than 200.
    """
    connection.request(method, path, body or None, headers)
    response = connection.getresponse()
    content = response.read()
    if response.status != HTTPStatus.OK:
        raise LoadError(f"{method} {path} returned {response.status}: {content.decode(errors='replace')[:200]}")
    return content


def _confirm(connection: http.client.HTTPConnection, subject: ConfirmSubject, body: bytes) -> None:
    send(connection, "POST", subject.path, body, subject.headers)


def _upload_by_presign(server: Server, setup: Setup, pending: str) -> Callable[[], dict[str, Any]]:
    """Presign at the service, then put the object at the form's key in place of the browser's POST."""
    connection = connect(server)
    headers = dict([setup.bearer, ("Content-Type", "application/json")])
    body = PICTURE.read_bytes()
    declared = msgspec.json.encode({"content_type": "image/png", "size": len(body), "sha256": compute_sha256(body)})

    def make_body() -> dict[str, Any]:
        form = msgspec.json.decode(send(connection, "POST", "/uploads/presign", declared, headers))
        _put(setup, form["key"], form["fields"].get(f"x-amz-meta-{TOKEN_FIELD}"), pending)
        return {name: form[name] for name in ("key", "upload_token") if name in form}

    return make_body


def _upload_without_presign(setup: Setup, pending: str) -> Callable[[], dict[str, Any]]:
    def make_body() -> dict[str, Any]:
        key = STRATEGIES[pending].posted_key(Upload(AVATAR, UploadId(str(uuid_utils.uuid7()))))
        _put(setup, key, None, pending)
        return {"key": key}

    return make_body


def _put(setup: Setup, key: str, token: str | None, pending: str) -> None:
    picture = PICTURE.read_bytes()
    metadata = {USERNAME_FIELD: USERNAME, DIGEST_FIELD: compute_sha256(picture)}
    if token:
        metadata[TOKEN_FIELD] = token
    tags = urlencode([PENDING_TAG]) if pending == "tag" else ""
    setup.aws.add_object(key, picture, "image/png", metadata, tags)
