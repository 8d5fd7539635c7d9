"""Settings read from the environment, typed and checked before anything starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Seconds = Annotated[int, msgspec.Meta(ge=1)]
Origin = Annotated[str, msgspec.Meta(pattern=r"^https?://[a-z0-9.-]+(:[0-9]+)?\Z")]

BucketName = Annotated[str, msgspec.Meta(min_length=3, description="S3 bucket of the pictures.")]
JwksUrl = Annotated[str, msgspec.Meta(pattern=r"^https?://", description="Where the auth service's keys are.")]
PendingStrategy = Annotated[
    Literal["prefix", "tag"], msgspec.Meta(description="How a pending object is marked: `prefix` or `tag`.")
]
TableName = Annotated[str, msgspec.Meta(min_length=3, description="DynamoDB table of the users.")]
WriteMetrics = Annotated[
    bool, msgspec.Meta(description="Whether metrics are written to standard output, for CloudWatch Logs to find.")
]


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs to know. AWS's own variables (region, credentials, endpoint) are boto3's to read."""

    origin: Annotated[Origin, msgspec.Meta(description="The page's origin: tokens' issuer and audience.")]
    table: TableName
    host: Annotated[str, msgspec.Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535, description="Port to listen on.")] = 8000


Settings = TypeVar("Settings", bound=msgspec.Struct)
ForService = TypeVar("ForService", bound=ServiceSettings)


class InvalidSettingsError(Exception):
    """A setting is missing or is not what its type allows. The text names it, for a person to read."""


def read_settings(kind: type[Settings], environ: Mapping[str, str]) -> Settings:
    """Fill each field of `kind` from the variable of its name in upper case; an empty one counts as unset.

    Raises:
        InvalidSettingsError: with the name of the variable and what was expected of it.
    """
    fields = msgspec.structs.fields(kind)
    given = {field.name: environ[field.name.upper()] for field in fields if environ.get(field.name.upper())}
    missing = [field.name.upper() for field in fields if field.required and field.name not in given]
    if missing:
        raise InvalidSettingsError(f"Missing from the environment: {', '.join(missing)}")
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidSettingsError(f"In the environment: {_name_the_variable(str(error))}") from error


def _name_the_variable(message: str) -> str:
    # msgspec ends with "- at `$.max_bytes`"; the reader of this line knows the variable as MAX_BYTES.
    what, separator, field = message.partition(" - at `$.")
    return f"{field.rstrip('`').upper()}: {what}" if separator else what
