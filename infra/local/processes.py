"""Starts processes, waits until each is healthy, and stops them all.

By hand, since mirakuru passes the parent's whole environment on and starts only one process at a time; quoting the log,
watching all processes and stopping them in order would remain.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, NoReturn

import httpx2

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

START_SECONDS = 300
STOP_SECONDS = 60
POLL_SECONDS = 0.02
WATCH_SECONDS = 0.5
ID_SUFFIX = ".pid"

KILL_SIGNAL = signal.SIGUSR1
"""The signal by which the demo kills a service on request. It ends a process at once, as SIGKILL does, and the
demo starts that process again.
"""


class ProcessError(Exception):
    """A process did not start, or ended unexpectedly. The text says how, and quotes its error if there is one."""


@dataclass(frozen=True)
class Process:
    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    health: str
    module: str | None = None
    """With which it is started again. None: it is not."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str])

    def wait_until_ready(self) -> None:
        """
        Raises:
            ProcessError: the process ended, or its health check did not succeed in time.
        """
        deadline = time.monotonic() + START_SECONDS
        with httpx2.Client(timeout=START_SECONDS, trust_env=False) as client:
            while True:
                if self.popen.poll() is not None:
                    raise ProcessError(self.describe("did not start"))
                try:
                    if client.get(self.health).is_success:
                        return
                except httpx2.TransportError:
                    pass
                if time.monotonic() > deadline:
                    raise ProcessError(self.describe(f"was not healthy within {START_SECONDS} s"))
                time.sleep(POLL_SECONDS)

    def describe(self, failure: str) -> str:
        """A sentence with the failure, how the process ended, and the last line of its log if that is an error.

        A process that was killed logged nothing about it: its last line has nothing to do with its end.
        """
        status = self.popen.returncode
        if status is not None and status < 0:
            return f"{self.name} {failure} (killed by {_name_signal(-status)})"
        ended = "" if status is None else f" (exit status {status})"
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        error = read_error(lines[-1]) if lines else ""
        return f"{self.name} {failure}{ended}" + (f": {error}" if error else "")


@dataclass
class Processes:
    """The processes of one run. `logs`: the folder for their output and their process ids."""

    logs: Path
    started: list[Process] = field(default_factory=list[Process])

    def start(self, name: str, module: str, *, health: str, environ: Mapping[str, str]) -> Process:
        process = self._launch(name, module, health, environ)
        self.started.append(process)
        return process

    def _launch(self, name: str, module: str, health: str, environ: Mapping[str, str]) -> Process:
        log = self.logs / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(  # noqa: S603 - modules of this project in this interpreter
                [sys.executable, "-m", "infra.local.child_process", module],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                # Ctrl-C must reach only the parent, which then stops them in order.
                start_new_session=True,
            )
        (self.logs / f"{name}{ID_SUFFIX}").write_text(str(popen.pid))
        return Process(name, popen, log, health, module, environ)

    def watch(self) -> NoReturn:
        """
        Raises:
            ProcessError: a process has ended. The method never returns.
        """
        while True:
            self.check()
            time.sleep(WATCH_SECONDS)

    def check(self) -> None:
        """Start the processes again that ended by `KILL_SIGNAL`.

        Raises:
            ProcessError: a process has ended in another way.
        """
        for number, process in enumerate(self.started):
            status = process.popen.poll()
            if status == -KILL_SIGNAL and process.module:
                _close(process.popen.stdin)
                self.started[number] = self._launch(process.name, process.module, process.health, process.environ)
            elif status is not None:
                raise ProcessError(process.describe("ended unexpectedly"))

    def stop(self) -> None:
        """Stop them in reverse order of their start. A process that does not stop in time is killed."""
        for process in reversed(self.started):
            process.popen.terminate()
            try:
                process.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
            _close(process.popen.stdin)
        self.started.clear()


def read_process_ids(folder: Path, names: str) -> list[int]:
    """The ids of the running processes with these names, a pattern. `folder`: the folder of their logs."""
    return [int(file.read_text()) for file in folder.glob(names + ID_SUFFIX)]


def read_error(line: str) -> str:
    """The error in a line of a log, or an empty text. Services write JSON. Tracebacks and the gateway's and the
    emulator's logs are plain text.
    """
    if not line.startswith("{"):
        return "" if line.startswith(("DEBUG:", "INFO:", "WARNING:")) else line
    try:
        entry: dict[str, str] = json.loads(line)
    except ValueError:
        return line
    if entry.get("level") not in {"error", "critical"}:
        return ""
    return (entry.get("exception") or entry.get("message", "")).strip().rpartition("\n")[2]


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _close(pipe: IO[bytes] | None) -> None:
    if pipe:
        pipe.close()
