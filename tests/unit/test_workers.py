from __future__ import annotations

import pytest

from tests.workers import find_group, rank


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/unit/test_keys.py::test_a[x-1]", "tests/unit/test_keys.py"),
        ("tests/faults/test_kills.py::test_a[tag]", "tests/faults/test_kills.py tag"),
        ("tests/integration/test_a.py::TestB::test_c[prefix-embedded-image/png]", "tests/integration/test_a.py prefix"),
        ("tests/integration/test_a.py::test_b[tag-localstack]", "localstack"),
        ("tests/integration/test_a.py::test_b[ministack-prefix-x]", "ministack"),
        ("tests/containers/test_images.py::test_a[auth]", "localstack"),
        ("tests/containers/test_files.py::test_a[auth]", "tests/containers/test_files.py"),
        ("tests/unit/test_targets.py::test_where_a_test_runs[localstack-needs5-expected5]", "localstack"),
    ],
)
def test_a_worker_runs_a_group(nodeid: str, group: str) -> None:
    assert find_group(nodeid) == group


def test_the_long_ones_are_begun_first() -> None:
    files = ["tests/unit/test_a.py::test", "tests/browser/test_b.py::test", "tests/faults/test_c.py::test"]
    assert sorted(files, key=rank) == files[::-1]
