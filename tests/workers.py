"""Which tests run in one worker, and in which order: what a test needs that takes long to start is started once."""

from __future__ import annotations

import re

from xdist.scheduler.loadscope import LoadScopeScheduling

LONGEST_FIRST = ("faults", "containers", "browser", "model", "soak", "infra", "security", "integration")
"""Folders of the tests that take a while: begun early, they end before the many short ones do."""


def rank(nodeid: str) -> int:
    folder = nodeid.split("/")[1]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


def find_group(nodeid: str) -> str:
    """A file's tests under one strategy; but one group for all that use a container of the same emulator."""
    file, _, test = nodeid.partition("::")
    parameters = re.split(r"[-\[\]]", test.partition("[")[1] + test.partition("[")[2])
    if "ministack" in parameters:
        return "ministack"
    if "localstack" in parameters or (file.startswith("tests/containers/") and "test_files" not in file):
        return "localstack"
    return " ".join([file, *(each for each in ("prefix", "tag") if each in parameters)])


class Scheduler(LoadScopeScheduling):
    """Gives each worker one group after the other, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return find_group(nodeid)
