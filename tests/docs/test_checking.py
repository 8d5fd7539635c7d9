"""The table of `check-deployment` in docs/deploying.md has every check of the code, in its order."""

from __future__ import annotations

import re
from pathlib import Path

from infra.check.command import CHECKS, PUT_BACK

PAGE = (Path(__file__).parents[2] / "docs/deploying.md").read_text()
_, _, SECTION = PAGE.partition("\n## Checking a deployment\n")


def test_the_table_of_checks_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (.+?) \| .+ \|$", SECTION.partition("\n## ")[0], flags=re.MULTILINE)
    assert rows == [(check.name, check.sentence) for check in (*CHECKS, PUT_BACK)]
