"""The formats and limits of pictures in the documentation are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.pictures.formats import CONTENT_TYPES, FORMATS
from services.store.kinds import BANNER
from tests.docs.snippets import PAGE

ROOT = Path(__file__).parents[2]


def name_formats(last_word: str, content_types: tuple[str, ...] = CONTENT_TYPES) -> str:
    *others, last = (FORMATS[content_type].name for content_type in content_types)
    return f"{', '.join(others)} {last_word} {last}"


def test_the_clients_of_the_page_on_uploading_accept_all_content_types() -> None:
    lists = re.findall(r'accept="([^"]*)"', PAGE)
    assert lists == [",".join(CONTENT_TYPES)] * 2


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("docs/reference.md", f"one that is not {name_formats('or')}. |"),
        ("docs/threat-model.md", f"an allow-list of {name_formats('and')}, with neither"),
    ],
)
def test_a_document_names_all_formats(document: str, sentence: str) -> None:
    assert sentence in (ROOT / document).read_text()


def test_a_document_has_the_limits_of_a_banner() -> None:
    limits = BANNER.limits
    size = f"{limits.max_bytes / 1_000_000:g} MB, {limits.max_width} x {limits.max_height}"
    sentence = f"those of its entry: {size}; {name_formats('and', limits.content_types)} |"
    assert sentence in (ROOT / "docs/your-app.md").read_text()
