from __future__ import annotations

import pytest

from tests.workers import find_group, rank


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/unit/test_keys.py::test_a[x-1]", "tests/unit/test_keys.py"),
        ("tests/faults/test_kills.py::test_a[tag]", "tests/faults/test_kills.py tag"),
        ("tests/browser/test_a.py::test_b[firefox-prefix]", "tests/browser/test_a.py firefox prefix"),
        ("tests/integration/test_a.py::TestB::test_c[prefix-embedded-image/png]", "tests/integration/test_a.py prefix"),
        ("tests/integration/test_a.py::test_b[tag-localstack]", "containers"),
        ("tests/integration/test_a.py::test_b[ministack-prefix-x]", "containers"),
        ("tests/containers/test_images.py::test_a[auth]", "containers"),
        ("tests/containers/test_files.py::test_a[auth]", "tests/containers/test_files.py"),
        ("tests/unit/test_targets.py::test_where_a_test_runs[localstack-needs5-expected5]", "containers"),
    ],
)
def test_a_worker_runs_a_group(nodeid: str, group: str) -> None:
    assert find_group(nodeid) == group


def test_browser_tests_end_before_container_tests_begin() -> None:
    nodeids = [
        "tests/security/test_browser.py::test",
        "tests/faults/test_a.py::test",
        "tests/integration/test_b.py::test[prefix-ministack]",
        "tests/model/test_c.py::test",
        "tests/unit/test_d.py::test",
        "tests/containers/test_files.py::test",
    ]
    assert sorted(sorted(nodeids), key=rank) == nodeids
