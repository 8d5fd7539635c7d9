"""The memory of the sweep does not grow with the number of objects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.memory.sweep_load import STATUS

ROOT = Path(__file__).parents[2]
FEW, MANY = 1_000, 200_000
MAX_GROWTH_MEBIBYTES = 24
"""SQLite's cache and its sort take 8 MiB each, a batch the rest. A set of all keys would take 27 MiB more."""

pytestmark = pytest.mark.skipif(not STATUS.exists(), reason="only Linux shows the peak memory")


def sweep(count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.memory.sweep_load", str(count)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)  # noqa: S603 - our own command


def test_memory_does_not_grow_with_the_bucket() -> None:
    few, many = sweep(FEW), sweep(MANY)
    assert (few["deleted"], few["dangling"]) == (FEW // 10, FEW // 100)
    assert (many["deleted"], many["dangling"]) == (MANY // 10, MANY // 100)
    assert many["rows"] == many["live"] + many["dangling"] == MANY - MANY // 10
    assert many["peak"] - few["peak"] < MAX_GROWTH_MEBIBYTES * 1024
