"""The table of the stack's settings in docs/deploying.md is that of the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from infra.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs/deploying.md").read_text()


def draw_settings() -> str:
    described = msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"]
    rows = [
        f"| `{field.encode_name}` | {draw_default(field.default)} | {find_description(described[field.encode_name])} |"
        for field in msgspec.structs.fields(Settings)
    ]
    return "\n".join(["| Name | Default | Meaning |", "|---|---|---|", *rows])


def draw_default(value: Any) -> str:
    """A default that is computed or generated is part of the description instead."""
    return "" if value in {msgspec.NODEFAULT, None} else f"`{json.dumps(value).strip(chr(34))}`"


def find_description(schema: dict[str, Any]) -> str:
    """The description of a setting, which is that of its first type if it is optional."""
    return schema["description"] if "description" in schema else schema["anyOf"][0]["description"]


def test_the_table_of_the_stacks_settings_is_that_of_the_code() -> None:
    table = draw_settings()
    assert f"\n{table}\n" in PAGE, f"The table should be:\n{table}"
