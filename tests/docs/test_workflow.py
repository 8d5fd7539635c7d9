"""The workflows on GitHub, and the documents of the one that deploys. `.ci/run` checks them all with actionlint."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import parliament
import pytest
import yaml

from infra.documents.deployer import FOLDER

ROOT = Path(__file__).parents[2]
WORKFLOWS = {file.stem: file.read_text() for file in sorted((ROOT / ".github/workflows").glob("*.yml"))}
TEXT = WORKFLOWS["deploy"]
PAGE = (ROOT / "docs/deploying.md").read_text()
JOBS: dict[str, Any] = yaml.safe_load(TEXT)["jobs"]


def read_step(job: str, action: str) -> dict[str, Any]:
    [step] = [each for each in JOBS[job]["steps"] if each.get("uses", "").startswith(f"{action}@")]
    return step["with"]


def test_a_job_has_only_the_permissions_that_it_needs() -> None:
    assert yaml.safe_load(TEXT)["permissions"] == {}
    assert JOBS["preview"]["permissions"] == {"contents": "read", "id-token": "write", "pull-requests": "write"}
    assert JOBS["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}


@pytest.mark.parametrize(("job", "command"), [("preview", "preview"), ("deploy", "up")])
def test_a_job_runs_pulumi_with_a_role(job: str, command: str) -> None:
    pulumi = read_step(job, "pulumi/actions")
    assert pulumi["command"] == command
    assert (ROOT / pulumi["work-dir"] / "Pulumi.yaml").is_file()
    assert read_step(job, "aws-actions/configure-aws-credentials")["role-to-assume"] == (
        f"${{{{ vars.AWS_{job.upper()}_ROLE }}}}"
    )
    # No long-lived keys.
    assert "AWS_SECRET_ACCESS_KEY" not in TEXT


def test_the_role_trusts_the_environment_of_the_deployment() -> None:
    [statement] = json.loads((FOLDER / "trust.json").read_text())["Statement"]
    subject = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert subject.endswith(f":environment:{JOBS['deploy']['environment']}")


def test_the_page_names_every_variable_and_secret_of_the_workflow() -> None:
    used = set(re.findall(r"(?:vars|secrets)\.(\w+)", TEXT))
    assert {name for name in used if f"`{name}`" not in PAGE} == set()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_its_commit(name: str) -> None:
    used = re.findall(r"uses: (?!\./)(.+)", WORKFLOWS[name])
    assert used
    assert [each for each in used if not re.match(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_an_action_has_the_same_version_everywhere() -> None:
    used = {tuple(each) for text in WORKFLOWS.values() for each in re.findall(r"uses: (?!\./)([\w/-]+)@(\w+)", text)}
    assert len(used) == len({action for action, _ in used})


@pytest.mark.parametrize("name", WORKFLOWS)
def test_only_jobs_have_permissions(name: str) -> None:
    workflow = yaml.safe_load(WORKFLOWS[name])
    assert workflow["permissions"] == {}
    assert [job for job, content in workflow["jobs"].items() if "permissions" not in content] == []


@pytest.mark.parametrize(
    ("name", "jobs"), [("checks", []), ("publish", ["images", "release"]), ("pins", ["renew", "propose"])]
)
def test_only_these_jobs_may_write(name: str, jobs: list[str]) -> None:
    contents = yaml.safe_load(WORKFLOWS[name])["jobs"]
    assert [job for job, content in contents.items() if "write" in content["permissions"].values()] == jobs


def test_the_checks_install_the_pinned_pulumi() -> None:
    [step] = [
        each for each in yaml.safe_load(WORKFLOWS["checks"])["jobs"]["checks"]["steps"] if each.get("id") == "pins"
    ]
    printed = subprocess.run(  # noqa: S603 - the workflow of this repository
        ["bash", "-ec", step["run"].replace('>>"$GITHUB_OUTPUT"', "")],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed == f"pulumi={version('pulumi')}\n"


def test_a_release_needs_a_tag_of_this_version() -> None:
    command = [ROOT / ".ci/release-notes", "v0.0.1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a script of this repository
    assert done.returncode == 1
    assert done.stderr == "The tag v0.0.1 does not name the version in pyproject.toml.\n"


def test_the_current_version_has_notes_for_its_release() -> None:
    current = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    command = [ROOT / ".ci/release-notes", f"v{current}"]
    notes = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - a script of this repository
    assert notes.strip() in (ROOT / "CHANGELOG.md").read_text().partition(f"\n## {current} - ")[2]


def test_a_preview_does_not_cancel_a_deployment() -> None:
    assert "concurrency" not in yaml.safe_load(TEXT)
    assert JOBS["deploy"]["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    assert JOBS["preview"]["concurrency"]["group"].startswith("preview-")


@pytest.mark.parametrize("name", ["preview", "state"])
def test_a_policy_of_the_workflow_is_valid(name: str) -> None:
    report: Any = parliament.analyze_policy_string((FOLDER / f"{name}.json").read_text())
    serious = {"UNKNOWN_ACTION", "UNKNOWN_PREFIX", "MALFORMED", "RESOURCE_MISMATCH"}
    assert not [f"{each.issue} {each.detail}" for each in report.findings if each.issue in serious]
