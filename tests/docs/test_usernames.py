"""The demo has every user whom a document names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.local.stack import Options
from infra.seed.people import invent_people

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
USERNAME = re.compile(r"\b[A-Z][a-z]+[0-9]{2,}\b")
"""A seeded username: a first name and a number."""


def find_usernames(document: Path) -> set[str]:
    return set(USERNAME.findall(document.read_text()))


def test_every_seeded_username_is_recognized() -> None:
    assert all(USERNAME.fullmatch(person.username) for person in invent_people(10_000))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_demo_has_every_user_of_a_document(document: Path) -> None:
    assert find_usernames(document) <= {person.username for person in invent_people(Options().users)}


def test_the_documents_name_users() -> None:
    assert {document.name for document in DOCUMENTS if find_usernames(document)} >= {"uploading.md", "reference.md"}
