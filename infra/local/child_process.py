"""Runs a module as `python -m` does, and stops when the parent process ends.

`python -m infra.local.child_process MODULE`

Standard input is a pipe that the parent keeps open and never writes to. The operating system closes it when the parent
ends, even if the parent was killed.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _stop_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
