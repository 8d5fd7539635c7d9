"""The environment variables of each service and of the sweep, for ECS tasks and for local processes.

Values may be Pulumi outputs, which are left as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import msgspec

from services.auth.settings import Settings as AuthSettings
from services.frontend.settings import Settings as FrontendSettings
from services.settings.environment import METRICS_NAMESPACE
from services.uploads.settings import Settings as UploadsSettings
from services.uploads.sweep.settings import Settings as SweepSettings

Environment = dict[str, Any]
"""Values by name of the variable. Some may be Pulumi outputs."""

PROGRAMS = {
    "auth": AuthSettings,
    "uploads": UploadsSettings,
    "frontend": FrontendSettings,
    "sweep": SweepSettings,
}


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that ECS reads from Secrets Manager when it starts a task. It is neither in the task definition nor in
    Pulumi's state.
    """

    arn: str


@dataclass(frozen=True, slots=True)
class Names:
    """Names and addresses of the resources that the programs use."""

    origin: Any
    table: Any
    bucket: Any
    signing_keys: Any = None
    jwks_url: Any = None
    metrics_namespace: str = METRICS_NAMESPACE
    confirmed_secret: Secret | None = None


def make_environment(program: str, names: Names, settings: msgspec.Struct) -> Environment:
    """Each setting of this program that the stack's configuration or one of the names determines."""
    configured = {field.name: getattr(settings, field.name) for field in msgspec.structs.fields(settings)}
    named = {field.name: getattr(names, field.name) for field in fields(names)}
    known = {name: str(value) for name, value in configured.items() if value is not None}
    known |= {name: value for name, value in named.items() if value is not None} | {"metrics": "true"}
    return {
        field.name.upper(): known[field.name]
        for field in msgspec.structs.fields(PROGRAMS[program])
        if known.get(field.name) is not None
    }
