"""Checks of the pins: pure functions that return a list of errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from infra.requirements import Pin

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = {"linux": ("posix", "Linux"), "darwin": ("posix", "Darwin"), "win32": ("nt", "Windows")}


HERE = {variable: str(value) for variable, value in default_environment().items()}
"""The marker environment of this machine."""
ENVIRONMENTS = [
    HERE
    | {"python_version": python, "python_full_version": f"{python}.0"}
    | {"sys_platform": platform, "os_name": os_name, "platform_system": system}
    for python in PYTHONS
    for platform, (os_name, system) in PLATFORMS.items()
]


@dataclass(frozen=True)
class Installed:
    version: str
    requires: tuple[str, ...]


def read_group(groups: Mapping[str, Sequence[Any]], name: str) -> list[Requirement]:
    """The group's own requirements and those of the groups that it includes."""
    return [
        requirement
        for entry in groups[name]
        for requirement in (
            [Requirement(entry)] if isinstance(entry, str) else read_group(groups, entry["include-group"])
        )
    ]


def check_requirements(requirements: Iterable[Requirement], pins: Sequence[Pin]) -> list[str]:
    """On each platform and Python, each requirement has one pin, which it allows."""
    errors = set[str]()
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        for environment in ENVIRONMENTS:
            if not _applies(str(requirement.marker or ""), environment):
                continue
            versions = [pin.version for pin in pins if pin.name == name and _applies(pin.marker, environment)]
            if len(versions) != 1:
                errors.add(f"{requirement} has {len(versions)} pins")
            elif not requirement.specifier.contains(versions[0], prereleases=True):
                errors.add(f"{requirement} does not allow {name}=={versions[0]}")
    return sorted(errors)


def check_needed(requirements: Iterable[Requirement], pins: Sequence[Pin]) -> list[str]:
    """Each pin is required, directly or through other packages as the pins' comments name them."""
    needed = {canonicalize_name(requirement.name) for requirement in requirements}
    while more := {pin.name for pin in pins if needed & set(pin.required_by)} - needed:
        needed |= more
    return [f"nothing requires {name}" for name in sorted({pin.name for pin in pins} - needed)]


def walk(requirements: Iterable[Requirement], installed: Mapping[str, Installed]) -> set[str]:
    """The names of all packages that the requirements need on this machine, by the installed packages' metadata."""
    seen = set[tuple[str, str]]()  # a package with each of its extras; "" is the package itself
    coming = [requirement for requirement in requirements if _applies(str(requirement.marker or ""), HERE)]
    while coming:
        requirement = coming.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras} - {extra for seen_name, extra in seen if seen_name == name}:
            seen.add((name, extra))
            for text in installed[name].requires if name in installed else ():
                further = Requirement(text)
                if further.marker is None or further.marker.evaluate({**HERE, "extra": extra}):
                    coming.append(further)
    return {name for name, _ in seen}


def check_installed(names: Iterable[str], pins: Sequence[Pin], installed: Mapping[str, Installed]) -> list[str]:
    """Each of these packages has a pin for this machine, and is installed in its version."""
    pinned = _pinned_here(pins)
    errors: list[str] = []
    for name in sorted(names):
        if name not in installed:
            errors.append(f"{name} is not installed")
        elif name not in pinned:
            errors.append(f"{name} has no pin")
        elif pinned[name] != installed[name].version:
            errors.append(f"{name} is pinned to {pinned[name]}, and {installed[name].version} is installed")
    return errors


def check_image(listed: Sequence[Pin], needed: Collection[str], pins: Sequence[Pin]) -> list[str]:
    """The requirements file of an image lists exactly the packages that its service needs here, in pinned versions."""
    versions = {(pin.name, pin.version) for pin in pins}
    here = _pinned_here(listed)
    return [
        *(f"{name} is not listed" for name in sorted(set(needed) - here.keys())),
        *(f"{name} is not needed" for name in sorted(here.keys() - set(needed))),
        *(f"{pin} is not a pin" for pin in listed if (pin.name, pin.version) not in versions),
    ]


def _pinned_here(pins: Sequence[Pin]) -> dict[str, str]:
    return {pin.name: pin.version for pin in pins if _applies(pin.marker, HERE)}


def _applies(marker: str, environment: dict[str, str]) -> bool:
    return not marker or Marker(marker).evaluate(environment)
