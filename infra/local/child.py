"""Runs a module as `python -m` does, for only as long as the parent lives.

The parent holds the other end of standard input and never writes to it: the end of the input is the end of the parent,
however it came about. `python -m infra.local.child MODULE`
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
