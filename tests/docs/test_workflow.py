"""The workflow that deploys from GitHub, and the documents that it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import parliament
import pytest
import yaml

from infra.documents.deployer import FOLDER

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".github/workflows/deploy.yml").read_text()
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


def test_every_action_has_a_version() -> None:
    used = re.findall(r"uses: (\S+)", TEXT)
    assert used
    assert not [each for each in used if not re.fullmatch(r"[\w/-]+@v\d+", each)]


def test_a_preview_does_not_cancel_a_deployment() -> None:
    assert "concurrency" not in yaml.safe_load(TEXT)
    assert JOBS["deploy"]["concurrency"] == {"group": "deploy", "cancel-in-progress": False}
    assert JOBS["preview"]["concurrency"]["group"].startswith("preview-")


@pytest.mark.parametrize("name", ["preview", "state"])
def test_a_policy_of_the_workflow_is_valid(name: str) -> None:
    report: Any = parliament.analyze_policy_string((FOLDER / f"{name}.json").read_text())
    serious = {"UNKNOWN_ACTION", "UNKNOWN_PREFIX", "MALFORMED", "RESOURCE_MISMATCH"}
    assert not [f"{each.issue} {each.detail}" for each in report.findings if each.issue in serious]
