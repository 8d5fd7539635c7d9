"""Pulumi's engine as a program sees it, over the real protocol, with a made-up cloud and neither AWS nor the CLI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from tests.eventually import PATIENCE_SECONDS
from tests.infra.cloud import ECR_PASSWORD, Cloud, UnexpectedInvokeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands in an input for what is known only once something is created."""

STACK = "pulumi:pulumi:Stack"

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 how the protocol marks one
_FEATURES = [
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
]


@dataclass(frozen=True)
class Registration:
    """One resource, as the program asked for it."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the program got back, its own inputs included; the made-up cloud's in an `up`."""
    id: str = ""
    secret_inputs: frozenset[str] = frozenset()
    dependencies: frozenset[str] = frozenset()
    property_dependencies: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    parent: str = ""
    provider: str = ""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool = False
    version: str = ""

    def __str__(self) -> str:
        return f"{self.type.rsplit(':', maxsplit=1)[-1]} {self.name}"


@dataclass(frozen=True)
class LogLine:
    severity: str
    message: str
    urn: str


@dataclass(frozen=True)
class Invoke:
    token: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """All that one run of a program did."""

    registrations: tuple[Registration, ...]
    exports: dict[str, Any]
    secret_exports: frozenset[str]
    secrets: frozenset[str]
    """Texts that nobody should read: secret configuration, secret inputs and outputs, passwords."""
    invokes: tuple[Invoke, ...]
    logs: tuple[LogLine, ...]
    error: str | None
    """As the operator sees it."""
    printed: str = ""

    def of(self, *types: str) -> list[Registration]:
        return [each for each in self.registrations if each.type in types]

    def one(self, type_: str, name: str) -> Registration:
        (found,) = [each for each in self.of(type_) if each.name == name]
        return found

    def resources(self) -> list[Registration]:
        """Those that a provider creates; not the stack, components and providers."""
        return [each for each in self.registrations if each.custom and not each.type.startswith("pulumi:")]

    def by_value(self, value: object, *types: str) -> Registration | None:
        """The one whose id or ARN this is."""
        candidates = self.of(*types) if types else self.resources()
        known = {
            each.urn: (each.id, each.outputs.get("arn"), each.outputs.get("arnWithoutRevision")) for each in candidates
        }
        return next((each for each in candidates if value and value in known[each.urn]), None)

    def created_before(self, registration: Registration) -> frozenset[str]:
        """The URNs of all that it depends on, directly or by others."""
        by_urn = {each.urn: each for each in self.registrations}
        found: set[str] = set()
        waiting = [registration]
        while waiting:
            for urn in waiting.pop().dependencies - found:
                found.add(urn)
                waiting.append(by_urn[urn])
        return frozenset(found)


def run_program(
    directory: Path,
    *,
    project: str = "project",
    stack: str = "stack",
    config: Mapping[str, str] | None = None,
    secret_config: Mapping[str, str] | None = None,
    preview: bool = False,
    cloud: Cloud | None = None,
) -> Deployment:
    """Run the folder's __main__.py as `pulumi up` or `pulumi preview` would. A key without a colon is the project's."""
    plain, secret = _qualify(project, config or {}), _qualify(project, secret_config or {})
    monitor = _Monitor(project, stack, cloud or Cloud(plain.get("aws:region", Cloud.region)), preview=preview)
    engine = _Engine()
    server = grpc.server(ThreadPoolExecutor(32))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    environment |= {
        "PULUMI_CONFIG": json.dumps(plain | secret),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(secret)),
    }
    host = [sys.executable, "-P", "-W", "ignore", str(Path(__file__).with_name("language_host.py"))]
    try:
        process = subprocess.run(  # noqa: S603 our own program
            [*host, f"127.0.0.1:{port}", project, stack, "preview" if preview else "up"],
            cwd=directory,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    finally:
        server.stop(None).wait()
    errors = "\n".join(line.message for line in engine.lines if line.severity == "ERROR")
    return Deployment(
        registrations=tuple(monitor.registrations.values()),
        exports=_unwrap(monitor.exports, "value"),
        secret_exports=_names_of_secrets(monitor.exports),
        secrets=frozenset(monitor.secrets | set(secret.values())),
        invokes=tuple(monitor.invokes),
        logs=tuple(engine.lines),
        error=None if process.returncode == 0 else errors or process.stderr or f"status {process.returncode}",
        printed=process.stdout,
    )


def _qualify(project: str, config: Mapping[str, str]) -> dict[str, str]:
    return {key if ":" in key else f"{project}:{key}": value for key, value in config.items()}


class _Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Takes what is registered, in its order, and answers."""

    def __init__(self, project: str, stack: str, cloud: Cloud, *, preview: bool) -> None:
        self.registrations: dict[str, Registration] = {}
        self.exports: dict[str, Any] = {}
        self.secrets: set[str] = set()
        self.invokes: list[Invoke] = []
        self._prefix = f"urn:pulumi:{stack}::{project}::"
        self._cloud = cloud
        self._preview = preview
        self._lock = threading.Lock()

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 as the protocol has it
        return resource_pb2.DeploymentInfo(supportedFeatures=_FEATURES)

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return empty_pb2.Empty()

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        if f"::{STACK}::" in request.urn:
            self.exports = _unwrap(json_format.MessageToDict(request.outputs), "id")
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        arguments = json_format.MessageToDict(request.args)
        self.invokes.append(Invoke(request.tok, arguments))
        answer = struct_pb2.Struct()
        try:
            answer.update(self._cloud.invoke(request.tok, arguments))
        except UnexpectedInvokeError as error:
            context.abort(grpc.StatusCode.NOT_FOUND, str(error))
        if ECR_PASSWORD in str(answer):
            self.secrets.add(ECR_PASSWORD)
        response: Any = {"return": answer}
        return resource_pb2.ResourceInvokeResponse(**response)

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._lock:
            return self._register(request, context)

    def _register(self, request: Any, context: Any) -> Any:
        urn = self._name(request)
        if urn in self.registrations:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Duplicate resource URN '{urn}'; give it a name of its own")
        for other in {*request.dependencies, *filter(None, [request.parent])} - set(self.registrations):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{urn} refers to {other}, which is not registered")
        marked = _unwrap(json_format.MessageToDict(request.object), "id")
        inputs = _unwrap(marked, "value")
        identity, outputs = "", inputs
        if request.custom and not self._preview and not request.type.startswith("pulumi:"):
            made = self._cloud.create(urn, inputs)
            identity, outputs = made.id, made.outputs
        hidden = {
            key: {_SIGNATURE: _SECRET, "value": outputs[key]}
            for key in request.additionalSecretOutputs
            if key in outputs
        }
        answered = outputs | marked | hidden
        self.secrets |= set(_find_secrets(answered))
        answer = struct_pb2.Struct()
        answer.update(answered)
        self.registrations[urn] = Registration(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            inputs=inputs,
            outputs=outputs,
            id=identity,
            secret_inputs=_names_of_secrets(marked),
            dependencies=frozenset(request.dependencies),
            property_dependencies={key: frozenset(value.urns) for key, value in request.propertyDependencies.items()},
            parent=request.parent,
            provider=request.provider,
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            aliases=tuple(alias.urn or alias.spec.name or alias.spec.type for alias in request.aliases),
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace,
            version=request.version,
        )
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=answer)

    def _name(self, request: Any) -> str:
        parent = self.registrations.get(request.parent)
        chain = "" if parent is None or parent.type == STACK else parent.urn.split("::")[2] + "$"
        return f"{self._prefix}{chain}{request.type}::{request.name}"


class _Engine(engine_pb2_grpc.EngineServicer):
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        self.lines.append(LogLine(engine_pb2.LogSeverity.Name(request.severity), request.message, request.urn))
        return empty_pb2.Empty()

    def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()

    def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return engine_pb2.GetRootResourceResponse(urn=self._root)


def _unwrap(value: Any, key: str) -> Any:
    """With that one entry in place of what the protocol marks: the id of a resource, the value of a secret."""
    if isinstance(value, list):
        return [_unwrap(inner, key) for inner in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        # The protocol has no other numbers.
        return int(value)
    if not isinstance(value, dict):
        return value
    entries = cast("dict[str, Any]", value)
    if _SIGNATURE in entries and key in entries:
        return _unwrap(entries[key], key)
    return {name: _unwrap(inner, key) for name, inner in entries.items()}


def _find_secrets(value: Any, *, secret: bool = False) -> Iterator[str]:
    """The texts behind the marks; one that is empty or not known yet gives nothing away."""
    if isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _find_secrets(inner, secret=secret)
    elif isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        # Assets and outputs carry the same mark with other values.
        is_secret = secret or entries.get(_SIGNATURE) == _SECRET or entries.get("secret") is True
        for name, inner in entries.items():
            if name != _SIGNATURE:
                yield from _find_secrets(inner, secret=is_secret)
    elif isinstance(value, str) and secret and value and value != UNKNOWN:
        yield value


def _names_of_secrets(properties: dict[str, Any]) -> frozenset[str]:
    return frozenset(name for name, value in properties.items() if _SECRET in json.dumps(value))
