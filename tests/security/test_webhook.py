"""Attacks on the messages to the application: by somebody who knows its URL, and by the application's responses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from services.settings.application import parse_secrets
from services.settings.environment import InvalidSettingsError, read_settings
from services.uploads.sweep.settings import Settings
from services.uploads.webhook import NotAcceptedError, Webhook
from tests import web
from tests.conftest import only_prefix
from tests.receiver import SECRET, Receiver, make_secret, run_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

    from tests.receiver import Received
    from tests.security.conftest import Refused

pytestmark = only_prefix

BODY = b'{"type":"upload.removed","data":{"username":"ada"}}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


@pytest.fixture
def captured(receiver: Receiver) -> Received:
    """A message that the attacker has read."""
    Webhook(receiver.url, parse_secrets(SECRET)).send("019b0000-0000-7000-8000-000000000001", BODY)
    return receiver.accepted.pop()


def send_again(receiver: Receiver, captured: Received, body: bytes = BODY, **changed: str) -> int:
    names = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")
    headers = {name: captured.headers[name] for name in names}
    headers |= {f"webhook-{name}": value for name, value in changed.items()}
    return web.post(receiver.url, content=body, headers=headers).status_code


def test_a_message_with_another_secret(receiver: Receiver, refused: Refused) -> None:
    with pytest.raises(NotAcceptedError, match="401"):
        Webhook(receiver.url, parse_secrets(make_secret("x"))).send("1", BODY)
    assert receiver.accepted == []
    refused.record("401 by the application")


def test_a_changed_message(receiver: Receiver, captured: Received, refused: Refused) -> None:
    assert send_again(receiver, captured, BODY.replace(b"ada", b"eve")) == 401
    assert send_again(receiver, captured, id="019b0000-0000-7000-8000-000000000002") == 401
    assert receiver.accepted == []
    refused.record("401 by the application")


def test_a_replayed_message(receiver: Receiver, captured: Received, refused: Refused) -> None:
    """Within five minutes the application recognizes it by its id. Later its timestamp is refused."""
    assert send_again(receiver, captured) == 204
    assert receiver.accepted.pop().message_id == captured.message_id
    with pytest.raises(NotAcceptedError, match="401"):
        Webhook(receiver.url, parse_secrets(SECRET), lambda: time.time() - 301).send("1", BODY)
    assert send_again(receiver, captured, timestamp=str(int(time.time()) + 1)) == 401
    assert receiver.accepted == []
    refused.record("401 by the application")


def test_a_redirect_to_another_server(receiver: Receiver, refused: Refused) -> None:
    with run_receiver() as inside:

        def redirect(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(307)
            handler.send_header("Location", inside.url)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        receiver.respond = redirect
        with pytest.raises(NotAcceptedError, match="307"):
            Webhook(receiver.url, parse_secrets(SECRET)).send("1", BODY)
        assert not inside.paths
    refused.record("not followed")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hooks",
        "http://169.254.170.2/v2/credentials",
        "http://localhost@example.com/",
        "http://localhost.example.com/",
        "file:///etc/passwd",
    ],
)
def test_an_application_without_tls(url: str, refused: Refused) -> None:
    environ = {"BUCKET": "pictures", "TABLE": "users", "CONFIRMED_URL": url, "CONFIRMED_SECRET": SECRET}
    with pytest.raises(InvalidSettingsError, match="CONFIRMED_URL must be"):
        read_settings(Settings, environ)
    refused.record("the service does not start")


def test_a_secret_in_an_error_message(refused: Refused) -> None:
    environ = {"BUCKET": "pictures", "TABLE": "users", "CONFIRMED_URL": "https://example.com"}
    with pytest.raises(InvalidSettingsError) as error:
        read_settings(Settings, environ | {"CONFIRMED_SECRET": "whsec_tooshort"})
    assert "tooshort" not in str(error.value)
    refused.record("the text names the setting only")
