"""docs/files.md names existing tests, every kind of file, and the verdict of each case."""

from __future__ import annotations

import re
from pathlib import Path

from tests.browser.test_kinds import KINDS, VERDICTS

ROOT = Path(__file__).parents[2]
KINDS_PAGE, CASES_PAGE = (ROOT / "docs" / "files.md").read_text().split("\n## Unusual files\n")
WORDS = {
    "done": "the avatar",
    "unreadable-picture": "422 `unreadable-picture`",
    "Too many pixels": "the page offers to scale it down",
}


def test_the_page_names_existing_tests() -> None:
    sources = "\n".join(file.read_text() for file in ROOT.glob("tests/*/test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", KINDS_PAGE + CASES_PAGE))
    assert named <= set(re.findall(r"def (test_\w+)\(", sources))


def test_each_row_of_the_kinds_names_a_test() -> None:
    rows = re.findall(r"^\| .*\|$", KINDS_PAGE, re.MULTILINE)[1:]
    assert [row for row in rows if not re.search(r"`test_\w+`(, `test_\w+`)* \|$", row)] == []


def test_the_page_names_each_kind_that_the_page_recognizes() -> None:
    names = {kind.what.split(" ", 1)[1].removesuffix(" picture").removesuffix(" or raw") for kind in KINDS.values()}
    names = {name.removesuffix(" drawing").removesuffix(" document") for name in names}
    assert [name for name in sorted(names) if name not in KINDS_PAGE] == []


def test_each_case_has_its_verdict() -> None:
    rows = re.findall(r"^\| `(\S+)` \| .* \| (.*) \|$", CASES_PAGE, re.MULTILINE)
    assert {name: verdict.partition(", ")[0] for name, verdict in rows} == {
        name: WORDS[verdict] for name, verdict in VERDICTS.items()
    }
