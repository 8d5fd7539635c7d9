"""The resources that a program registers, read from the state of a stack or from the events of a preview."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.infra import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Registration:
    """One resource, as the engine knows it."""

    urn: str
    type: str
    custom: bool
    inputs: dict[str, Any]
    """As the provider has checked them, so with the names that it makes up."""
    outputs: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str = ""
    secret_inputs: frozenset[str] = frozenset()
    dependencies: frozenset[str] = frozenset()
    parent: str = ""
    provider: str = ""
    ignore_changes: tuple[str, ...] = ()
    protect: bool = False
    retain_on_delete: bool = False

    @property
    def name(self) -> str:
        return self.urn.rpartition("::")[2]

    def __str__(self) -> str:
        return f"{self.type.rsplit(':', maxsplit=1)[-1]} {self.name}"


@dataclass(frozen=True)
class LogLine:
    severity: str
    message: str
    urn: str


@dataclass(frozen=True)
class Deployment:
    """The resources of a stack, or those that a preview shows."""

    registrations: tuple[Registration, ...]
    exports: dict[str, Any]
    logs: tuple[LogLine, ...] = ()
    secret_exports: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    """Secret texts in configuration, inputs and outputs."""

    def of(self, *types: str) -> list[Registration]:
        return [each for each in self.registrations if each.type in types]

    def one(self, type_: str, name: str) -> Registration:
        [found] = [each for each in self.of(type_) if each.name == name]
        return found

    def resources(self) -> list[Registration]:
        """Without the stack, components and providers."""
        return [each for each in self.registrations if each.custom and not each.type.startswith("pulumi:")]

    def with_changed(self, changed: Registration) -> Deployment:
        """With this in place of the registration that has its URN."""
        registrations = (changed if each.urn == changed.urn else each for each in self.registrations)
        return replace(self, registrations=tuple(registrations))

    def by_value(self, value: object, *types: str) -> Registration | None:
        """The resource with this id or ARN."""
        candidates = self.of(*types) if types else self.resources()
        known = {
            each.urn: (each.id, each.outputs.get("arn"), each.outputs.get("arnWithoutRevision")) for each in candidates
        }
        return next((each for each in candidates if value and value in known[each.urn]), None)

    def created_before(self, registration: Registration) -> frozenset[str]:
        """URNs of all resources that it depends on, directly or through others."""
        by_urn = {each.urn: each for each in self.registrations}
        found: set[str] = set()
        waiting = [registration]
        while waiting:
            for urn in waiting.pop().dependencies - found:
                found.add(urn)
                waiting.append(by_urn[urn])
        return frozenset(found)


def read_state(state: Mapping[str, Any], logs: Iterable[LogLine], secrets: Iterable[str]) -> Deployment:
    """From `pulumi stack export --show-secrets`."""
    resources: list[dict[str, Any]] = state.get("resources") or []
    [stack] = [each for each in resources if each["type"] == STACK]
    exports = stack.get("outputs", {})
    return Deployment(
        registrations=tuple(map(_read_resource, resources)),
        exports=wire.plain(exports),
        logs=tuple(logs),
        secret_exports=wire.names_of_secrets(exports),
        secrets=frozenset(secrets) | set(wire.find_secrets(resources)),
    )


def _read_resource(entry: Mapping[str, Any]) -> Registration:
    inputs = entry.get("inputs", {})
    return Registration(
        urn=entry["urn"],
        type=entry["type"],
        custom=entry["custom"],
        inputs=wire.inputs_of(wire.plain(inputs)),
        outputs=wire.inputs_of(wire.plain(entry.get("outputs", {}))),
        id=entry.get("id", ""),
        secret_inputs=wire.names_of_secrets(inputs),
        dependencies=frozenset(entry.get("dependencies") or ()),
        parent=entry.get("parent", ""),
        provider=entry.get("provider", ""),
        ignore_changes=tuple(entry.get("ignoreChanges") or ()),
        protect=entry.get("protect", False),
        retain_on_delete=entry.get("retainOnDelete", False),
    )
