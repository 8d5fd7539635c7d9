"""Removes all that a run created when standard input is closed, which happens when the run's process ends in any way.

`python -m tests.containers.reaper RUN`
"""

from __future__ import annotations

import dataclasses
import sys

from tests.containers.engine import NoEngineError, connect

if __name__ == "__main__":
    sys.stdin.read()
    try:
        engine = connect()
    except NoEngineError as error:
        sys.exit(str(error))
    dataclasses.replace(engine, run=sys.argv[1]).clear()
    engine.client.close()
