"""The application is told of confirms and removals although it, a call to AWS or the service fails."""

from __future__ import annotations

import contextlib
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bench.soak.proxy import Event, Fault, Kind, When
from bench.soak.sweeping import sweep
from infra.local.ports import HOST, pick_free_ports
from services.settings.application import parse_secrets
from services.settings.environment import read_settings
from services.store.table import make_key
from services.uploads.settings import Settings
from services.uploads.sweep.report import Outcome
from services.uploads.webhook import Webhook
from tests.conftest import only_prefix
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.faults.conftest import Upload, begin_upload, make_service_environ, serve
from tests.faults.service import make_app
from tests.faults.service_process import ServiceProcess
from tests.receiver import SECRET, Receiver, accept, refuse, run_receiver

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from bench.soak.proxy import Proxy
    from infra.local.stack import Stack
    from tests.receiver import Respond

pytestmark = only_prefix


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


@pytest.fixture
def environ(stack: Stack, proxy: Proxy, receiver: Receiver) -> dict[str, str]:
    environ = make_service_environ(stack, "prefix", proxy, "http://127.0.0.1:8000")
    return environ | {"CONFIRMED_URL": receiver.url, "CONFIRMED_SECRET": SECRET, "NEW_USERS": "create"}


@pytest.fixture
def service(stack: Stack, environ: dict[str, str]) -> Iterator[str]:
    """The URL of a service that tells the application and creates rows. Its clock stands still."""
    with run_service(stack, environ) as url:
        yield url


@contextlib.contextmanager
def run_service(stack: Stack, environ: dict[str, str]) -> Generator[str, None, None]:
    aws = stack.aws.with_credentials(stack.resources.credentials["uploads"])
    with serve(make_app(read_settings(Settings, environ), aws)) as url:
        yield url


def make_webhook(receiver: Receiver) -> Webhook:
    return Webhook(receiver.url, parse_secrets(SECRET), time_limit_seconds=PATIENCE_SECONDS)


def make_process(environ: dict[str, str], folder: Path) -> ServiceProcess:
    """The same service as a process of its own."""
    port = pick_free_ports(1)[0]
    return ServiceProcess(f"http://{HOST}:{port}", environ | {"PORT": str(port)}, folder / "uploads.log")


def read_told(stack: Stack, upload: Upload) -> str | None:
    item = stack.aws.dynamodb.get_item(
        TableName=stack.resources.table, Key=make_key(upload.user.username), ConsistentRead=True
    )
    return item.get("Item", {}).get("Told", {}).get("S")


def remove_row(stack: Stack, upload: Upload) -> None:
    stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=make_key(upload.user.username))


def test_the_application_is_told_of_a_confirm_and_of_a_removal(stack: Stack, service: str, receiver: Receiver) -> None:
    with begin_upload(stack, service, 0) as upload:
        assert upload.confirm().status_code == 200
        (confirmed,) = receiver.wait_for(upload.user.username)
        assert confirmed.message_id == upload.upload_id
        assert confirmed.content == {
            "type": "upload.confirmed",
            "data": {
                "id": upload.upload_id,
                "username": upload.user.username,
                "kind": "avatar",
                "key": upload.new,
                "size": len(upload.picture),
                "content_type": "image/png",
                "width": 24,
                "height": 24,
                "replaced": upload.old,
                "request_id": upload.form["fields"]["x-amz-meta-request-id"],
            },
        }
        eventually(lambda: read_told(stack, upload) == upload.upload_id)
        assert upload.remove().status_code == 204
        _, removed = receiver.wait_for(upload.user.username, 2)
        assert removed.message_id.startswith(removed.data["id"])
        assert removed.data["id"] > upload.upload_id
        assert removed.content == {
            "type": "upload.removed",
            "data": {
                "id": removed.data["id"],
                "username": upload.user.username,
                "kind": "avatar",
                "replaced": upload.new,
                "request_id": removed.data["request_id"],
            },
        }
        assert len(removed.data["request_id"]) >= len("a request id")
        eventually(lambda: read_told(stack, upload) == removed.data["id"])
        sweep(stack, make_webhook(receiver))
        assert len(receiver.find(upload.user.username)) == 2


def redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(307)
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def close(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()


@pytest.mark.parametrize("respond", [refuse, redirect, close])
def test_an_application_that_fails_fails_no_confirm_and_the_sweep_tells_it(
    stack: Stack, service: str, receiver: Receiver, respond: Respond
) -> None:
    receiver.respond = respond
    with begin_upload(stack, service, 0) as upload:
        assert upload.confirm().json()["avatar"] == upload.new
        eventually(lambda: len(receiver.received) == 1)
        report = sweep(stack, make_webhook(receiver))
        assert report.counts[Outcome.UNTOLD] > 0
        assert report.needs_attention
        assert read_told(stack, upload) is None
        assert "/elsewhere" not in receiver.paths
        receiver.respond = accept
        report = sweep(stack, make_webhook(receiver))
        assert not report.needs_attention, report.as_text()
        (told,) = receiver.find(upload.user.username)
        assert (told.message_id, told.data["key"]) == (upload.upload_id, upload.new)
        assert read_told(stack, upload) == upload.upload_id


def test_a_confirm_does_not_wait_for_the_application(stack: Stack, service: str, receiver: Receiver) -> None:
    over = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        over.wait(PATIENCE_SECONDS)
        accept(handler)

    receiver.respond = hang
    try:
        with begin_upload(stack, service, 0) as upload:
            assert upload.confirm().json()["avatar"] == upload.new
            assert upload.confirm().json()["avatar"] == upload.new
            eventually(lambda: len(receiver.received) == 1)
            assert read_told(stack, upload) is None
    finally:
        over.set()


def test_an_upload_that_was_replaced_before_it_was_told_is_skipped(
    stack: Stack, service: str, environ: dict[str, str], receiver: Receiver
) -> None:
    receiver.respond = refuse
    with begin_upload(stack, service, 0) as first, run_service(stack, environ) as later:
        assert first.confirm().status_code == 200
        first.user.http.base_url = later
        second = first.user.upload_unconfirmed("image/png", first.picture)
        assert first.user.confirm(second).status_code == 200
        eventually(lambda: len(receiver.received) == 2)
        receiver.respond = accept
        sweep(stack, make_webhook(receiver))
        (told,) = receiver.find(first.user.username)
        assert told.data["key"] == first.user.avatar


def test_the_first_confirm_creates_the_row(stack: Stack, service: str, receiver: Receiver) -> None:
    with begin_upload(stack, service, 0) as upload:
        remove_row(stack, upload)
        for _ in range(2):
            assert upload.confirm().json()["avatar"] == upload.new
        assert upload.user.avatar == upload.new
        (told,) = receiver.wait_for(upload.user.username)
        assert told.data["replaced"] is None


def test_a_removal_creates_the_row_and_refuses_what_was_presigned_before(
    stack: Stack, service: str, receiver: Receiver
) -> None:
    with begin_upload(stack, service, 0) as upload:
        remove_row(stack, upload)
        for _ in range(2):
            assert upload.remove().status_code == 204
        refused = upload.confirm()
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:removed")
        assert upload.user.avatar is None
        told = receiver.wait_for(upload.user.username)
        assert {each.content["type"] for each in told} == {"upload.removed"}


def test_the_sweep_tells_what_a_killed_service_did_not(
    stack: Stack, proxy: Proxy, environ: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    process = make_process(environ, tmp_path)
    try:
        running = process.start()
        with begin_upload(stack, process.url, 0) as upload, ThreadPoolExecutor(1) as thread:
            planned = proxy.plan(Fault("UpdateItem", When.AFTER, Kind.HOLD, upload.about("UpdateItem")))
            confirming = thread.submit(upload.confirm)
            planned.wait_for(Event.HELD)
            running.kill()
            running.join()
            assert confirming.exception() is not None
            proxy.lift(planned)
            assert receiver.find(upload.user.username) == []
            sweep(stack, make_webhook(receiver))
            (told,) = receiver.find(upload.user.username)
            assert told.data["key"] == upload.user.avatar == upload.new
    finally:
        process.stop()


def test_a_message_whose_response_was_lost_is_repeated_with_the_same_id(
    stack: Stack, environ: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    over = threading.Event()

    def hang(handler: BaseHTTPRequestHandler) -> None:
        over.wait(PATIENCE_SECONDS)
        accept(handler)

    receiver.respond = hang
    process = make_process(environ, tmp_path)
    try:
        running = process.start()
        with begin_upload(stack, process.url, 0) as upload:
            assert upload.confirm().status_code == 200
            eventually(lambda: len(receiver.received) == 1)
            running.kill()
            running.join()
            receiver.respond = accept
            sweep(stack, make_webhook(receiver))
            told = receiver.find(upload.user.username)
            assert [each.message_id for each in told] == [receiver.received[0].message_id] == [upload.upload_id]
    finally:
        over.set()
        process.stop()


def test_a_service_that_is_stopped_sends_its_message_first(
    stack: Stack, environ: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    asked, over = threading.Event(), threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        over.wait(PATIENCE_SECONDS)
        accept(handler)

    receiver.respond = wait
    process = make_process(environ, tmp_path)
    try:
        running = process.start()
        with begin_upload(stack, process.url, 0) as upload:
            assert upload.confirm().status_code == 200
            assert asked.wait(PATIENCE_SECONDS)
            running.terminate()
            over.set()
            running.join(PATIENCE_SECONDS)
            assert running.exitcode == -signal.SIGTERM
            assert read_told(stack, upload) == upload.upload_id
    finally:
        over.set()
        process.stop()
