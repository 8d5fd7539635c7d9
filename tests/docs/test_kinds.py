"""The entry of a third kind in docs/your-app.md, in a copy of the project: the tests over every kind pass for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-app.md"
CODE = ("bench", "infra", "services", "tests")
TESTS = (
    "tests/unit/test_apps.py",
    "tests/unit/test_documents.py",
    "tests/unit/test_keys.py",
    "tests/unit/test_kinds.py",
    "tests/unit/test_listing.py",
    "tests/unit/test_pages.py",
    "tests/unit/test_sweeper.py",
    "tests/unit/test_users.py",
    "tests/integration/test_three_phases.py::test_a_kind_is_uploaded_shown_and_removed",
    "tests/security/test_confirm.py::test_an_upload_of_another_kind",
)


def read_entry() -> str:
    [section] = re.findall(r"^## Kinds of upload$(.*?)(?=^## )", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    [entry] = re.findall(r"^```python\n(.*?)\n```$", section, re.MULTILINE | re.DOTALL)
    return entry + ",\n"


def test_a_third_kind_is_one_entry(tmp_path: Path) -> None:
    for name in CODE:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    table = tmp_path / "services" / "store" / "kinds.py"
    before = table.read_text()
    after = before.replace("        BANNER,\n", "        BANNER,\n" + textwrap.indent(read_entry(), 8 * " "))
    assert after != before
    table.write_text(after)
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "pytest", "-n", "0", "-q", "-rA", "--aws", "embedded", *TESTS],
        cwd=tmp_path,
        # The copy is not a worker of this run.
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for proof in ("test_a_kind_is_confirmed_replaced_and_removed", "test_a_kind_is_uploaded_shown_and_removed"):
        assert re.search(rf"^PASSED .*{proof}\[.*cover", done.stdout, re.MULTILINE), done.stdout
