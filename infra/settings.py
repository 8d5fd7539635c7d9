"""What a stack can be configured with: `pulumi config set <name> <value>`. Checked before anything is made."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from services.auth.settings import LoginsPerMinute
from services.settings.environment import PendingStrategy, Seconds
from services.uploads.settings import ConfirmSeconds, FormSeconds, MaxBytes, MaxHeight, MaxWidth, PresignsPerMinute
from services.uploads.sweep.settings import MarginSeconds, MostDeletions

if TYPE_CHECKING:
    from collections.abc import Mapping

Architecture = Literal["ARM64", "X86_64"]

MEMORY_BY_CPU = {
    256: (512, 1024, 2048),
    512: (1024, 2048, 3072, 4096),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
}
"""MiB that Fargate gives to so many CPU units (AWS: "Fargate task definition considerations")."""


class InvalidConfigurationError(Exception):
    """One sentence for the operator, with the name of what is wrong."""


def find_own_architecture(machine: str) -> Architecture:
    return "ARM64" if machine.lower() in {"arm64", "aarch64"} else "X86_64"


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    region: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="AWS region.")] = (
        "eu-central-1"
    )
    architecture: Annotated[
        Architecture, msgspec.Meta(description="Of images and tasks. Default: that of the machine that builds.")
    ] = msgspec.field(default_factory=lambda: find_own_architecture(platform.machine()))
    cpu: Annotated[int, msgspec.Meta(description="CPU units of a task; 1024 are one core.")] = 256
    memory: Annotated[int, msgspec.Meta(description="MiB of a task.")] = 512
    tasks: Annotated[int, msgspec.Meta(ge=1, le=100, description="Fewest tasks of each service.")] = 2
    most_tasks: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Most tasks of each service.")] = 10
    requests_per_second: Annotated[
        int, msgspec.Meta(ge=1, le=10_000, description="That the API lets through; more are answered 429.")
    ] = 500
    presigns_per_minute: PresignsPerMinute = 120
    logins_per_minute: LoginsPerMinute = 60
    pending: PendingStrategy = "prefix"
    max_bytes: MaxBytes = 5_000_000
    max_width: MaxWidth = 8192
    max_height: MaxHeight = 8192
    form_seconds: FormSeconds = 300
    confirm_seconds: ConfirmSeconds = 3600
    margin_seconds: MarginSeconds = 3600
    most_deletions: MostDeletions = 10_000
    token_seconds: Annotated[Seconds, msgspec.Meta(le=86_400, description="How long a login lasts.")] = 3600
    log_days: Annotated[
        Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365],
        msgspec.Meta(description="How long logs are kept; CloudWatch knows these."),
    ] = 30
    bucket: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3)$)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
                description="Name of the bucket. Default: one that Pulumi makes up.",
            ),
        ]
        | None
    ) = None
    alarm_topic: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$",
                description="SNS topic that hears of alarms. Default: nobody does.",
            ),
        ]
        | None
    ) = None

    def __post_init__(self) -> None:
        if self.cpu not in MEMORY_BY_CPU:
            raise ValueError(f"cpu must be one of {', '.join(map(str, MEMORY_BY_CPU))}, not {self.cpu}")
        if self.memory not in MEMORY_BY_CPU[self.cpu]:
            allowed = ", ".join(map(str, MEMORY_BY_CPU[self.cpu]))
            raise ValueError(f"memory must be one of {allowed} with cpu {self.cpu}, not {self.memory}")
        if self.most_tasks < self.tasks:
            raise ValueError(f"mostTasks must not be less than tasks, which is {self.tasks}")
        if self.confirm_seconds < self.form_seconds:
            raise ValueError("confirmSeconds must not be shorter than formSeconds")


NAMES = tuple(field.encode_name for field in msgspec.structs.fields(Settings))


def read_settings(given: Mapping[str, str]) -> Settings:
    """`given`: by name, as `pulumi config` has them.

    Raises:
        InvalidConfigurationError: a name or a value is not one that there is.
    """
    if unknown := sorted(given.keys() - set(NAMES)):
        raise InvalidConfigurationError(f"There is no setting {', '.join(unknown)}. There are: {', '.join(NAMES)}.")
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        what, found, name = str(error).partition(" - at `$.")
        raise InvalidConfigurationError(f"{name.rstrip('`')}: {what}." if found else f"{what}.") from error
