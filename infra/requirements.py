"""Writes the pins: one exact version of each package, in pyproject.toml and, with hashes, in requirements/.

`uv run requirements` keeps each pin that the dependencies allow, adds missing pins and removes unused ones.
`uv run requirements --upgrade` takes the newest version of every package, `--upgrade NAME …` of the named ones only.
This module imports only the standard library, so that it also runs if the pins contradict the dependencies and uv can't
install anything: `uv run --no-project python -m infra.requirements`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ROOT = Path(__file__).parents[1]
PYPROJECT = ROOT / "pyproject.toml"
FOLDER = ROOT / "requirements"
SERVICES = ("auth", "uploads", "frontend")
PROCESSORS = ("x86_64", "aarch64")
"""The processors that Fargate offers."""
BEGIN = "# Pins: begin."
END = "# Pins: end."


@dataclass(frozen=True)
class Pin:
    name: str
    version: str
    marker: str = ""
    """Environment marker of this version. Empty if the package has one version for all environments."""
    required_by: tuple[str, ...] = ()
    """Other packages that require it. Empty if only a dependency group does."""

    def __str__(self) -> str:
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


@dataclass(frozen=True)
class Pins:
    packages: tuple[Pin, ...]
    build: tuple[Pin, ...]
    """The build backend and what it requires."""
    exclude_newer: str
    """Packages are added or upgraded only to files that were uploaded before this time."""


class NoWheelError(Exception):
    """A package of an image has no wheel."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="requirements", description="Writes the pins of all packages.")
    parser.add_argument("--upgrade", nargs="*", metavar="NAME", help="upgrade all packages, or the named ones")
    names: list[str] | None = parser.parse_args().upgrade
    old = read_pins(PYPROJECT.read_text())
    if unknown := set(names or ()) - {pin.name for pin in (*old.packages, *old.build)}:
        parser.error(f"there is no pin of {', '.join(sorted(unknown))}")
    try:
        write_requirements(old, names)
    except NoWheelError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)  # uv has printed the reason


def write_requirements(old: Pins, upgrade: Sequence[str] | None) -> None:
    """Write all files, or none if one of them can't be made.

    Raises:
        subprocess.CalledProcessError: the dependencies can't be resolved; uv's message is on stderr.
        NoWheelError: a package of an image has no wheel, and would have to be built.
    """
    with tempfile.TemporaryDirectory() as name:
        # Not in the project's folder, where uv would prefer the versions of an existing uv.lock.
        project = Path(name)
        pyproject = PYPROJECT.read_text()
        (project / "pyproject.toml").write_text(_replace_block(pyproject, ""))
        new = _resolve(project, old, upgrade)
        pyproject = _replace_block(pyproject, write_pins(new))
        (project / "pyproject.toml").write_text(pyproject)
        files = {service: _export(project, service) for service in SERVICES}
        for file in files.values():
            _check_wheels(project, file)
        PYPROJECT.write_text(pyproject)
        FOLDER.mkdir(exist_ok=True)
        for file in files.values():
            shutil.copy(file, FOLDER)


def read_pins(pyproject: str) -> Pins:
    """The pins in the text of a pyproject.toml."""
    block = pyproject[pyproject.index(BEGIN) : pyproject.index(END)]
    build, packages = block.split("\nconstraint-dependencies = ")
    form = re.compile(r'^    "([^=]+)==([^ "]+)(?: ; ([^"]+))?",(?:  # (.+))?$', re.MULTILINE)

    def read(text: str) -> tuple[Pin, ...]:
        return tuple(
            Pin(name, version, marker, tuple(required_by.split(", ")) if required_by else ())
            for name, version, marker, required_by in form.findall(text)
        )

    return Pins(read(packages), read(build), tomllib.loads(block)["tool"]["requirements"]["exclude-newer"])


def write_pins(pins: Pins) -> str:
    """The lines between the two comments."""

    def write(pins: Iterable[Pin]) -> str:
        return "".join(
            f'    "{pin}",' + (f"  # {', '.join(pin.required_by)}" if pin.required_by else "") + "\n" for pin in pins
        )

    return (
        f"build-constraint-dependencies = [\n{write(pins.build)}]\n"
        f"constraint-dependencies = [\n{write(pins.packages)}]\n\n"
        f'[tool.requirements]\nexclude-newer = "{pins.exclude_newer}"\n'
    )


def _replace_block(pyproject: str, lines: str) -> str:
    before, begin, rest = pyproject.partition(BEGIN)
    comment, newline, rest = rest.partition("\n")
    _, end, after = rest.partition(END)
    return before + begin + comment + newline + lines + end + after


def _resolve(project: Path, old: Pins, upgrade: Sequence[str] | None) -> Pins:
    data = tomllib.loads((project / "pyproject.toml").read_text())
    (project / "build.in").write_text("\n".join(data["build-system"]["requires"]))
    groups = [f"--group={group}" for group in data["dependency-groups"]]
    newest = old.exclude_newer if upgrade is None else f"{datetime.now(UTC).date()}T00:00:00Z"

    def resolve(pins: Sequence[Pin], *source: str) -> tuple[Pin, ...]:
        file = project / "pins.txt"
        # uv prefers the versions in its output file.
        file.write_text("".join(f"{pin}\n" for pin in pins))
        kept = {pin.name for pin in pins if upgrade is None or (upgrade and pin.name not in upgrade)}
        _run_uv(
            project,
            *("pip", "compile", "--quiet", "--universal", "--no-header", "--no-emit-index-url"),
            *("--python", sys.executable, "--python-version", data["project"]["requires-python"].removeprefix(">=")),
            *("--annotation-style", "line", "--output-file", str(file)),
            # Building a package would need further packages, which have no pins.
            *("--only-binary", ":all:"),
            *("--exclude-newer", newest),
            # Existing pins stay whatever upload time the registry gives, since that may change or be missing.
            *(f"--exclude-newer-package={name}=false" for name in sorted(kept)),
            *(["--upgrade"] if upgrade == [] else [f"--upgrade-package={name}" for name in upgrade or ()]),
            *source,
        )
        return _read_resolution(file.read_text())

    return Pins(resolve(old.packages, *groups), resolve(old.build, "build.in"), newest)


def _read_resolution(text: str) -> tuple[Pin, ...]:
    """The output of `uv pip compile`, without the markers that only restrict where a package is needed."""
    form = re.compile(r"^([^=\s]+)==(\S+)(?: ; (.+?))?(?: +# via (.+))?$", re.MULTILINE)
    found: list[tuple[str, str, str, str]] = form.findall(text)
    names = [name for name, *_ in found]
    return tuple(
        Pin(
            name,
            version,
            marker if names.count(name) > 1 else "",
            # Other entries are groups and files.
            tuple(by for by in via.split(", ") if re.fullmatch(r"[a-z0-9-]+", by)),
        )
        for name, version, marker, via in found
    )


def _export(project: Path, service: str) -> Path:
    """The requirements of the service's image, for every platform. The file contains no registry URL."""
    file = project / f"{service}.txt"
    _run_uv(
        project,
        *("export", "--quiet", "--python", sys.executable, "--only-group", service, "--no-emit-project"),
        *("--format", "requirements.txt", "--no-header", "--no-annotate", "--output-file", str(file)),
    )
    return file


def _check_wheels(project: Path, file: Path) -> None:
    python = re.findall(r"^ARG PYTHON=python:(\d+\.\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
    for processor in PROCESSORS:
        try:
            _run_uv(
                project,
                *("pip", "install", "--quiet", "--dry-run", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--python-platform", f"{processor}-manylinux_2_28", "--python-version", python),
                *("--target", str(project / "packages"), "--requirements", str(file)),
            )
        except subprocess.CalledProcessError:
            message = f"{file.name} has a package without a wheel for {processor}, see above. Nothing was written."
            raise NoWheelError(message) from None


def _run_uv(project: Path, *arguments: str) -> None:
    command = [os.environ.get("UV", "uv"), *arguments]  # `uv run` sets it to its own path
    subprocess.run(command, cwd=project, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - uv, with arguments of this module


if __name__ == "__main__":
    main()
