"""The code blocks of docs/uploading.md and docs/your-app.md, which the tests run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NoReturn

import pytest

DOCUMENTS = Path(__file__).parents[2] / "docs"
PAGE = (DOCUMENTS / "uploading.md").read_text()


def find_snippets(heading: str, language: str, document: str = "uploading.md") -> list[str]:
    """All blocks in this language in the section, up to the next heading."""
    page = (DOCUMENTS / document).read_text()
    section = re.split(r"^##+ ", page.partition(f"# {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def find_snippet(heading: str, language: str, document: str = "uploading.md") -> str:
    """The only block in this language in the section."""
    blocks = find_snippets(heading, language, document)
    assert len(blocks) == 1, f"The section {heading!r} has {len(blocks)} blocks in {language}."
    return blocks[0]


def skip_or_fail(reason: str) -> NoReturn:
    """A test that needs a missing program is skipped, and fails with `CI` set."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
