"""An application that receives messages and verifies them with the package `standardwebhooks`."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    Respond = Callable[[BaseHTTPRequestHandler], None]


def make_secret(character: str = "s") -> str:
    return f"whsec_{base64.b64encode(character.encode() * 32).decode()}"


SECRET = make_secret()


@dataclass(frozen=True)
class Received:
    """A request with a valid signature."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def data(self) -> dict[str, Any]:
        return self.content["data"]


def accept(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(204)
    handler.end_headers()


def refuse(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(500)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@dataclass
class Receiver:
    """`respond`: what it does with a message that it could verify. It refuses any other with the status code 401."""

    secret: str = SECRET
    respond: Respond = accept
    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    """Every verified message, whatever the response to it was."""
    accepted: list[Received] = field(default_factory=list[Received])
    """Those to which the response was sent by `accept`."""
    paths: deque[str] = field(default_factory=deque[str])
    """The path of every request."""

    def find(self, username: str) -> list[Received]:
        """The accepted messages about this user, in order of arrival."""
        return [each for each in self.accepted if each.data["username"] == username]

    def wait_for(self, username: str, count: int = 1) -> list[Received]:
        eventually(lambda: len(self.find(username)) >= count)
        return self.find(username)

    def verify(self, headers: Mapping[str, str], body: bytes) -> bool:
        try:
            Webhook(self.secret).verify(body, dict(headers))
        except WebhookVerificationError:
            return False
        return True


@contextlib.contextmanager
def run_receiver(receiver: Receiver | None = None) -> Generator[Receiver, None, None]:
    """Run the application on a free port."""
    running = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            running.paths.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if not running.verify(headers, body):
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            received = Received(headers, body)
            running.received.append(received)
            # Before the response, so that a test that saw its effects finds the message here.
            if running.respond is accept:
                running.accepted.append(received)
            with contextlib.suppress(ConnectionError):  # the sender no longer waits
                running.respond(self)

        def log_message(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running.url = f"http://127.0.0.1:{server.server_port}/hooks"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="receiver")
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
