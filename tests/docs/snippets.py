"""The code blocks of the documents, which the tests run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NoReturn

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "uploading.md").read_text()


def find_snippets(heading: str, language: str, page: str = PAGE, level: str = "##") -> list[str]:
    """All blocks in this language in the section. `level`: the mark of its heading."""
    section = page.partition(f"\n{level} {heading}\n")[2]
    section = re.split(rf"^#{{2,{len(level)}}} ", section, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def find_snippet(heading: str, language: str, page: str = PAGE, level: str = "##") -> str:
    """The only block in this language in the section."""
    blocks = find_snippets(heading, language, page, level)
    assert len(blocks) == 1, f"The section {heading!r} has {len(blocks)} blocks in {language}."
    return blocks[0]


def skip_or_fail(reason: str) -> NoReturn:
    """A test that needs a missing program is skipped, and fails with `CI` set."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
