"""The delivery of one message, to a real HTTP server that verifies it with the package `standardwebhooks`."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from services.settings.application import parse_secrets
from services.uploads.webhook import NotAcceptedError, Webhook
from tests.eventually import PATIENCE_SECONDS
from tests.receiver import SECRET, Receiver, make_secret, refuse, run_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

BODY = b'{"type":"upload.confirmed","data":{"username":"ada"}}'
NEXT = make_secret("n")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


def make_webhook(receiver: Receiver, secrets: str = SECRET, seconds: float = PATIENCE_SECONDS) -> Webhook:
    return Webhook(receiver.url, parse_secrets(secrets), time.time, seconds)


def test_a_message_is_signed_as_standard_webhooks_says(receiver: Receiver) -> None:
    make_webhook(receiver).send("019b0000-0000-7000-8000-000000000001", BODY)
    (received,) = receiver.accepted
    assert received.body == BODY
    assert received.message_id == "019b0000-0000-7000-8000-000000000001"
    assert received.headers["content-type"] == "application/json"


@pytest.mark.parametrize("known", [SECRET, NEXT])
def test_a_receiver_with_either_secret_accepts_a_message_while_the_secret_is_changed(
    receiver: Receiver, known: str
) -> None:
    receiver.secret = known
    make_webhook(receiver, f"{NEXT},{SECRET}").send("1", BODY)
    assert len(receiver.accepted) == 1
    assert len(receiver.accepted[0].headers["webhook-signature"].split()) == 2


def test_a_look_up_of_the_name_that_hangs_is_an_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        over.wait(PATIENCE_SECONDS)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    looking_up: list[threading.Thread] = []
    before = set(threading.enumerate())
    try:
        with pytest.raises(NotAcceptedError, match="TimeoutError"):
            Webhook("https://application.example/hooks", parse_secrets(SECRET), time_limit_seconds=0.2).send("1", BODY)
        looking_up = [thread for thread in threading.enumerate() if thread not in before]
        assert looking_up
    finally:
        over.set()
        for thread in looking_up:
            thread.join()


def test_a_refused_message_is_an_error(receiver: Receiver) -> None:
    receiver.respond = refuse
    with pytest.raises(NotAcceptedError, match="500"):
        make_webhook(receiver).send("1", BODY)


def test_an_application_that_does_not_listen_is_an_error(receiver: Receiver) -> None:
    webhook = make_webhook(receiver)
    with run_receiver() as other:
        pass
    with pytest.raises(NotAcceptedError, match="ConnectError"):
        Webhook(other.url, webhook.secrets, time.time).send("1", BODY)


def test_a_response_that_arrives_byte_by_byte_is_cut_off(receiver: Receiver) -> None:
    """Each byte arrives long before a read timeout, so only a limit of the whole time ends the delivery."""
    over = threading.Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not over.wait(0.01):
            handler.wfile.write(b"a")
            handler.wfile.flush()

    receiver.respond = drip
    try:
        with pytest.raises(NotAcceptedError, match="TimeoutError"):
            make_webhook(receiver, seconds=0.5).send("1", BODY)
    finally:
        over.set()


def test_the_body_of_a_response_is_not_read(receiver: Receiver) -> None:
    """The delivery ends although the body never does."""
    ended = threading.Event()

    def send_forever(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/plain")
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(bytes(65_536))
        except ConnectionError:
            ended.set()
            raise

    receiver.respond = send_forever
    make_webhook(receiver).send("1", BODY)
    assert ended.wait(PATIENCE_SECONDS)


def test_endless_headers_of_a_response_are_an_error(receiver: Receiver) -> None:
    def send_headers(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.flush_headers()
        while True:
            handler.wfile.write(b"X-More: " + bytes(b"a" * 8_000) + b"\r\n")

    receiver.respond = send_headers
    with pytest.raises(NotAcceptedError, match="RemoteProtocolError"):
        make_webhook(receiver).send("1", BODY)
