"""Values as Pulumi's protocol carries them: marked secrets, values that are not known yet, numbers as floats."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from google.protobuf import json_format, struct_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands for a text that is not known before a resource exists."""

DEFAULTS = "__defaults"
"""The input in which a provider lists the inputs that it filled in."""

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - how the protocol marks a secret
_OF_PROVIDERS = ("__defaults", "__internal", "version", "pluginDownloadURL")


def read(message: Any) -> dict[str, Any]:
    """A protobuf `Struct` without the marks of secrets."""
    return plain(json_format.MessageToDict(message))


def read_marked(message: Any) -> dict[str, Any]:
    """A protobuf `Struct` with the marks of secrets."""
    return json_format.MessageToDict(message)


def write(properties: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    json_format.ParseDict(properties, message)
    return message


def plain(value: Any) -> Any:
    """With the value of each secret in place of its mark, and integers as such."""
    if isinstance(value, list):
        return [plain(inner) for inner in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, dict):
        return value
    entries = cast("dict[str, Any]", value)
    if entries.get(_SIGNATURE) == _SECRET:
        if "plaintext" in entries:  # in an exported state
            return plain(json.loads(entries["plaintext"]))
        return plain(entries.get("value", UNKNOWN))  # the engine's events have no value
    return {name: plain(inner) for name, inner in entries.items()}


def inputs_of(properties: dict[str, Any]) -> dict[str, Any]:
    """Without what providers add for themselves."""
    return {name: value for name, value in properties.items() if name not in _OF_PROVIDERS}


def find_secrets(value: Any, *, secret: bool = False) -> Iterator[str]:
    """The texts of secrets."""
    if isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from find_secrets(inner, secret=secret)
    elif isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        if entries.get(_SIGNATURE) == _SECRET:
            yield from find_secrets(plain(entries), secret=True)
        else:
            for inner in entries.values():
                yield from find_secrets(inner, secret=secret)
    elif isinstance(value, str) and secret and value and value != UNKNOWN:
        yield value


def names_of_secrets(properties: dict[str, Any]) -> frozenset[str]:
    """Properties that are secret or contain a secret."""
    return frozenset(name for name, value in properties.items() if _has_secret(value))


def _has_secret(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_has_secret, cast("list[Any]", value)))
    if not isinstance(value, dict):
        return False
    entries = cast("dict[str, Any]", value)
    return entries.get(_SIGNATURE) == _SECRET or any(map(_has_secret, entries.values()))
