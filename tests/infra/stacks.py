"""A stack on Pulumi's own engine, with an account in memory in place of AWS.

    def test_more_tasks(live: Stack) -> None:          # a stack after its first `up`, with its own copy of the account
        assert live.preview({"minTasks": "3"}).steps == {"update": {"Target auth", …}}
        live.up({"minTasks": "3"})                     # settings stay; None removes one
        live.cloud.change_by_hand("aws:lb/targetGroup:TargetGroup", "auth", deregistrationDelay=5)
        live.refresh()
        live.destroy()
        assert not live.cloud.resources()

Fixtures (`tests/infra/conftest.py`): `stack` is new, `live` has had an `up`, and `make_stack(name, cloud=…, program=…)`
makes another one, also in the same account. `first_up` is shared: a test may only read it.

An operation that fails raises `OperationError`; `error.result` has its steps. The engine is the `pulumi` on the path.
The program runs in the test's process (an inline program of Pulumi's Automation API), and so do the providers
(`providers.py`). Each stack has the options of `infra/Pulumi.yaml`, so each operation refreshes the resources first.
The first operation and `destroy` write the state at their end, others after each resource as well, as usual. That saves
half of their time.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import os
import re
import shutil
import tempfile
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import pytest
import yaml
from pulumi import automation
from pulumi.automation._server import LanguageServer
from pulumi.automation._stack import StackInitMode

from infra.__main__ import main
from tests.infra import wire
from tests.infra.deployment import STACK, Deployment, LogLine, Registration, read_state
from tests.infra.outputs import refuse_to_judge_outputs
from tests.infra.providers import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from pulumi.automation import events
    from pulumi.runtime.proto.language_pb2 import RunRequest, RunResponse

    from tests.infra.cloud import Cloud

PROJECT = "three-phase-upload"
OPTIONS = yaml.safe_load((Path(__file__).parents[2] / "infra/Pulumi.yaml").read_text())["options"]
_PARTS = {"same", "create-replacement", "delete-replaced"}
_MARKUP = re.compile(r"<\{%.*?%\}>")


class OperationError(Exception):
    """The operation failed. The text is what the operator reads."""

    def __init__(self, result: Result, text: str) -> None:
        super().__init__(text)
        self.result = result


@dataclass(frozen=True)
class Step:
    """What the engine does, or would do, with one resource."""

    operation: str
    """`create`, `update`, `replace`, `delete`, `same` …"""
    resource: str
    """Such as `Service uploads`."""
    changed: tuple[str, ...] = ()
    """The inputs that differ."""


@dataclass
class Result:
    """What an operation did, or what a preview shows."""

    printed: str = ""
    logs: list[LogLine] = field(default_factory=list[LogLine])
    summary: dict[str, int] = field(default_factory=dict[str, int])
    """Number of resources by operation, as the engine counts them."""
    all_steps: list[Step] = field(default_factory=list[Step])
    all_drift: list[Step] = field(default_factory=list[Step])
    registrations: list[Registration] = field(default_factory=list[Registration])
    """In a preview, with what is known of each resource."""
    exports: dict[str, Any] = field(default_factory=dict[str, Any])
    secret_exports: frozenset[str] = frozenset()

    @property
    def steps(self) -> dict[str, set[str]]:
        """Resources by operation, without components and what stays the same."""
        steps = defaultdict[str, set[str]](set)
        for step in self.all_steps:
            steps[step.operation].add(step.resource)
        return dict(steps)

    @property
    def drift(self) -> dict[str, set[str]]:
        """What a refresh found: resources that somebody changed (`update`) or deleted (`delete`)."""
        drift = defaultdict[str, set[str]](set)
        for step in self.all_drift:
            drift[step.operation].add(step.resource)
        return dict(drift)

    @property
    def messages(self) -> str:
        """The lines that tell of errors and warnings."""
        return "\n".join(line.message for line in self.logs if line.severity in {"error", "warning"})

    @property
    def deployment(self) -> Deployment:
        """Of a preview."""
        return Deployment(tuple(self.registrations), self.exports, tuple(self.logs))


class Stack:
    """A stack in a folder of its own, which holds its configuration and its state."""

    def __init__(
        self,
        folder: Path,
        cloud: Cloud,
        *,
        name: str = "test",
        project: str = PROJECT,
        program: Callable[[], None] = main,
    ) -> None:
        self.folder = folder
        self.cloud = cloud
        self.name = name
        self.project = project
        self.program = program
        self.logs: list[LogLine] = []
        """Of the last operation."""
        self._environment = {
            "PULUMI_CONFIG_PASSPHRASE": "passphrase",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self._secrets: set[str] = set()
        self._is_new = not (folder / "state").exists()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").mkdir(exist_ok=True)
        self._stack = self._open()

    @property
    def config(self) -> dict[str, str]:
        """The settings of the project, without secret ones."""
        config = self._stack.workspace.stack_settings(self.name).config or {}
        prefix = f"{self.project}:"
        return {name.removeprefix(prefix): value for name, value in config.items() if name.startswith(prefix)}

    def configure(self, config: Mapping[str, str | None], *, secret: bool = False) -> None:
        """Names without a colon are the project's. None removes a setting."""
        values = {name if ":" in name else f"{self.project}:{name}": value for name, value in config.items()}
        if secret:
            self._secrets |= {value for value in values.values() if value}
            self._stack.set_all_config(
                {name: automation.ConfigValue(value or "", secret=True) for name, value in values.items()}
            )
            return
        workspace = self._stack.workspace
        settings = workspace.stack_settings(self.name)
        known = (settings.config or {}) | values
        settings.config = {name: value for name, value in known.items() if value is not None}
        workspace.save_stack_settings(self.name, settings)

    def configure_by_path(self, path: str, value: str) -> None:
        """As `pulumi config set --path` does. A path without a colon is the project's."""
        name = path if ":" in path else f"{self.project}:{path}"
        self._stack.set_config(name, automation.ConfigValue(value), path=True)

    def preview(self, config: Mapping[str, str | None] | None = None, **options: Any) -> Result:
        return self._run("preview", config, options)

    def up(self, config: Mapping[str, str | None] | None = None, **options: Any) -> Result:
        """`options`: those of `pulumi.automation.Stack.up`, such as `refresh=False` and `target=[urn]`."""
        return self._run("up", config, options)

    def refresh(self, **options: Any) -> Result:
        return self._run("refresh", None, options)

    def destroy(self, **options: Any) -> Result:
        return self._run("destroy", None, options)

    @property
    def outputs(self) -> dict[str, Any]:
        outputs = self._stack.workspace.stack_outputs(self.name)
        return {name: output.value for name, output in outputs.items()}

    def export(self) -> dict[str, Any]:
        """The state, with secrets in the clear (`pulumi stack export --show-secrets`)."""
        return cast("dict[str, Any]", self._stack.export_stack().deployment)

    def load(self, state: dict[str, Any]) -> None:
        """Replace the state (`pulumi stack import`), and the account's resources by those that the state has."""
        self._is_new = False
        self._stack.import_stack(automation.Deployment(version=3, deployment=state))
        for each in read_state(state, (), ()).resources():
            self.cloud.add(each.urn, each.id, each.inputs, each.outputs)

    def deployment(self) -> Deployment:
        """The resources in the stack's state."""
        return read_state(self.export(), self.logs, self._secrets)

    def copy(self, folder: Path) -> Stack:
        """The same stack, with its own copy of the state and of the account."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Stack(folder, copy.deepcopy(self.cloud), name=self.name, project=self.project, program=self.program)

    def _open(self) -> automation.Stack:
        # The Automation API's own class for this file has no options.
        settings = {
            "name": self.project,
            "runtime": "python",
            "backend": {"url": (self.folder / "state").as_uri()},
            "options": OPTIONS,
        }
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
        workspace = automation.LocalWorkspace(
            work_dir=str(self.folder),
            program=self.program,
            pulumi_command=find_engine(),
            env_vars=self._environment,
        )
        return _AutomationStack.create_or_select(self.name, workspace)

    def _run(self, operation: str, config: Mapping[str, str | None] | None, options: dict[str, Any]) -> Result:
        if config:
            self.configure(config)
        recorder = _Recorder()
        self._environment["PULUMI_EXPERIMENTAL"] = self._environment["PULUMI_SKIP_CHECKPOINTS"] = str(
            self._is_new or operation == "destroy"
        ).lower()
        self._is_new &= operation == "preview"
        with serve(self.cloud) as providers, _run_programs():
            self._environment["PULUMI_DEBUG_PROVIDERS"] = providers
            try:
                done = getattr(self._stack, operation)(
                    on_event=recorder.take, color="never", suppress_progress=True, **options
                )
                recorder.result.printed = done.stdout
            except automation.CommandError as error:
                recorder.result.printed = str(error)
                raise OperationError(recorder.result, recorder.result.messages or str(error)) from None
            finally:
                self.logs = recorder.result.logs
        return recorder.result


class _AutomationStack(automation.Stack):
    """The Automation API's stack, without the two commands after each operation that read outputs and history.

    `Result` has both from the operation's events.
    """

    @classmethod
    def create_or_select(cls, stack_name: str, workspace: automation.Workspace) -> _AutomationStack:
        return cls(stack_name, workspace, StackInitMode.CREATE_OR_SELECT)

    def outputs(self) -> automation.OutputMap:
        return {}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary:  # noqa: ARG002, FBT001, FBT002 - its signature
        return automation.UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")


class _Recorder:
    """Collects the events of an operation."""

    def __init__(self) -> None:
        self.result = Result()
        self._seen: dict[str, int] = {}
        self._refreshed: set[str] = set()

    def take(self, event: events.EngineEvent) -> None:
        if (diagnostic := event.diagnostic_event) and diagnostic.severity != "debug":
            message = _MARKUP.sub("", diagnostic.message).strip()
            self.result.logs.append(LogLine(diagnostic.severity, message, diagnostic.urn or ""))
        if event.summary_event:
            changes = cast("Mapping[Any, int]", event.summary_event.resource_changes)
            self.result.summary = {_text(operation): count for operation, count in changes.items()}
        if event.resource_pre_event:
            self._take_step(event.resource_pre_event.metadata)
        if event.res_outputs_event:
            self._take_drift(event.res_outputs_event.metadata)
        if event.res_outputs_event and event.res_outputs_event.metadata.type == STACK:
            new = event.res_outputs_event.metadata.new
            if new is not None:
                self.result.exports = wire.plain(dict(new.outputs or {}))

    def _take_step(self, metadata: events.StepEventMetadata) -> None:
        operation, new = _text(metadata.op), metadata.new
        if new is not None:
            self._register(new)
        state = new or metadata.old
        # `replace` is the whole replacement, of which the others are parts.
        if state is None or not state.custom or operation in _PARTS:
            return
        if operation == "refresh":
            self._refreshed.add(metadata.urn)
            return
        self.result.all_steps.append(_make_step(metadata))

    def _take_drift(self, metadata: events.StepEventMetadata) -> None:
        if metadata.urn in self._refreshed:
            self._refreshed.remove(metadata.urn)
            if _text(metadata.op) not in {"same", "refresh"}:
                self.result.all_drift.append(_make_step(metadata))

    def _register(self, state: events.StepEventStateMetadata) -> None:
        registration = Registration(
            urn=state.urn,
            type=state.type,
            custom=bool(state.custom),
            inputs=wire.inputs_of(wire.plain(dict(state.inputs or {}))),
            outputs=wire.inputs_of(wire.plain(dict(state.outputs or {}))),
            id=state.id or "",
            parent=state.parent or "",
            provider=state.provider or "",
        )
        if state.urn in self._seen:
            self.result.registrations[self._seen[state.urn]] = registration
        else:
            self._seen[state.urn] = len(self.result.registrations)
            self.result.registrations.append(registration)


def _make_step(metadata: events.StepEventMetadata) -> Step:
    name = f"{metadata.type.rpartition(':')[2]} {metadata.urn.rpartition('::')[2]}"
    return Step(_text(metadata.op), name, tuple(metadata.diffs or ()))


class _LanguageServer(LanguageServer):
    """Runs the program for the engine, and closes the program's event loop.

    The SDK leaves the loop open if one of its tasks raises an exception while the SDK cancels them, as in an operation
    that fails. The engine may have ended before the program begins, so only the thread of the program can close it.
    """

    def __init__(self, program: Callable[[], None]) -> None:
        super().__init__(self._run_program)
        self.running = threading.Lock()
        self._judged = program
        self._loop: asyncio.AbstractEventLoop | None = None

    def Run(self, request: RunRequest, context: Any) -> RunResponse:  # noqa: N802 - its name
        with self.running:
            try:
                return super().Run(request, context)
            finally:
                if self._loop and not self._loop.is_closed():
                    _close(self._loop)

    def _run_program(self) -> None:
        self._loop = asyncio.get_running_loop()
        with refuse_to_judge_outputs():
            self._judged()


@contextlib.contextmanager
def _run_programs() -> Generator[None, None, None]:
    """Run programs by `_LanguageServer`, and wait at the end for those that are still running."""
    servers: list[_LanguageServer] = []

    def create(program: Callable[[], None]) -> _LanguageServer:
        servers.append(_LanguageServer(program))
        return servers[-1]

    try:
        with mock.patch("pulumi.automation._stack.LanguageServer", create):
            yield
    finally:
        for server in servers:
            with server.running:
                pass


def _close(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    with contextlib.suppress(Exception):
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def _text(operation: Any) -> str:
    return str(getattr(operation, "value", operation))


@functools.cache
def find_engine() -> automation.PulumiCommand:
    """Pulumi's CLI, which has the engine. Where it is not installed, the test is skipped; in CI it fails."""
    if shutil.which("pulumi") is None:
        reason = "Pulumi's CLI is not on the path (https://www.pulumi.com/docs/install/)."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return automation.PulumiCommand(skip_version_check=True)


def deploy(config: Mapping[str, str], cloud: Cloud, name: str = "test") -> Deployment:
    """What the project's program registers in a first `up`."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), cloud, name=name)
        stack.up(config)
        return stack.deployment()
