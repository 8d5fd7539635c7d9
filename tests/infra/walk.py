from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator


def walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All that is within, and itself, each with its path. A text that is JSON is looked into."""
    yield path, value
    if isinstance(value, str):
        value = parse_document(value)
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield from walk(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[Any]", value)):
            yield from walk(inner, f"{path}[{number}]")


def parse_document(text: str) -> dict[str, Any] | list[Any] | None:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
