"""API Gateway in front of services that do not respond."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from infra.local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def run_edge() -> Generator[str]:
    """Its origin."""
    with ThreadingHTTPServer((HOST, 0), _Edge) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()


class _Edge(BaseHTTPRequestHandler):
    """Responds as API Gateway does while no task responds."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"message": "Service Unavailable"}'
        self.send_response(503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parameter's name in the base class
        """Write nothing: the handler would otherwise log every request to standard error."""
