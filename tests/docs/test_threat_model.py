"""docs/threat-model.md names exactly the attacks that have a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "threat-model.md"
AREAS = {
    "The form": "form",
    "The confirm": "confirm",
    "The removal": "removal",
    "The content": "content",
    "The token": "token",
    "The issuer": "issuer",
    "The browser": "browser",
    "The services": "service",
    "HTTP": "http",
    "The permissions": "permissions",
    "The webhook": "webhook",
}


def read_attacks_on_page() -> dict[str, set[str]]:
    """The attacks by area: the first column of each table, split at its commas."""
    sections = {section.partition("\n")[0]: section for section in PAGE.read_text().split("\n## ")}
    rows = {area: re.findall(r"^\| (.+?) \|", sections[title], re.MULTILINE) for title, area in AREAS.items()}
    return {area: {name for row in found[1:] for name in row.split(", ")} for area, found in rows.items()}


def find_attacks() -> dict[str, set[str]]:
    folder = ROOT / "tests" / "security"
    return {
        area: {
            name.replace("_", " ") for name in re.findall(r"def test_(\w+)", (folder / f"test_{area}.py").read_text())
        }
        for area in AREAS.values()
    }


def test_the_page_names_exactly_the_tested_attacks() -> None:
    assert read_attacks_on_page() == find_attacks()


def test_each_file_of_attacks_has_a_section() -> None:
    files = (ROOT / "tests" / "security").glob("test_*.py")
    assert {file.stem.removeprefix("test_") for file in files} == set(AREAS.values())
