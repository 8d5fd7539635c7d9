"""The commands that the stack's outputs contain, as a shell runs them. The `aws` here records its arguments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from infra.documents import commands

PLACE = commands.Place("eu-central-1", "cluster", ["subnet-1", "subnet-2"], "sg-1")
DEFINITION = "arn:aws:ecs:eu-central-1:123456789012:task-definition/uploads:7"
TASK = "arn:aws:ecs:eu-central-1:123456789012:task/cluster/0123"
STAND_IN = f"""#!/bin/sh
printf '%s\\0' "$@" >> "$CALLS"
printf '\\n' >> "$CALLS"
[ "$2" = "${{FAILS:-}}" ] && exit 254
[ "$2" = run-task ] && echo {TASK}
[ "$2" = list-tasks ] && [ ! -e "$CALLS.stopped" ] && echo {TASK}
[ "$2" = stop-task ] && touch "$CALLS.stopped"
case "$*" in *lastStatus*)
    # The task runs until `sleep` has been called.
    [ -e "$CALLS.slept" ] && echo STOPPED || echo RUNNING ;;
esac
true
"""
PULUMI = """#!/bin/sh
[ "$1 $2" = "stack output" ] && echo "the-$3"
"""
SLEEP = """#!/bin/sh
touch "$CALLS.slept"
"""

Calls = list[list[str]]


@pytest.fixture
def shell(tmp_path: Path) -> Any:
    """Runs a command in a shell, and returns its exit status and the calls of the AWS CLI."""
    for name, script in (("aws", STAND_IN), ("pulumi", PULUMI), ("sleep", SLEEP)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)

    def run(command: str, **environ: str) -> tuple[int, Calls]:
        calls = tmp_path / "calls"
        calls.write_text("")
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(  # noqa: S603 - the command under test
            ["/bin/sh", "-c", command], env={"PATH": path, "CALLS": str(calls)} | environ, check=False
        )
        return done.returncode, [line.split("\0")[:-1] for line in calls.read_text().splitlines()]

    return run


def read_call(call: list[str]) -> dict[str, Any]:
    """The parameters of an API call, checked against the API's description."""
    service, command, *arguments = call
    model = botocore.session.get_session().get_service_model(service)
    operation = model.operation_model(next(name for name in model.operation_names if xform_name(name, "-") == command))
    assert operation.input_shape
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    members = {f"--{xform_name(name, '-')}": name for name in operation.input_shape.members}
    parameters = {
        members[option]: _read(value, operation.input_shape.members[members[option]].type_name)
        for option, value in given.items()
        if option in members
    }
    assert given.keys() - members.keys() <= {"--region", "--query", "--output"}
    assert not ParamValidator().validate(parameters, operation.input_shape).has_errors()
    return parameters


def _read(value: str, kind: str) -> Any:
    return json.loads(value) if kind == "structure" else [value] if kind == "list" else value


def test_a_sweep_by_hand_runs_where_the_services_run(shell: Any) -> None:
    status, (run, running, stopped, tail, describe) = shell(commands.run_task(PLACE, "sweep", DEFINITION, "group"))
    assert status == 0
    assert read_call(run) == {
        "cluster": "cluster",
        "launchType": "FARGATE",
        "taskDefinition": DEFINITION,
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-1", "subnet-2"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "ENABLED",
            }
        },
    }
    assert running == stopped
    assert read_call(stopped)["tasks"] == [TASK]
    assert tail[:3] == ["logs", "tail", "group"]
    assert tail[-1] == "sweep/sweep/0123"
    assert read_call(describe)["tasks"] == [TASK]


@pytest.mark.parametrize("username", ["Shirley90", "a b", "$(touch x)", "o'neill"])
def test_a_removal_by_hand_is_of_the_named_user(shell: Any, username: str) -> None:
    status, calls = shell(commands.run_removal(PLACE, DEFINITION, "group"), username=username)
    assert status == 0
    (overrides,) = read_call(calls[0])["overrides"]["containerOverrides"]
    assert overrides == {"name": "uploads", "command": ["python", "-m", "services.uploads.remove", username]}


def test_a_sweep_by_hand_takes_arguments(shell: Any) -> None:
    status, calls = shell(commands.run_sweep(PLACE, DEFINITION, "group", "--full", "--dry-run"))
    assert status == 0
    (overrides,) = read_call(calls[0])["overrides"]["containerOverrides"]
    assert overrides == {"name": "sweep", "command": ["python", "-m", "services.uploads.sweep", "--full", "--dry-run"]}


def test_the_reason_is_printed_if_a_task_has_no_log(shell: Any) -> None:
    """ECS could not pull the image."""
    _, calls = shell(commands.run_task(PLACE, "sweep", DEFINITION, "group"), FAILS="tail")
    assert "stoppedReason" in calls[-1][-1]


def test_a_command_ends_if_its_task_can_not_be_described(shell: Any) -> None:
    status, calls = shell(commands.run_task(PLACE, "sweep", DEFINITION, "group"), FAILS="describe-tasks")
    assert status == 254
    assert [call[1] for call in calls] == ["run-task", "describe-tasks", "describe-tasks"]


def test_a_task_that_does_not_start_ends_the_command(shell: Any) -> None:
    status, calls = shell(commands.run_task(PLACE, "sweep", DEFINITION, "group"), FAILS="run-task")
    assert status == 254
    assert len(calls) == 1


def test_logs_are_followed(shell: Any) -> None:
    _, calls = shell(commands.follow_logs("eu-central-1", "group"))
    assert calls == [["logs", "tail", "group", "--region", "eu-central-1", "--follow"]]


def test_the_runbook_stops_a_running_sweep_before_the_table_is_restored(shell: Any) -> None:
    page = (Path(__file__).parents[2] / "docs/deploying.md").read_text()
    _, _, runbook = page.partition("## Restoring")
    first, *_ = re.findall(r"^   ```sh\n(.*?)^   ```$", runbook, re.DOTALL | re.MULTILINE)
    status, (listed, stopped, waited, again) = shell(textwrap.dedent(first))
    assert status == 0
    assert read_call(listed) == {"cluster": "the-cluster", "family": "the-schedule"}
    assert read_call(stopped) == {"cluster": "the-cluster", "task": TASK}
    assert waited == ["ecs", "wait", "tasks-stopped", "--cluster", "the-cluster", "--tasks", TASK]
    assert again == listed
