"""The stack's configuration (`pulumi config set <name> <value>`), checked before any resource is created."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from services.settings import limits

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
"""Memory sizes in MiB that Fargate supports, by CPU units (AWS: "Fargate task definition considerations")."""


class InvalidConfigurationError(Exception):
    """The text is one sentence for the operator and names the setting."""


def detect_architecture(machine: str) -> Architecture:
    return "ARM64" if machine.lower() in {"arm64", "aarch64"} else "X86_64"


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    region: Annotated[
        str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="AWS region. It cannot be changed later.")
    ] = "eu-central-1"
    architecture: Annotated[
        Architecture,
        msgspec.Meta(
            description="CPU architecture of images and tasks. Default: that of the machine that runs Pulumi."
        ),
    ] = msgspec.field(default_factory=lambda: detect_architecture(platform.machine()))
    cpu: Annotated[int, msgspec.Meta(description="CPU units of a task; 1024 are one vCPU.")] = 256
    memory: Annotated[int, msgspec.Meta(description="Memory of a task, MiB.")] = 512
    min_tasks: Annotated[int, msgspec.Meta(ge=1, le=100, description="Minimum number of tasks of each service.")] = 2
    max_tasks: Annotated[int, msgspec.Meta(ge=1, le=1000, description="Maximum number of tasks of each service.")] = 10
    requests_per_second: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=10_000,
            description="Throttle of the API, in requests per second. Further requests get the status code 429.",
        ),
    ] = 500
    presigns_per_minute: limits.PresignsPerMinute = limits.PRESIGNS_PER_MINUTE
    confirms_per_minute: limits.ConfirmsPerMinute = limits.CONFIRMS_PER_MINUTE
    logins_per_minute: limits.LoginsPerMinute = limits.LOGINS_PER_MINUTE
    pending: limits.PendingStrategy = limits.PENDING
    max_bytes: limits.MaxBytes = limits.MAX_BYTES
    max_width: limits.MaxWidth = limits.MAX_WIDTH
    max_height: limits.MaxHeight = limits.MAX_HEIGHT
    form_seconds: limits.FormSeconds = limits.FORM_SECONDS
    confirm_seconds: limits.ConfirmSeconds = limits.CONFIRM_SECONDS
    margin_seconds: limits.MarginSeconds = limits.MARGIN_SECONDS
    max_deletions: limits.MaxDeletions = limits.MAX_DELETIONS
    token_seconds: limits.TokenSeconds = limits.TOKEN_SECONDS
    log_days: Annotated[
        Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365],
        msgspec.Meta(description="Retention of the logs, days."),
    ] = 30
    bucket: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3)$)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
                description="Name of the bucket. It cannot be changed later. Default: Pulumi generates one.",
            ),
        ]
        | None
    ) = None
    keep_data: Annotated[
        bool,
        msgspec.Meta(
            description="Whether bucket and table are protected from deletion, and stay when the stack is destroyed."
        ),
    ] = False
    recovery_days: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=35,
            description="How long a replaced or deleted picture, and each former state of the table, can be restored,"
            " days.",
        ),
    ] = 7
    signing_keys: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[a-z0-9-]+(,[a-z0-9-]+)*$",
            description="Names of the keys for access tokens, separated by commas. The first signs; the others are"
            " published only.",
        ),
    ] = "signing"
    alarm_topic: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$",
                description="ARN of the SNS topic that alarms notify. Default: none.",
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
        if self.max_tasks < self.min_tasks:
            raise ValueError(f"maxTasks must not be less than minTasks, which is {self.min_tasks}")
        if self.confirm_seconds < self.form_seconds:
            raise ValueError("confirmSeconds must not be shorter than formSeconds")
        if len(set(self.key_names)) < len(self.key_names):
            raise ValueError("signingKeys must not contain a name twice")

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of the signing keys. The first signs."""
        return tuple(self.signing_keys.split(","))


RENAMED = {"tasks": "minTasks", "mostTasks": "maxTasks", "mostDeletions": "maxDeletions"}
"""Former names, which are refused with the new ones."""

NAMES = tuple(field.encode_name for field in msgspec.structs.fields(Settings))


def read_settings(given: Mapping[str, str]) -> Settings:
    """`given`: values by name, as in `pulumi config`.

    Raises:
        InvalidConfigurationError: a name is unknown or a value is invalid.
    """
    if renamed := [f"{old} is now called {new}" for old, new in RENAMED.items() if old in given]:
        raise InvalidConfigurationError(f"{', '.join(renamed)}.")
    if unknown := sorted(given.keys() - set(NAMES)):
        raise InvalidConfigurationError(f"There is no setting {', '.join(unknown)}. There are: {', '.join(NAMES)}.")
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        what, found, name = str(error).partition(" - at `$.")
        raise InvalidConfigurationError(f"{name.rstrip('`')}: {what}." if found else f"{what}.") from error
