"""The files that images are built from, without building one."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from infra.requirements import FOLDER, ROOT, SERVICES, export

if TYPE_CHECKING:
    from pathlib import Path

ALSO_REQUIRED = {
    "cryptography": "by PyJWT, for ES256",
    "faker": "by Litestar, through Polyfactory",
    "h11": "by uvicorn",
}
"""Named by a group of the demo or the tests, and needed in the images by what the services name."""


def entries(service: str) -> list[str]:
    """One package each, with its hashes."""
    text = (FOLDER / f"{service}.txt").read_text()
    return [entry.strip() for entry in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if entry.strip()]


def direct(groups: dict[str, list[Any]], *names: str) -> set[str]:
    """The packages that the groups themselves name."""
    given = [requirement for name in names for requirement in groups[name] if isinstance(requirement, str)]
    return {re.split(r"[^a-z0-9-]", requirement)[0] for requirement in given}


def test_the_exported_requirements_are_those_of_pyproject(tmp_path: Path) -> None:
    export(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in FOLDER.iterdir()
    }, "Run `uv run requirements` and commit what it writes."


@pytest.mark.parametrize("service", SERVICES)
def test_every_requirement_is_one_version_with_hashes_from_nowhere_in_particular(service: str) -> None:
    form = r"[a-z0-9-]+==[\w.]+( ; [^\\]+?)?( \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert [entry for entry in entries(service) if not re.fullmatch(form, entry)] == []
    assert "://" not in (FOLDER / f"{service}.txt").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_no_image_gets_what_only_tests_and_the_demo_need(service: str) -> None:
    groups: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    own = direct(groups, "web", service)
    foreign = direct(groups, "local", "test", "check") - own - ALSO_REQUIRED.keys()
    listed = {entry.partition("==")[0] for entry in entries(service)}
    assert {"ministack", "pytest", "ruff"} <= foreign
    assert own <= listed
    assert listed & foreign == set()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("service", SERVICES)
def test_every_package_has_a_wheel_for_both_of_fargates_processors(service: str, machine: str, tmp_path: Path) -> None:
    command = [
        *(os.environ.get("UV", "uv"), "pip", "install", "--dry-run", "--no-deps", "--require-hashes"),
        *("--only-binary", ":all:", "--python-platform", f"{machine}-manylinux_2_28", "--python-version", "3.13"),
        *("--target", str(tmp_path), "--requirements", str(FOLDER / f"{service}.txt")),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - uv
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_what_the_dockerfile_copies_is_there_and_not_ignored(service: str) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text().replace("${SERVICE}", service)
    sources = [
        path for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for path in line.split()
    ]
    assert len(sources) == 5
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in sources:
        assert list(ROOT.glob(source)), source
        assert source.partition("/")[0] in {path.partition("/")[0] for path in kept}
    assert f"FROM run AS service-{service}\n" in dockerfile
    assert f'CMD ["python", "-m", "services.{service}"]' in dockerfile


def test_what_the_dockerignore_keeps_is_there() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert all(list(ROOT.glob(line[1:])) for line in lines if line.startswith("!"))
