"""Pulumi's providers of AWS and of Docker images, in the test's process. Pulumi's engine calls them by gRPC.

The engine calls CheckConfig and Configure, then for each resource Check, Diff if it has it already, and Create, Update,
Delete or Read. The responses are those of the real ones (pulumi-terraform-bridge, pulumi-aws, pulumi-docker-build):
Check makes up names and adds the default tags, Diff says which changes replace a resource, and a deployment that failed
after AWS accepted it is an error with the state.
"""

from __future__ import annotations

import contextlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from tests.infra import wire
from tests.infra.classes import find_args, input_types
from tests.infra.cloud import DeploymentFailedError, RefusedError, UnexpectedInvokeError, find_token
from tests.infra.resource_types import EVERY_INPUT, UnknownTypeError, find_type

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.infra.cloud import Cloud, Properties, Resource

PACKAGES = ("aws", "docker-build")
SOME, NONE = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE


@contextlib.contextmanager
def serve(cloud: Cloud) -> Generator[str]:
    """Serve the providers of an account. Yields the value of PULUMI_DEBUG_PROVIDERS, by which the engine finds them."""
    # pulumi_aws imports its modules when they are first used, which is not safe in several threads.
    lock = threading.RLock()
    with contextlib.ExitStack() as running:
        addresses: list[str] = []
        for package in PACKAGES:
            server: Any = grpc.server(running.enter_context(ThreadPoolExecutor(32)))
            provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Provider(cloud, package, lock), server)
            addresses.append(f"{package}:{server.add_insecure_port('127.0.0.1:0')}")
            server.start()
            running.callback(_stop, server)
        yield ",".join(addresses)


def _stop(server: Any) -> None:
    server.stop(None).wait()


class NameTooLongError(Exception):
    """A resource's name in AWS is too long: the program's, or the one that the provider makes up from it."""


class _Provider(provider_pb2_grpc.ResourceProviderServicer):
    """A provider of one package. The methods have the names of the protocol."""

    def __init__(self, cloud: Cloud, package: str, lock: threading.RLock) -> None:
        self._cloud = cloud
        self._version = version(f"pulumi-{package}")
        self._lock = lock
        self._default_tags: dict[str, str] = {}

    def Attach(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version=self._version)

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        old, new = wire.read(request.olds), wire.read(request.news)
        changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        return provider_pb2.DiffResponse(
            changes=SOME if changed else NONE,
            diffs=changed,
            # Another region is another provider, and every resource is created there.
            replaces=[name for name in changed if name == "region"],
        )

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        given = wire.read(request.args)
        self._default_tags = json.loads(given.get("defaultTags", "{}")).get("tags", {})
        if "region" in given:
            self._cloud.region = given["region"]
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._lock:
            try:
                found = self._cloud.invoke(request.tok, wire.read(request.args))
            except UnexpectedInvokeError as error:
                _abort(context, str(error))
        response: Any = {"return": wire.write(found)}
        return provider_pb2.InvokeResponse(**response)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        old, new = wire.read(request.olds), wire.read_marked(request.news)
        with self._lock:
            try:
                return provider_pb2.CheckResponse(inputs=wire.write(self._check(request.urn, old, new)))
            except (UnknownTypeError, NameTooLongError) as error:
                _abort(context, str(error))

    def _check(self, urn: str, old: Properties, new: Properties) -> Properties:
        token, name = find_token(urn), urn.rpartition("::")[2]
        type_ = find_type(token)
        defaults: list[str] = []
        if type_.name and type_.name not in new:
            suffix = self._cloud.name(urn)
            kept = type_.name in old.get(wire.DEFAULTS, ())
            new[type_.name] = old[type_.name] if kept else f"{name}-{suffix}"
            defaults.append(type_.name)
        if type_.name and len(new[type_.name]) > type_.max_name:
            raise NameTooLongError(f"{new[type_.name]} is longer than {type_.max_name} characters")
        if self._default_tags and "tags" in input_types(find_args(token)):
            new["tags"] = self._default_tags | (new.get("tags") or {})
        return new | {wire.DEFAULTS: defaults}

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        new = wire.read(request.news)
        type_ = find_type(find_token(request.urn))
        changed = _find_changes(request)
        replaces = [name for name in changed if name in type_.replaced_by or type_.replaced_by is EVERY_INPUT]
        # Two resources can't have the same name at the same time.
        named = type_.name is not None and type_.name not in new.get(wire.DEFAULTS, ())
        return provider_pb2.DiffResponse(
            changes=SOME if changed else NONE,
            diffs=changed,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and named,
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        inputs, marked = _read_inputs(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=wire.write(marked))
        with self._lock:
            try:
                made = self._cloud.create(request.urn, inputs)
            except RefusedError as error:
                _abort(context, str(error))
            except DeploymentFailedError as error:
                _abort_with_state(context, error.resource, str(error), request.properties)
        return provider_pb2.CreateResponse(id=made.id, properties=wire.write(made.outputs | marked))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        known = wire.read_marked(request.inputs)
        with self._lock:
            found = self._cloud.read(request.urn, request.id, wire.read(request.properties))
        if found is None:
            return provider_pb2.ReadResponse()
        # AWS doesn't say what is secret, and the state does.
        secret = {name: known[name] for name in wire.names_of_secrets(known)}
        inputs = {**found.inputs, **secret, wire.DEFAULTS: known.get(wire.DEFAULTS, [])}
        return provider_pb2.ReadResponse(
            id=found.id, properties=wire.write(found.outputs | secret), inputs=wire.write(inputs)
        )

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        old = wire.read(request.olds)
        new, marked = _read_inputs(request.news)
        if request.preview:
            computed = find_type(find_token(request.urn)).computed_on_update
            return provider_pb2.UpdateResponse(
                properties=wire.write(old | marked | dict.fromkeys(computed, wire.UNKNOWN))
            )
        if not _find_changes(request):
            # The engine calls Update after a failed deployment even if nothing differs. The provider does nothing then.
            return provider_pb2.UpdateResponse(properties=wire.write(old | marked))
        with self._lock:
            try:
                made = self._cloud.update(request.urn, request.id, old, new)
            except RefusedError as error:
                _abort(context, str(error))
            except DeploymentFailedError as error:
                _abort_with_state(context, error.resource, str(error), request.news)
        return provider_pb2.UpdateResponse(properties=wire.write(made.outputs | marked))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        with self._lock:
            try:
                self._cloud.delete(request.urn, request.id, wire.read(request.properties))
            except RefusedError as error:
                _abort(context, str(error))
        return empty_pb2.Empty()


def _find_changes(request: Any) -> list[str]:
    """The inputs that differ. What a resource has is in its outputs: after a failed deployment, they are the new ones,
    while the engine keeps the old inputs.
    """
    has, old, new = wire.read(request.olds), wire.read(request.old_inputs), wire.read(request.news)
    computed = find_type(find_token(request.urn)).computed - new.keys()
    names = (old.keys() | new.keys()) - {wire.DEFAULTS, *request.ignoreChanges} - computed
    return sorted(name for name in names if has.get(name) != new.get(name))


def _read_inputs(message: Any) -> tuple[Properties, Properties]:
    """The inputs in the clear, and with the marks of secrets, which have to be in the outputs too."""
    marked = {name: value for name, value in wire.read_marked(message).items() if name != wire.DEFAULTS}
    return wire.plain(marked), marked


def _abort(context: Any, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.UNKNOWN, message)
    raise AssertionError("abort raises")


def _abort_with_state(context: Any, resource: Resource, message: str, inputs: Any) -> NoReturn:
    """The engine saves this state, with the new inputs, and the error."""
    problem = provider_pb2.ErrorResourceInitFailed(
        id=resource.id, properties=wire.write(resource.outputs), inputs=inputs, reasons=[message]
    )
    detail = any_pb2.Any()
    detail.Pack(problem)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    _abort(context, message)
