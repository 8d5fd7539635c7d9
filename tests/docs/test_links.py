"""Relative links in the Markdown files lead to existing files and headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^()\s]+)\)")
BLOCK = re.compile(r"^```.*?^```$", flags=re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]*`")


def list_documents() -> list[str]:
    folders = [ROOT / name for name in ("docs", "infra", "services")]
    found = [*ROOT.glob("*.md"), *(file for folder in folders for file in folder.rglob("*.md"))]
    return sorted(str(file.relative_to(ROOT)) for file in found)


def make_anchor(heading: str) -> str:
    """As GitHub does: lower case, no punctuation, hyphens for spaces."""
    text = LINK.sub("", heading).replace("[", "")
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def list_anchors(document: Path) -> set[str]:
    return {
        make_anchor(text) for text in re.findall(r"^#+ (.+)$", BLOCK.sub("", document.read_text()), flags=re.MULTILINE)
    }


def is_broken(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = document.parent / path if path else document
    return not target.exists() or (bool(anchor) and anchor not in list_anchors(target))


@pytest.mark.parametrize("name", list_documents())
def test_links_lead_to_existing_files_and_headings(name: str) -> None:
    document = ROOT / name
    links = [link for link in LINK.findall(SPAN.sub("", BLOCK.sub("", document.read_text()))) if "://" not in link]
    assert [link for link in links if is_broken(document, link)] == []


def test_a_broken_link_is_found() -> None:
    assert is_broken(ROOT / "README.md", "docs/missing.md")
    assert is_broken(ROOT / "README.md", "docs/reference.md#missing")
    assert not is_broken(ROOT / "README.md", "docs/reference.md#settings")
