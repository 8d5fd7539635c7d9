"""HTTP requests as bytes, which a client library would not send."""

from __future__ import annotations

import select
import socket
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from infra.local.ports import HOST
from tests.eventually import PATIENCE_SECONDS


@dataclass
class Connection:
    """A TCP connection on which any bytes can be sent."""

    url: str
    socket: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        port = urlsplit(self.url).port
        assert port
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *lines: str, body: bytes = b"") -> None:
        """Send a request. `lines`: its request line and headers; the Host header is added as the second line."""
        request, *headers = lines
        head = "\r\n".join([request, f"Host: {urlsplit(self.url).netloc}", *headers])
        self.socket.sendall(head.encode("latin-1") + b"\r\n\r\n" + body)

    def send_in_pieces(self, data: bytes) -> None:
        """Send each byte in a segment of its own, so that the server sees incomplete data."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in data:
            self.socket.sendall(bytes([number]))

    @property
    def is_quiet(self) -> bool:
        """Whether the server has sent nothing and has not closed."""
        return select.select([self.socket], [], [], 0) == ([], [], [])

    def read_all(self) -> bytes:
        """Read until the server closes. A close with unread data arrives as a reset."""
        received = bytearray()
        try:
            while part := self.socket.recv(65_536):
                received += part
        except ConnectionResetError:
            pass
        return bytes(received)


def read_statuses(answers: bytes) -> list[int]:
    """The status codes of all responses, in order."""
    parts = answers.split(b"HTTP/1.1 ")[1:]
    return [int(part[:3]) for part in parts]
