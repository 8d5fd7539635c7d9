"""Which tests run in the same worker and in which order, so that slow fixtures start once."""

from __future__ import annotations

import re

from xdist.scheduler.loadscope import LoadScopeScheduling

CONTAINERS = "containers"
"""The group of all tests that start containers, so that each emulator starts once."""

ORDER = (
    *("browser", "faults", CONTAINERS, "model", "soak", "infra", "docs", "security", "integration", "memory", "login"),
    *("emulator", "bench", "processes", "requirements", "unit"),
)
"""Browser tests run first and end before containers start: a new container changes the network, and Chromium then
aborts what it is loading (ERR_NETWORK_CHANGED). Of the others, slow folders start early and the short files of `unit`
last, so that both workers end at about the same time."""


def rank(nodeid: str) -> int:
    """The sort key of a test; the lowest runs first."""
    group = find_group(nodeid)
    folder = nodeid.split("/")[1]
    if group == CONTAINERS:
        return ORDER.index(CONTAINERS)
    if "test_browser" in group:
        return ORDER.index("browser")
    return ORDER.index(folder) if folder in ORDER and folder != CONTAINERS else len(ORDER)


def find_group(nodeid: str) -> str:
    """The group of a test: the tests of a file with one strategy in one browser, or all tests that start containers."""
    file, _, test = nodeid.partition("::")
    parameters = re.split(r"[-\[\]]", test)
    is_in_containers = file.startswith("tests/containers/") and "test_files" not in file
    if is_in_containers or {"localstack", "ministack"} & set(parameters):
        return CONTAINERS
    return " ".join([file, *(each for each in ("firefox", "prefix", "tag") if each in parameters)])


class Scheduler(LoadScopeScheduling):
    """Gives each worker one group after another, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return find_group(nodeid)
