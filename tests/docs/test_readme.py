"""What the README says is held against what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from infra.local.demo import parse_options
from services.auth.settings import Settings as AuthSettings
from services.frontend.settings import Settings as FrontendSettings
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.settings import Settings as SweepSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SERVICES: dict[str, type[msgspec.Struct]] = {
    "auth": AuthSettings,
    "uploads": UploadsSettings,
    "frontend": FrontendSettings,
    "sweep": SweepSettings,
}


def table_of_settings() -> str:
    """One line a setting, with the services that take it."""
    lines: dict[str, list[str]] = {}
    for service, kind in SERVICES.items():
        for field in msgspec.structs.fields(kind):
            info = msgspec.inspect.type_info(kind)
            assert isinstance(info, msgspec.inspect.StructType)
            schema = msgspec.json.schema(kind)["$defs"]["Settings"]["properties"][field.name]
            default = "required" if field.required else f"`{json.dumps(field.default).strip(chr(34))}`"
            line = f"| `{field.name.upper()}` | {default} | {schema['description']} |"
            lines.setdefault(line, []).append(service)
    rows = [
        f"{line} {'all' if len(takers) == len(SERVICES) else ', '.join(takers)} |" for line, takers in lines.items()
    ]
    return "\n".join(["| Variable | Default | What it is | Service |", "|---|---|---|---|", *rows])


def test_the_table_of_settings_is_that_of_the_code() -> None:
    assert table_of_settings() in README, f"The README's table should be:\n{table_of_settings()}"


def test_both_commands_are_on_the_first_screen() -> None:
    first_screen = "\n".join(README.splitlines()[:40])
    assert "uv run demo" in first_screen
    assert "uv run pytest" in first_screen


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_what_the_readme_links_to_is_there(link: str) -> None:
    assert (ROOT / link).exists()


@pytest.mark.parametrize("option", ["--port", "--emulator-port", "--users", "--data", "--pending", "--form-seconds"])
def test_the_demos_options_are_described(option: str) -> None:
    value = {"--data": ".", "--pending": "tag"}.get(option, "5")
    assert parse_options([option, value])
    assert f"`{option}" in README


def test_every_folder_of_the_map_is_there() -> None:
    map_of_code = README.partition("## Where things are")[2]
    folders = re.findall(r"^(services/\w+(?:/sweep)?|infra(?:/\w+)?|tests(?:/\w+)?)/", map_of_code, flags=re.MULTILINE)
    assert len(folders) > 5
    assert all((ROOT / folder).is_dir() for folder in folders)
