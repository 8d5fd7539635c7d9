"""What the demo reports about a process that ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from infra.local.processes import ProcessError, Processes
from infra.local.stack import inherit_environ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUEST = """print('{"level": "info", "path": "/users", "status": 200}', flush=True)"""
OLD_ERROR = """print('{"level": "error", "message": "AWS did not respond."}', flush=True)"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    processes = Processes(tmp_path)
    yield processes
    processes.stop()


def report(processes: Processes, *statements: str) -> str:
    """The report about a process that executes these statements."""
    (processes.logs / "program.py").write_text("\n".join(["import os, signal, sys", *statements]))
    path = [str(processes.logs), *sys.path]
    environ = inherit_environ() | {"PYTHONPATH": ":".join(path)}
    processes.start("auth", "program", health="", environ=environ)
    with pytest.raises(ProcessError) as ended:
        processes.watch()
    return str(ended.value)


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGSEGV"])
def test_a_killed_process_is_reported_with_the_signal(processes: Processes, number: str) -> None:
    told = report(processes, REQUEST, OLD_ERROR, f"os.kill(os.getpid(), signal.{number})")
    assert told == f"auth ended unexpectedly (killed by {number})"


def test_a_failed_process_is_reported_with_its_error(processes: Processes) -> None:
    told = report(processes, REQUEST, "raise ValueError('the end')")
    assert told == "auth ended unexpectedly (exit status 1): ValueError: the end"


@pytest.mark.parametrize("status", [0, 3])
def test_a_line_about_a_request_is_not_reported(processes: Processes, status: int) -> None:
    told = report(processes, OLD_ERROR, REQUEST, f"sys.exit({status})")
    assert told == f"auth ended unexpectedly (exit status {status})"


def test_a_process_without_output_is_reported_with_its_status(processes: Processes) -> None:
    assert report(processes, "os._exit(5)") == "auth ended unexpectedly (exit status 5)"
