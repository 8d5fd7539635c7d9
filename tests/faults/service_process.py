"""The uploads service as a process that can be killed and started again at the same URL."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

import httpx2

from infra.local.clients import Aws
from services.uploads.settings import Settings
from services.web.server import serve
from tests import web
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.faults.service import make_app

if TYPE_CHECKING:
    from pathlib import Path

_forking = multiprocessing.get_context("forkserver")
# Each process is forked from a server that has imported this module, which saves a second per start. The function that
# runs in the process is here and not in a conftest, so that the server does not import the conftest's modules.
_forking.set_forkserver_preload([__name__])


@dataclass
class ServiceProcess:
    """The uploads service, whose output goes to the file `log`."""

    url: str
    environ: dict[str, str]
    log: Path
    _started: list[BaseProcess] = field(default_factory=list[BaseProcess])

    def start(self) -> BaseProcess:
        """Return the running process, or start a new one."""
        if self._started and self._started[-1].is_alive():
            return self._started[-1]
        process = _forking.Process(target=_run_uploads, args=(self.environ, self.log))
        process.start()
        self._started.append(process)
        with web.Client() as client:
            eventually(lambda: self._is_ready(client))
        return process

    def stop(self) -> None:
        for process in self._started:
            process.kill()
            process.join()
            process.close()

    def _is_ready(self, client: httpx2.Client) -> bool:
        assert self._started[-1].is_alive(), self.log.read_text()
        try:
            return client.get(f"{self.url}/healthz").is_success
        except httpx2.TransportError:
            return False


def _run_uploads(environ: dict[str, str], log: Path) -> None:
    """Run as `python -m services.uploads` does, but without its deadlines, and end with the tests."""
    with log.open("ab") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    aws = Aws(
        environ["AWS_ENDPOINT_URL"],
        environ["AWS_REGION"],
        environ["AWS_ACCESS_KEY_ID"],
        environ["AWS_SECRET_ACCESS_KEY"],
    )
    serve("uploads", Settings, environ, lambda settings: make_app(settings, aws), PATIENCE_SECONDS)


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
