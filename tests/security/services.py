"""One more process of a service with other settings, and a server that is not part of the system."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from infra.local.ports import HOST, pick_free_ports
from infra.local.processes import Processes
from infra.local.stack import make_environ
from infra.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from infra.local.stack import Stack


@contextlib.contextmanager
def run_service(stack: Stack, name: str, folder: Path, **changed: str) -> Generator[str]:
    """Run a service and yield its URL. `changed`: settings and AWS variables that differ from the running system."""
    (port,) = pick_free_ports(1)
    url = f"http://{HOST}:{port}"
    environ = make_environ(name, {**stack.services, name: url}, stack.aws, stack.resources, stack.origin, Settings())
    processes = Processes(folder)
    try:
        process = processes.start(name, f"services.{name}", health=f"{url}/healthz", environ=environ | changed)
        process.wait_until_ready()
        yield url
    finally:
        processes.stop()


TRICKLED_BYTES = 2000


@contextlib.contextmanager
def run_trickling_server(document: str) -> Generator[tuple[str, threading.Event]]:
    """Yield the URL of one document, and an event. The server sends a space at a time, each soon after the last, until
    the event is set or `TRICKLED_BYTES` are sent, and then the document.
    """
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the client has given up
                for _ in range(TRICKLED_BYTES):
                    if released.wait(0.01):
                        break
                    self.wfile.write(b" ")
                self.wfile.write(document.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name for it
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}/jwks.json", released
        finally:
            released.set()
            server.shutdown()
            thread.join()


DISCOVERY_PATH = "/.well-known/openid-configuration"


@dataclass
class OtherServer:
    """A server outside the system: a document for each path, and the paths that were requested."""

    port: int
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict[str, tuple[str, bytes]])
    redirects: dict[str, str] = field(default_factory=dict[str, str])
    encodings: dict[str, str] = field(default_factory=dict[str, str])
    """The header Content-Encoding by path."""
    requested: list[str] = field(default_factory=list[str])

    def serve(self, path: str, document: str | bytes, host: str = HOST, content_type: str = "text/html") -> str:
        """Serve a document at a path and return its URL."""
        self.documents[path] = (content_type, document.encode() if isinstance(document, str) else document)
        return f"http://{host}:{self.port}{path}"

    def issue(self, *keys: object) -> str:
        """Be an OpenID Connect issuer with these public keys, and return its URL."""
        where = self.serve("/keys", json.dumps({"keys": keys}), content_type="application/json")
        issuer = where.removesuffix("/keys")
        discovery = json.dumps({"issuer": issuer, "jwks_uri": where})
        self.serve(DISCOVERY_PATH, discovery, content_type="application/json")
        return issuer


@contextlib.contextmanager
def run_other_server(port: int = 0) -> Generator[OtherServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            other_server.requested.append(self.path)
            content_type, document = other_server.documents.get(self.path, ("text/plain", b""))
            if where := other_server.redirects.get(self.path):
                self.send_response(302)
                self.send_header("Location", where)
            else:
                self.send_response(200 if document else 404)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(document)))
            if encoding := other_server.encodings.get(self.path):
                self.send_header("Content-Encoding", encoding)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the client has given up
                self.wfile.write(document)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name for it
            pass

    with ThreadingHTTPServer((HOST, port), Handler) as server:
        other_server = OtherServer(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield other_server
        finally:
            server.shutdown()
            thread.join()
