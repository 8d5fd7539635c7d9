"""The committed pins match pyproject.toml and the installed packages. The tests do not access a registry."""

from __future__ import annotations

import copy
import importlib.metadata
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra.requirements import FOLDER, PYPROJECT, ROOT, SERVICES, Pin, read_pins, write_pins
from tests.requirements.check import (
    Installed,
    check_image,
    check_installed,
    check_needed,
    check_requirements,
    read_group,
    walk,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = PYPROJECT.read_text()
PROJECT = tomllib.loads(TEXT)
PINS = read_pins(TEXT)
VERSIONS = [(pin.name, pin.version) for pin in PINS.packages]
INSTALLED: dict[str, Installed] = {
    canonicalize_name(found.name): Installed(found.version, tuple(found.requires or ()))
    # Of two distributions with one name the first counts, as for an import: setuptools contains some packages.
    for found in reversed([*importlib.metadata.distributions()])
}
LOCKS = [path for path in ROOT.glob("tests/**/package-lock.json") if "node_modules" not in path.parts]
FORM = re.compile(r"([a-z0-9-]+)==([\w.]+)(?: ; ([^\\]+?))?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n")
"""A pinned version with its hashes."""

Project = dict[str, Any]


def read_image(service: str) -> list[Pin]:
    return [Pin(*entry) for entry in FORM.findall((FOLDER / f"{service}.txt").read_text())]


def find_errors(project: Project) -> list[str]:
    """The errors of the committed pins for this content of pyproject.toml."""
    groups = project["dependency-groups"]
    everything = [requirement for group in groups for requirement in read_group(groups, group)]
    by_default = [
        requirement for group in project["tool"]["uv"]["default-groups"] for requirement in read_group(groups, group)
    ]
    build = [Requirement(text) for text in project["build-system"]["requires"]]
    return [
        *check_requirements(everything, PINS.packages),
        *check_needed(everything, PINS.packages),
        *check_requirements(build, PINS.build),
        *check_needed(build, PINS.build),
        *check_installed(walk(by_default, INSTALLED), PINS.packages, INSTALLED),
        *(
            f"{service}.txt: {error}"
            for service in SERVICES
            for error in check_image(read_image(service), walk(read_group(groups, service), INSTALLED), PINS.packages)
        ),
    ]


def test_the_pins_match_pyproject_and_the_installed_packages() -> None:
    assert find_errors(PROJECT) == [], "Run `uv run requirements` and commit what it writes."


def add(group: str, requirement: str) -> Callable[[Project], None]:
    return lambda project: project["dependency-groups"][group].append(requirement)


def remove(group: str, name: str) -> Callable[[Project], None]:
    def edit(project: Project) -> None:
        entries: list[Any] = project["dependency-groups"][group]
        kept = [entry for entry in entries if not isinstance(entry, str) or Requirement(entry).name != name]
        assert len(kept) == len(entries) - 1
        project["dependency-groups"][group] = kept

    return edit


def replace_build_backend(project: Project) -> None:
    project["build-system"]["requires"] = ["flit-core"]


@pytest.mark.parametrize(
    ("edit", "errors"),
    [
        (add("web", "unknown"), {"unknown has 0 pins", "unknown is not installed", "auth.txt: unknown is not listed"}),
        (add("web", "docker"), {"auth.txt: docker is not listed", "frontend.txt: requests is not listed"}),
        (add("auth", "jinja2"), {"auth.txt: markupsafe is not listed"}),
        (add("bench", "unknown"), {"unknown has 0 pins"}),
        (
            add("bench", "numpy<1"),
            {f"numpy<1 does not allow {name}=={version}" for name, version in VERSIONS if name == "numpy"},
        ),
        (remove("uploads", "tqdm"), {"nothing requires tqdm", "uploads.txt: tqdm is not needed"}),
        (remove("frontend", "jinja2"), {"frontend.txt: jinja2 is not needed"}),
        (remove("bench", "matplotlib"), {"nothing requires matplotlib", "nothing requires contourpy"}),
        (replace_build_backend, {"flit-core has 0 pins", "nothing requires pathspec"}),
    ],
)
def test_dependencies_that_do_not_match_the_pins_are_found(edit: Callable[[Project], None], errors: set[str]) -> None:
    project = copy.deepcopy(PROJECT)
    edit(project)
    assert errors <= set(find_errors(project))


def test_a_new_bound_that_the_pins_satisfy_is_no_error() -> None:
    project = copy.deepcopy(PROJECT)
    add("web", "boto3<2")(project)
    assert find_errors(project) == []


def test_an_installed_version_that_is_not_pinned_is_found() -> None:
    installed = {"one": Installed("1.0", ("two[more]>=2; python_version > '3'",)), "two": Installed("2.0", ())}
    pins = [Pin("one", "1.0"), Pin("two", "2.1")]
    assert check_installed(["one", "two"], pins, installed) == ["two is pinned to 2.1, and 2.0 is installed"]


def test_the_walk_follows_extras_and_markers() -> None:
    installed = {
        "one": Installed("1", ("Two[more]", "windows; sys_platform == 'win32'", "three; extra == 'unasked'")),
        "two": Installed("1", ("four; extra == 'more'", "one")),
        "four": Installed("1", ("five; python_version >= '3'",)),
    }
    assert walk([Requirement("one"), Requirement("six; python_version < '3'")], installed) == {
        *("one", "two", "four", "five")
    }


@pytest.mark.parametrize("service", SERVICES)
def test_each_image_requirement_has_a_version_and_hashes_and_no_url(service: str) -> None:
    text = (FOLDER / f"{service}.txt").read_text()
    assert FORM.sub("", text) == ""
    assert "://" not in text


def test_the_pins_are_read_as_they_were_written() -> None:
    assert TEXT.count(write_pins(PINS)) == 1
    assert [str(pin) for pin in PINS.packages] == PROJECT["tool"]["uv"]["constraint-dependencies"]
    assert [str(pin) for pin in PINS.build] == PROJECT["tool"]["uv"]["build-constraint-dependencies"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_an_npm_lock_matches_its_package_json_and_names_no_registry(lock: Path) -> None:
    locked = json.loads(lock.read_text())["packages"]
    for folder in ("", *locked[""].get("workspaces", [])):
        package = json.loads((lock.parent / folder / "package.json").read_text())
        assert locked[folder]["dependencies"] == package["dependencies"]
    links = {path for path, entry in locked.items() if entry.get("link")}
    installed = [entry for path, entry in locked.items() if path.startswith("node_modules/") and path not in links]
    assert installed
    assert [entry for entry in installed if "resolved" in entry or "integrity" not in entry] == []


def test_each_package_json_has_a_lock() -> None:
    folders = {path.parent for path in ROOT.glob("tests/**/package.json") if "node_modules" not in path.parts}
    workspaces = {lock.parent / name for lock in LOCKS for name in json.loads(lock.read_text())["packages"]}
    assert folders
    assert folders - workspaces == set()
