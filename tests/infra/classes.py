"""What the installed packages say of a resource type, such as `aws:ecs/service:Service`."""

from __future__ import annotations

import functools
import importlib
import inspect
import typing
from typing import Any

from pulumi import _types as sdk  # pyright: ignore[reportPrivateUsage] nothing public tells an input's type


@functools.cache
def find_class(token: str) -> type:
    package, module, name = token.split(":")
    if package == "pulumi" and module == "providers":
        package, module, name = name, "index", "Provider"
    top = "pulumi_" + package.replace("-", "_")
    folder = module.split("/", maxsplit=1)[0]
    found = getattr(importlib.import_module(top if folder == "index" else f"{top}.{folder}"), name)
    # A module is loaded at the first look into it, and not for its class alone.
    return typing.cast("type", found)


@functools.cache
def find_args(token: str) -> type:
    """The class that names and types the inputs."""
    resource = find_class(token)
    module = inspect.getmodule(resource)
    # Named so where an input of another resource has the shorter name already.
    found = getattr(module, f"{resource.__name__}InitArgs", None) or getattr(module, f"{resource.__name__}Args")
    return typing.cast("type", found)


@functools.cache
def input_types(args: type) -> dict[str, Any]:
    """By the name that AWS's provider knows."""
    return typing.cast("dict[str, Any]", sdk.input_type_types(args))


@functools.cache
def input_names(args: type) -> dict[str, str]:
    """From the name in Python to the one that AWS's provider knows."""
    return sdk.input_type_py_to_pulumi_names(args)


@functools.cache
def required_inputs(args: type) -> frozenset[str]:
    parameters = list(inspect.signature(args.__init__).parameters.values())[1:]
    names = input_names(args)
    return frozenset(names[each.name] for each in parameters if each.default is inspect.Parameter.empty)


@functools.cache
def deprecated_inputs(args: type) -> frozenset[str]:
    return frozenset(
        name
        for python, name in input_names(args).items()
        if hasattr(_getter(args, python), "_pulumi_deprecated_callable")
    )


@functools.cache
def sure_outputs(token: str) -> dict[str, type]:
    """What AWS answers in any case, by name, if it is one simple value."""
    found = find_class(token)
    names = sdk.resource_py_to_pulumi_names(found)
    hints = {
        name: _output_type(getattr(_getter(found, python), "__annotations__", {})) for python, name in names.items()
    }
    return {name: hint for name, hint in hints.items() if hint in (str, int, bool)}


def is_input_class(hint: Any) -> typing.TypeGuard[type]:
    return isinstance(hint, type) and sdk.is_input_type(hint)


def _getter(owner: type, name: str) -> Any:
    return getattr(inspect.getattr_static(owner, name, None), "fget", None)


def _output_type(annotations: dict[str, Any]) -> Any:
    return next(iter(typing.get_args(annotations.get("return"))), None)
