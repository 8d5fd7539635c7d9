"""The index of the decisions has each of them, with the date and status in its head."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
DATE = r"\d{4}-\d\d-\d\d"
HEAD = re.compile(rf"# (\d+)\. (.+)\n\nDate: ({DATE})\. Status: (accepted|superseded by \d+)(, amended on {DATE})?[.:]")


def draw_row(file: Path) -> str:
    head = HEAD.match(file.read_text())
    assert head, f"{file.name} begins with a title, a date and a status."
    number, title, date, status, amended = head.groups()
    assert int(file.name[:4]) == int(number)
    return f"| [{number}]({file.name}) | {title} | {date} | {status}{amended or ''} |"


def test_the_index_has_every_decision() -> None:
    rows = [draw_row(file) for file in sorted(FOLDER.glob("0*.md"))]
    assert re.findall(r"^\| \[.*$", (FOLDER / "README.md").read_text(), flags=re.MULTILINE) == rows
