"""`pulumi up` on a fresh clone: the commands of Pulumi's Python language host for `toolchain: uv`, then the program.

The language host comes with Pulumi's CLI and runs these commands in `infra/` (`sdk/python/toolchain/uv.go`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.infra.cloud import Cloud
from tests.infra.providers import serve
from tests.infra.stacks import find_engine

ROOT = Path(__file__).parents[2]

PREVIEW = """
import json, runpy
from pulumi import automation

stack = automation.create_or_select_stack(
    "fresh",
    "three-phase-upload",
    lambda: runpy.run_path(".", run_name="__main__"),
    work_dir=".",
    opts=automation.LocalWorkspaceOptions(work_dir="."),
)
print(json.dumps(stack.preview().change_summary))
"""
"""A preview in the project's folder. It stands for the start of the program by the language host, which the tests can't
expect on every machine.
"""

NOT_DEPLOYED = "auth uploads frontend local test"
"""Groups that a machine needs not install for a deployment."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    find_engine()
    if not (ROOT / ".git").exists():
        pytest.skip("This copy of the project is no Git repository.")
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], env=make_environ(), check=True)  # noqa: S603, S607
    return folder


def make_environ() -> dict[str, str]:
    """The environment of a terminal: without the variables of pytest's own virtual environment, of uv and of Git."""
    left_out = ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT", "GIT_", "PULUMI_")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)}


@pytest.mark.parametrize("left_out", ["", NOT_DEPLOYED], ids=["default groups", "the group deploy only"])
def test_pulumi_installs_and_runs_the_program(clone: Path, tmp_path: Path, left_out: str) -> None:
    infra, venv = clone / "infra", clone / ".venv"
    project = yaml.safe_load((infra / "Pulumi.yaml").read_text())
    # The host then uses the .venv beside the nearest pyproject.toml.
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "uv"}}
    environ = make_environ() | {"UV_NO_GROUP": left_out, "UV_PROJECT_ENVIRONMENT": str(venv)}

    run("uv", "sync", "--quiet", "--inexact", folder=infra, environ=environ)

    export = ("uv", "export", "--quiet", "--package", project["name"], "--locked", "--format", "pylock.toml")
    exported = run(*export, folder=clone, environ=environ)
    packages = {package["name"] for package in tomllib.loads(exported)["packages"]}
    # The engine takes the names of the plugins from them.
    assert {"pulumi", "pulumi-aws", "pulumi-docker-build"} <= packages
    assert ("pytest" in packages) is not bool(left_out)
    # The environment and the lock file are not part of a commit.
    assert not run("git", "status", "--porcelain", folder=clone, environ=make_environ())

    environ |= {
        "PULUMI_BACKEND_URL": tmp_path.as_uri(),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    with serve(Cloud()) as providers:
        environ["PULUMI_DEBUG_PROVIDERS"] = providers
        previewed = run(str(venv / "bin" / "python"), "-c", PREVIEW, folder=infra, environ=environ)
    [operation] = json.loads(previewed)
    assert operation == "create"


def test_the_documented_order_keeps_the_sample_s_settings(tmp_path: Path) -> None:
    """`pulumi stack init` adds its salt to the file that was copied before."""
    find_engine()
    for name in ("Pulumi.yaml", "Pulumi.sample.yaml"):
        shutil.copy(ROOT / "infra" / name, tmp_path)
    environ = make_environ() | {
        "PULUMI_BACKEND_URL": tmp_path.as_uri(),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    page = (ROOT / "docs/deploying.md").read_text()
    commands = re.findall(r"^(?:cp Pulumi\.sample\.yaml|pulumi stack init) .*?(?=  +#)", page, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["cp", "pulumi"]
    for command in commands:
        run(*command.split(), folder=tmp_path, environ=environ)
    sample, written = (yaml.safe_load((tmp_path / f"Pulumi.{name}.yaml").read_text()) for name in ("sample", "demo"))
    assert written.pop("encryptionsalt")
    # Pulumi writes each value as text.
    assert written == {"config": {name: str(value) for name, value in sample["config"].items()}}
    # The same passphrase is accepted afterwards.
    run("pulumi", "config", "set", "minTasks", "3", folder=tmp_path, environ=environ)


def run(*command: str, folder: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout
