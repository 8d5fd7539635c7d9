"""The lists of picture formats in the documentation are those of FORMATS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.pictures.formats import CONTENT_TYPES, FORMATS
from tests.docs.snippets import PAGE

ROOT = Path(__file__).parents[2]


def name_formats(last_word: str) -> str:
    *others, last = (known.name for known in FORMATS.values())
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
