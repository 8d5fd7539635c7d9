"""Reads settings from environment variables, and checks them before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

from services.settings.access import (
    AllowedAddresses,
    AllowedOrigins,
    Network,
    parse_networks,
    split,
)
from services.settings.conversion import convert_settings, find_nearest
from services.settings.urls import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Origin = Annotated[str, msgspec.Meta(pattern=rf"^{ORIGIN}\Z", examples=["https://example.com"])]

BucketName = Annotated[str, msgspec.Meta(min_length=3, description="Name of the S3 bucket with the pictures.")]
TableName = Annotated[str, msgspec.Meta(min_length=3, description="Name of the DynamoDB table with the users.")]
TaskMetadataEndpoint = Annotated[
    str | None,
    msgspec.Meta(description="Task metadata endpoint, which reports the error of the task's clock. ECS sets it."),
]
WriteMetrics = Annotated[
    bool,
    msgspec.Meta(description="Whether metrics are written to standard output, in CloudWatch's embedded metric format."),
]
MetricsNamespace = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9._/#:-]{1,255}\Z",
        examples=["ThreePhaseUpload/demo"],
        description="Namespace of the metrics. A deployed stack's has the stack's name.",
    ),
]
METRICS_NAMESPACE = "ThreePhaseUpload"


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of every service. boto3 reads AWS's own variables (region, credentials, endpoint) itself."""

    origin: Annotated[
        Origin,
        msgspec.Meta(
            description="Origin of the page. The issuer and audience of the auth service's tokens follow from it."
        ),
    ]
    table: TableName
    host: Annotated[str, msgspec.Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="Port to listen on.")] = 8000
    allowed_origins: AllowedOrigins | None = None
    allowed_addresses: AllowedAddresses | None = None

    def __post_init__(self) -> None:
        self.parse_networks()

    @property
    def other_origins(self) -> tuple[str, ...]:
        """The allowed origins. The system's own origin is none of them, also where the setting contains it."""
        return tuple(origin for origin in split(self.allowed_origins) if origin != self.origin)

    def parse_networks(self) -> tuple[Network, ...]:
        """
        Raises:
            ValueError: an allowed address is no network.
        """
        return parse_networks(self.allowed_addresses, "ALLOWED_ADDRESSES")


Settings = TypeVar("Settings", bound=msgspec.Struct)
ForService = TypeVar("ForService", bound=ServiceSettings)


RENAMED = {"MOST_DELETIONS": "MAX_DELETIONS"}
"""Former names, which are refused, so that a value set under one is never ignored."""


class InvalidSettingsError(Exception):
    """A setting is missing or invalid. The text names the variable and says what is wrong."""


def read_settings(kind: type[Settings], environ: Mapping[str, str]) -> Settings:
    """Read each field of `kind` from the variable of its name in upper case. An empty variable counts as unset.

    Raises:
        InvalidSettingsError: a variable is missing, invalid or has a former name.
    """
    if renamed := [f"{old} is now called {new}" for old, new in RENAMED.items() if environ.get(old)]:
        raise InvalidSettingsError(f"In the environment: {', '.join(renamed)}.")
    names = {field.name.upper(): field for field in msgspec.structs.fields(kind)}
    given = {field.name: environ[name] for name, field in names.items() if environ.get(name)}
    if misspelled := _find_misspelled(names, environ):
        raise InvalidSettingsError(f"In the environment: {', '.join(misspelled)}.")
    if missing := [name for name, field in names.items() if field.required and field.name not in given]:
        raise InvalidSettingsError(f"Missing from the environment: {', '.join(missing)}")
    try:
        return convert_settings(kind, given, str.upper)
    except ValueError as error:
        raise InvalidSettingsError(f"In the environment: {error}") from error


def _find_misspelled(names: Collection[str], environ: Mapping[str, str]) -> list[str]:
    """Variables that are almost the name of a setting. A short name is left out, since it is near to others' names."""
    long_names = [name for name in names if "_" in name]
    return [
        f"{variable} is no setting, the nearest name is {nearest}"
        for variable in environ
        if variable not in names and (nearest := find_nearest(variable, long_names, similarity=0.85))
    ]
