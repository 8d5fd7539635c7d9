"""Load by wrk, and the processor time and memory of the server under it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.local.processes import Process

SCRIPT = Path(__file__).parent / "report.lua"
REPORT = "report "


class LoadError(Exception):
    """The load could not be applied, or a request failed."""


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    per_second: float
    p50: float
    """Median latency, milliseconds."""
    p99: float
    """99th percentile of the latency, milliseconds."""
    cpu: float
    """Processor time of all processes of the server for one request, microseconds."""


class _Report(msgspec.Struct):
    requests: int
    microseconds: int
    failed: int
    p50: int
    p99: int


def apply_load(
    server: Process, origin: str, request: Request, *, seconds: float, connections: int, core: int
) -> Measurement:
    """
    Raises:
        LoadError: wrk failed, or a response has a status code of an error.
    """
    headers = [f"{name}: {value}" for name, value in request.headers]
    before = read_cpu_seconds(server)
    done = subprocess.run(  # noqa: S603 - our own arguments
        [
            *pin(core),
            find_program("wrk"),
            *("--threads", "1", "--connections", str(connections), "--duration", f"{seconds:g}s", "--timeout", "10s"),
            *("--script", str(SCRIPT), origin + request.path, "--", request.method, request.body, *headers),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    cpu = read_cpu_seconds(server) - before
    if done.returncode:
        raise LoadError(f"{server.name}: {done.stderr.strip() or done.stdout.strip()}")
    return read_report(server.name, done.stdout, cpu)


def read_report(name: str, output: str, cpu_seconds: float) -> Measurement:
    """
    Raises:
        LoadError: there was no response, or a request failed.
    """
    lines = [line.removeprefix(REPORT) for line in output.splitlines() if line.startswith(REPORT)]
    report = msgspec.json.decode(lines[0], type=_Report)
    if not report.requests or report.failed:
        raise LoadError(f"{name}: of {report.requests:,} requests {report.failed:,} failed")
    return Measurement(
        report.requests / report.microseconds * 1e6,
        report.p50 / 1000,
        report.p99 / 1000,
        cpu_seconds / report.requests * 1e6,
    )


def read_cpu_seconds(server: Process) -> float:
    times = [process.cpu_times() for process in _family(server)]
    return sum(time.user + time.system for time in times)


def read_resident_megabytes(server: Process) -> float:
    return sum(process.memory_info().rss for process in _family(server)) / 1e6


def _family(server: Process) -> list[psutil.Process]:
    parent = psutil.Process(server.popen.pid)
    return [parent, *parent.children(recursive=True)]


def pin(core: int) -> list[str]:
    return [find_program("taskset"), "--cpu-list", str(core)]


def find_program(name: str) -> str:
    """
    Raises:
        LoadError: it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        packages: Mapping[str, str] = {"wrk": "wrk", "taskset": "util-linux"}
        raise LoadError(f"The benchmark needs {name}, which is not installed: apt-get install {packages[name]}")
    return found
