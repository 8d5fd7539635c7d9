"""An HTTP proxy at which the documented address of the demo is that of another system, on whatever port it listens.

Commands that contain the documented address then run as they are printed: curl and requests take the proxy from the
environment.
"""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from infra.local.ports import HOST
from infra.local.stack import Options
from tests import web

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

DOCUMENTED = f"http://localhost:{Options().port}"
FORWARDED = ("Authorization", "Content-Type")


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, origin: str, *args: Any) -> None:
        self._origin = origin
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name: self.headers[name] for name in FORWARDED if name in self.headers}
        # The request target is the whole URL (RFC 9112, section 3.2.2).
        response = web.post(self.path.replace(DOCUMENTED, self._origin, 1), content=body, headers=headers)
        self.send_response(response.status_code)
        self.send_header("Content-Type", response.headers["Content-Type"])
        self.send_header("Content-Length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parameter's name in the base class
        """Write nothing: the handler would otherwise log every request to standard error."""


@contextlib.contextmanager
def map_documented_address(origin: str) -> Generator[Mapping[str, str], None, None]:
    """Environment variables with which the documented address is `origin`. The bucket is accessed directly."""
    with ThreadingHTTPServer((HOST, 0), partial(_Handler, origin)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield {"http_proxy": f"http://{HOST}:{server.server_port}", "no_proxy": HOST}
        finally:
            server.shutdown()
            thread.join()
