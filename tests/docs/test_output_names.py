"""The documents name only outputs that the Pulumi program exports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = (ROOT / "infra/__main__.py").read_text()
EXPORTED = set(re.findall(r'pulumi\.export\(\s*"(\w+)"', PROGRAM))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
USED = {page: re.findall(r"pulumi stack output (?:--\S+ )*(\w+)", page.read_text()) for page in PAGES}


def test_each_export_has_a_literal_name() -> None:
    """The other test would not find a name that is computed."""
    assert len(EXPORTED) == PROGRAM.count("pulumi.export(")


@pytest.mark.parametrize(
    ("page", "name"), [pytest.param(page, name, id=f"{page.name}-{name}") for page in PAGES for name in USED[page]]
)
def test_each_output_in_a_document_exists(page: Path, name: str) -> None:
    assert name in EXPORTED, f"{page.name} names the output {name}, which infra/__main__.py does not export."
