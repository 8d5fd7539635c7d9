"""A service of a test's own, beside those of the running system, and a server that is none of ours."""

from __future__ import annotations

import contextlib
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
    """Where it is. `changed`: settings, and AWS's own variables, that are not as in the running system."""
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


@dataclass
class Elsewhere:
    """What somebody else serves: a document for each path, and the paths that it was asked for."""

    port: int
    documents: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    asked: list[str] = field(default_factory=list[str])

    def serve(self, path: str, document: str, host: str = HOST, content_type: str = "text/html") -> str:
        """The URL under which it is from now on."""
        self.documents[path] = (content_type, document)
        return f"http://{host}:{self.port}{path}"


@contextlib.contextmanager
def run_elsewhere(port: int = 0) -> Generator[Elsewhere]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            elsewhere.asked.append(self.path)
            content_type, document = elsewhere.documents.get(self.path, ("text/plain", ""))
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(document.encode())))
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name for it
            pass

    with ThreadingHTTPServer((HOST, port), Handler) as server:
        elsewhere = Elsewhere(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield elsewhere
        finally:
            server.shutdown()
            thread.join()
