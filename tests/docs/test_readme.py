"""README, the demo's page and the map of the code name what is there, and the index names each document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.local.demo import parse_options

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DEMO = (ROOT / "docs/demo.md").read_text()
MAP = (ROOT / "docs/code.md").read_text().split("```")[1]
FOLDERS = re.findall(r"^((?:services|infra|bench|tests)[\w/]*)/ ", MAP, flags=re.MULTILINE)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150


def test_both_commands_are_on_the_first_screen() -> None:
    first_screen = "\n".join(README.splitlines()[:20])
    assert "uv run demo" in first_screen
    assert "uv run pytest" in first_screen


def test_the_costs_are_those_of_the_document_on_deploying() -> None:
    rows = re.findall(r"^\| a (?:month|million).*\| (about [\d.]+) \| (about [\d.]+) \|$", README, flags=re.MULTILINE)
    costs = (ROOT / "docs/deploying.md").read_text()
    sums = re.findall(r"^\| \*\*together\*\* \| \*\*(.+)\*\* \| \*\*(.+)\*\* \|$", costs, flags=re.MULTILINE)
    assert rows == sums[:2] != []


def test_the_index_lists_every_document_once() -> None:
    index = ROOT / "docs/README.md"
    listed = re.findall(r"^\| \[[^]]+\]\(([^)]+)\)", index.read_text(), flags=re.MULTILINE)
    documents = {*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/README.md")} - {index}
    assert sorted((index.parent / link).resolve() for link in listed) == sorted(documents)


@pytest.mark.parametrize(
    "option",
    [
        "--port",
        "--emulator-port",
        "--users",
        "--data",
        "--pages",
        "--pending",
        "--form-seconds",
        "--origin",
        "--only",
        "--new-users",
        "--confirmed-url",
    ],
)
def test_the_demos_options_are_described(option: str) -> None:
    values = {
        "--data": ".",
        "--pages": ".",
        "--pending": "tag",
        "--origin": "http://localhost:3000",
        "--only": "uploads",
        "--new-users": "create",
        "--confirmed-url": "http://localhost:3000/hooks",
    }
    value = values.get(option, "5")
    assert parse_options([option, value])
    assert f"`{option}" in DEMO


def test_the_demos_options_for_another_issuer_are_described() -> None:
    options = parse_options(["--issuer", "http://localhost:3000", "--audience", "a,b", "--username-claim", "oid"])
    assert (options.issuer, options.audience, options.username_claim) == ("http://localhost:3000", "a,b", "oid")
    assert "auth" not in options.services
    assert "`--issuer" in DEMO
    assert "`--audience" in DEMO
    assert "`--username-claim" in DEMO


def test_the_map_names_existing_folders() -> None:
    assert [folder for folder in FOLDERS if not (ROOT / folder).is_dir()] == []


def test_the_map_names_every_package_of_the_services() -> None:
    packages = {str(file.parent.relative_to(ROOT)) for file in (ROOT / "services").rglob("__init__.py")}
    assert packages - {"services", "services/frontend/templates"} <= set(FOLDERS)


def test_the_map_names_existing_modules() -> None:
    modules = set(re.findall(r"\b(\w+\.(?:py|js))\b", MAP))
    assert [
        name for name in sorted(modules) if not any((ROOT / "services").rglob(name)) and name != "__main__.py"
    ] == []
