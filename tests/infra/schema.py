"""Holds what a program registers against the types that its packages come with, and tells what they call deprecated."""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from typing import TYPE_CHECKING, Any

from tests.infra.classes import (
    deprecated_inputs,
    find_args,
    input_types,
    is_input_class,
    required_inputs,
)
from tests.infra.walk import parse_document
from tests.infra.wire import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.deployment import Deployment

_PROVIDER = "pulumi:providers:"


_BUILT_IN = "pulumi:providers:pulumi"
"""The engine's own provider, by which a program reads a stack's outputs. No package describes it."""


def find_type_faults(deployment: Deployment) -> list[str]:
    """Inputs that no property has, that are missing, or that are of another type, at any depth."""
    return [
        fault
        for each in deployment.registrations
        if each.custom and each.type != _BUILT_IN
        for fault in _check_object(_plain(each.type, each.inputs), find_args(each.type), str(each))
    ]


def find_deprecations(deployment: Deployment) -> list[str]:
    """Inputs at any depth, and types. The SDK is silent about the former where no Args class is called."""
    inputs = [
        fault
        for each in deployment.registrations
        if each.custom and each.type != _BUILT_IN
        for fault in _find_deprecated(_plain(each.type, each.inputs), find_args(each.type), str(each))
    ]
    logged = {line.message for line in deployment.logs if line.severity == "warning" and "deprecated" in line.message}
    return inputs + sorted(logged)


def _plain(token: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """A provider takes what is no text as JSON."""
    if not token.startswith(_PROVIDER):
        return inputs
    return {
        name: {"true": True, "false": False}.get(value, parse_document(value) or value)
        if isinstance(value, str)
        else value
        for name, value in inputs.items()
    }


def _check(value: Any, hint: Any, path: str) -> list[str]:
    if value is None or value == UNKNOWN:
        return []
    tries = [_check_one(value, each, path) for each in _alternatives(hint)]
    # What comes nearest is what was meant.
    return min(tries, key=len) if tries else []


def _check_one(value: Any, hint: Any, path: str) -> list[str]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    fault = [f"{path}: {value!r} is no {_name(hint)}"]
    if origin in (list, collections.abc.Sequence):
        if not isinstance(value, list):
            return fault
        items = enumerate(typing.cast("list[Any]", value))
        return [found for number, item in items for found in _check(item, arguments[0], f"{path}[{number}]")]
    if origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            return fault
        entries = typing.cast("dict[str, Any]", value).items()
        return [found for name, item in entries for found in _check(item, arguments[1], f"{path}.{name}")]
    if is_input_class(hint):
        return _check_object(typing.cast("dict[str, Any]", value), hint, path) if isinstance(value, dict) else fault
    return [] if _is_scalar(value, hint) else fault


def _check_object(value: dict[str, Any], args: type, path: str) -> list[str]:
    hints = input_types(args)
    unknown = [f"{path}.{name}: {args.__name__} has no such property" for name in value if name not in hints]
    missing = [f"{path}.{name}: {args.__name__} requires it" for name in sorted(required_inputs(args) - set(value))]
    within = [
        fault for name, item in value.items() if name in hints for fault in _check(item, hints[name], f"{path}.{name}")
    ]
    return unknown + missing + within


def _is_scalar(value: Any, hint: Any) -> bool:
    if hint is bool:
        return isinstance(value, bool)
    if hint in (int, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and (hint is float or value == int(value))
    if hint is str:
        return isinstance(value, str)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [member.value for member in hint]
    # Any, and assets, which no resource of ours takes.
    return True


def _find_deprecated(value: Any, hint: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for number, item in enumerate(typing.cast("list[Any]", value)):
            for inner in (each for outer in _alternatives(hint) for each in typing.get_args(outer)):
                yield from _find_deprecated(item, inner, f"{path}[{number}]")
    elif isinstance(value, dict):
        for args in filter(is_input_class, _alternatives(hint)):
            for name, item in typing.cast("dict[str, Any]", value).items():
                if name in deprecated_inputs(args):
                    yield f"{path}.{name}: deprecated"
                yield from _find_deprecated(item, input_types(args).get(name, Any), f"{path}.{name}")


def _alternatives(hint: Any) -> list[Any]:
    """Without what stands for a value that comes later."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [inner for each in typing.get_args(hint) for inner in _alternatives(each)]
    later = typing.get_origin(hint) is collections.abc.Awaitable or "Output" in str(hint).split("[")[0]
    return [] if later or hint is type(None) else [hint]


def _name(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint))
