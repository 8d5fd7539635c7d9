"""Which tests run in one worker, and in which order: what a test needs that takes long to start is started once."""

from __future__ import annotations

import re

from xdist.scheduler.loadscope import LoadScopeScheduling

CONTAINERS = "containers"
"""The group of all tests that start containers, so that each emulator starts once."""

ORDER = ("browser", "faults", CONTAINERS, "model", "soak", "infra", "security", "integration", "bench", "unit")
"""Browsers come first and are done when containers come, since one that starts is a change of the network, at which
Chromium gives up what it is loading (ERR_NETWORK_CHANGED). What takes long is begun early among the others."""


def rank(nodeid: str) -> int:
    """For sorting: the least comes first."""
    group = find_group(nodeid)
    folder = nodeid.split("/")[1]
    if group == CONTAINERS:
        return ORDER.index(CONTAINERS)
    if "test_browser" in group:
        return ORDER.index("browser")
    return ORDER.index(folder) if folder in ORDER and folder != CONTAINERS else len(ORDER)


def find_group(nodeid: str) -> str:
    """A file's tests under one strategy, or all that start containers."""
    file, _, test = nodeid.partition("::")
    parameters = re.split(r"[-\[\]]", test)
    is_in_containers = file.startswith("tests/containers/") and "test_files" not in file
    if is_in_containers or {"localstack", "ministack"} & set(parameters):
        return CONTAINERS
    return " ".join([file, *(each for each in ("prefix", "tag") if each in parameters)])


class Scheduler(LoadScopeScheduling):
    """Gives each worker one group after the other, in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return find_group(nodeid)
