"""CONTRIBUTING.md and the map of the code name every folder of tests."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted({file.parent.name for file in ROOT.glob("tests/*/test_*.py")})


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_tests_is_described_and_has_its_time(folder: str) -> None:
    assert f"\ntests/{folder}/ " in (ROOT / "docs/code.md").read_text()
    assert f"\n| `tests/{folder}` |" in (ROOT / "CONTRIBUTING.md").read_text()
