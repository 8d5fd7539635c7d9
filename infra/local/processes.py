"""Starts processes, waits until each can serve, and stops them all."""

from __future__ import annotations

import json
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


class ProcessError(Exception):
    """A process did not come up, or ended by itself. The text says which one, and the last it said."""


@dataclass(frozen=True)
class Process:
    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    health: str

    def wait_until_ready(self) -> None:
        """
        Raises:
            ProcessError: it ended, or did not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        with httpx2.Client(timeout=START_SECONDS, trust_env=False) as client:
            while True:
                if self.popen.poll() is not None:
                    raise ProcessError(f"{self.name} did not start: {self.last_words}")
                try:
                    if client.get(self.health).is_success:
                        return
                except httpx2.TransportError:
                    pass
                if time.monotonic() > deadline:
                    raise ProcessError(f"{self.name} did not answer within {START_SECONDS} s: {self.last_words}")
                time.sleep(POLL_SECONDS)

    @property
    def last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        said = [words for line in lines if (words := read_words(line))]
        return said[-1] if said else f"it ended with status {self.popen.returncode} and said nothing"


@dataclass
class Processes:
    """The processes of one run. `logs` is the folder where what they say goes."""

    logs: Path
    started: list[Process] = field(default_factory=list[Process])

    def start(self, name: str, module: str, *, health: str, environ: Mapping[str, str]) -> Process:
        log = self.logs / f"{name}.log"
        with log.open("wb") as output:
            popen = subprocess.Popen(  # noqa: S603 - our own modules by our own interpreter
                [sys.executable, "-m", "infra.local.child", module],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                # Ctrl-C is for the parent, who stops them in order.
                start_new_session=True,
            )
        process = Process(name, popen, log, health)
        self.started.append(process)
        return process

    def watch(self) -> NoReturn:
        """
        Raises:
            ProcessError: as soon as one of them ends; until then it does not return.
        """
        while True:
            for process in self.started:
                if process.popen.poll() is not None:
                    raise ProcessError(f"{process.name} ended by itself: {process.last_words}")
            time.sleep(WATCH_SECONDS)

    def stop(self) -> None:
        """The last to start is the first to stop; who does not stop in time is killed."""
        for process in reversed(self.started):
            process.popen.terminate()
            try:
                process.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
            _close(process.popen.stdin)
        self.started.clear()


def read_words(line: str) -> str:
    """What a line of a log says to a person: a service writes JSON, and its lines of requests say nothing here."""
    if not line.startswith("{"):
        return line
    try:
        said: dict[str, str] = json.loads(line)
    except ValueError:
        return line
    return (said.get("exception") or said.get("message", "")).strip().rpartition("\n")[2]


def _close(pipe: IO[bytes] | None) -> None:
    if pipe:
        pipe.close()
