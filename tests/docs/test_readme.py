"""The README names what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.local.demo import parse_options

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
MAP = README.partition("## Where things are")[2].split("```")[1]
FOLDERS = re.findall(r"^((?:services|infra|bench|tests)[\w/]*)/ ", MAP, flags=re.MULTILINE)


def test_both_commands_are_on_the_first_screen() -> None:
    first_screen = "\n".join(README.splitlines()[:40])
    assert "uv run demo" in first_screen
    assert "uv run pytest" in first_screen


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
    assert f"`{option}" in README


def test_the_demos_options_for_another_issuer_are_described() -> None:
    options = parse_options(["--issuer", "http://localhost:3000", "--audience", "a,b", "--username-claim", "oid"])
    assert (options.issuer, options.audience, options.username_claim) == ("http://localhost:3000", "a,b", "oid")
    assert "auth" not in options.services
    assert "`--issuer" in README
    assert "`--audience" in README


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
