"""The stack's configuration (`pulumi config set <name> <value>`), checked before any resource is created."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import botocore.session
import msgspec
from msgspec import inspect

from infra.documents.zones import MIN_ZONES, VPC_LINK_REGIONS
from services.settings import application, limits, tokens
from services.settings.access import (
    AllowedAddresses,
    AllowedOrigins,
    Network,
    parse_networks,
)
from services.settings.conversion import convert_settings, find_nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Architecture = Literal["ARM64", "X86_64"]
Kind = TypeVar("Kind", bound=msgspec.Struct)

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


ZoneId = Annotated[str, msgspec.Meta(pattern=r"^[a-z]+[0-9]-az[0-9]+$", examples=["euc1-az1"])]

TAG_KEY = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}", re.IGNORECASE)
TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")


PUBLIC_ORIGIN = r"https://[^\s?#@/:]+"
"""HTTPS on its own port, which is the only one that tasks may connect to (`infra/components/network.py`)."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    region: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$",
            examples=["eu-central-1", "us-east-1"],
            description="AWS region. It cannot be changed later.",
        ),
    ] = "eu-central-1"
    zones: Annotated[
        tuple[ZoneId, ...],
        msgspec.Meta(
            examples=[["euc1-az1", "euc1-az2"]],
            description="Ids of at least two Availability Zones. Default: the first two that VPC links and Fargate "
            "support.",
        ),
    ] = msgspec.field(default_factory=tuple)
    domain: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$",
                examples=["pictures.example.com"],
                description="Domain name of the page. It needs `hostedZone` or `certificate`. Default: a name of AWS.",
            ),
        ]
        | None
    ) = None
    hosted_zone: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^Z[A-Z0-9]{1,31}$",
                examples=["Z0123456789ABCDEFGHIJ"],
                description="Id of the Route 53 hosted zone in which the records of `domain` are created.",
            ),
        ]
        | None
    ) = None
    certificate: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[a-f0-9-]+$",
                examples=["arn:aws:acm:eu-central-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"],
                description="ARN of the ACM certificate of `domain`, in the stack's region. Default: one is created "
                "and validated in the hosted zone.",
            ),
        ]
        | None
    ) = None
    tags: Annotated[
        dict[str, str],
        msgspec.Meta(
            # AWS allows 50 tags on a resource.
            max_length=40,
            examples=[{"team": "pictures"}],
            description="Tags of all resources, besides `Project`.",
        ),
    ] = msgspec.field(default_factory=dict)
    architecture: Annotated[
        Architecture,
        msgspec.Meta(description="CPU architecture of images and tasks. `ARM64` costs 20 % less."),
    ] = "X86_64"
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
    max_deleted_share: limits.MaxDeletedShare = limits.MAX_DELETED_SHARE
    hourly_sweep: Annotated[
        bool,
        msgspec.Meta(description="Whether the sweep runs every hour. Set it to `false` while you restore the table."),
    ] = True
    token_seconds: limits.TokenSeconds = limits.TOKEN_SECONDS
    issuer: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=rf"^{PUBLIC_ORIGIN}(/[^\s?#@]*)?\Z",
                examples=["https://example.eu.auth0.com/"],
                description="OpenID Connect issuer whose access tokens are accepted, exactly as in their claim `iss`. "
                "The auth service is not deployed then. Default: the auth service issues the tokens.",
            ),
        ]
        | None
    ) = None
    audience: tokens.TokenAudience | None = None
    jwks_url: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=rf"^{PUBLIC_ORIGIN}{tokens.KEY_SET_PATH}\Z",
                examples=["https://example.com/.well-known/jwks.json"],
                description="URL of the issuer's key set (JWKS). Default: the one in the issuer's discovery document.",
            ),
        ]
        | None
    ) = None
    algorithms: tokens.Algorithms = tokens.ALGORITHMS
    username_claim: tokens.UsernameClaim = tokens.USERNAME_CLAIM
    demo: Annotated[
        bool,
        msgspec.Meta(
            description="Whether the demo's page and its login are deployed. Anybody can then log in as any user and "
            "see the bucket's list, unless `allowedAddresses` is set."
        ),
    ] = True
    allowed_origins: AllowedOrigins | None = None
    allowed_addresses: AllowedAddresses | None = None
    log_days: Annotated[
        Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365],
        msgspec.Meta(description="Retention of the logs, days."),
    ] = 30
    bucket: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3)$)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
                examples=["my-pictures"],
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
            examples=["signing", "next,signing"],
            description="Names of the keys for access tokens, separated by commas. The first signs; the others are"
            " published only.",
        ),
    ] = "signing"
    alarm_topic: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$",
                examples=["arn:aws:sns:eu-central-1:123456789012:alarms"],
                description="ARN of the SNS topic that alarms notify, in the stack's region. Default: none.",
            ),
        ]
        | None
    ) = None

    new_users: application.NewUsers = application.NEW_USERS
    confirmed_url: (
        Annotated[
            str,
            msgspec.Meta(
                # The tasks' security group allows connections to port 443 only.
                pattern=r"^https://[A-Za-z0-9.-]+(:443)?(/[^\s#]*)?\Z",
                examples=["https://example.com/hooks/pictures"],
                description="URL of your application, which learns of each confirmed upload and each removal. It must"
                " be reachable from the internet, on port 443. It needs `confirmedSecretArn`.",
            ),
        ]
        | None
    ) = None
    confirmed_secret_arn: (
        Annotated[
            str,
            msgspec.Meta(
                pattern=r"^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$",
                examples=["arn:aws:secretsmanager:eu-central-1:123456789012:secret:pictures-webhook-AbCdEf"],
                description="ARN of the secret in Secrets Manager with which messages to `confirmedUrl` are signed:"
                " `whsec_…`. While you change it, several separated by commas.",
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
        if self.zones and len(set(self.zones)) < MIN_ZONES:
            raise ValueError(f"zones must name at least {MIN_ZONES} different Availability Zones")
        if len(set(self.key_names)) < len(self.key_names):
            raise ValueError("signingKeys must not contain a name twice")
        self.parse_networks()
        self._check_tags()
        self._check_region()
        self._check_domain()
        self._check_alarm_topic()
        tokens.check_issuer(self, lambda name: SPELLING[name])
        if self.jwks_url and not self.issuer:
            raise ValueError("jwksUrl needs issuer")
        if not self.demo and not self.issuer:
            raise ValueError("demo must not be false without issuer, because nothing would issue access tokens")
        if bool(self.confirmed_url) != bool(self.confirmed_secret_arn):
            raise ValueError("confirmedUrl and confirmedSecretArn need each other")

    def _check_tags(self) -> None:
        """IAM does not distinguish keys by case (AWS: "Tags for IAM resources")."""
        taken = {"project": "Project, which the program sets"}
        for key, value in self.tags.items():
            if not TAG_KEY.fullmatch(key):
                raise ValueError(
                    f"tags must not contain the key {key!r}, because a key has 1 to 128 letters, digits, spaces and"
                    " _.:/=+-@, and does not begin with aws:"
                )
            if not TAG_VALUE.fullmatch(value):
                raise ValueError(
                    f"tags must not contain {value!r} for {key}, because a value has at most 256 letters, digits,"
                    " spaces and _.:/=+-@"
                )
            if key.lower() in taken:
                raise ValueError(f"tags must not contain {key}, because IAM takes it for {taken[key.lower()]}")
            taken[key.lower()] = key

    def _check_region(self) -> None:
        regions = read_regions()
        if self.region not in regions:
            nearest = find_nearest(self.region, regions)
            raise ValueError(
                f"region must be a region of AWS{f' such as {nearest}' if nearest else ''}, not {self.region}"
            )
        # An operator who names zones knows better than this list, which may be out of date.
        if self.region not in VPC_LINK_REGIONS and not self.zones:
            raise ValueError(
                f"region must be another one, since {self.region} has no VPC links as far as this program knows: if AWS"
                " has added them, set zones to the ids of two Availability Zones that have them"
            )

    def _check_alarm_topic(self) -> None:
        """An alarm can notify topics of its own region only."""
        if self.alarm_topic and self.alarm_topic.split(":")[3] != self.region:
            raise ValueError(f"alarmTopic must be in the stack's region, which is {self.region}")

    def _check_domain(self) -> None:
        if self.domain is None and (self.certificate or self.hosted_zone):
            raise ValueError("certificate and hostedZone need domain")
        if self.domain and not (self.certificate or self.hosted_zone):
            raise ValueError("domain needs hostedZone or certificate")
        if self.certificate and self.certificate.split(":")[3] != self.region:
            raise ValueError(f"certificate must be in the stack's region, which is {self.region}")

    def parse_networks(self) -> tuple[Network, ...]:
        """
        Raises:
            ValueError: an allowed address is no network.
        """
        return parse_networks(self.allowed_addresses, "allowedAddresses")

    @property
    def services(self) -> tuple[str, ...]:
        """The services that are deployed."""
        if not self.demo:
            return ("uploads",)
        return ("uploads", "frontend") if self.issuer else ("auth", "uploads", "frontend")

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of the signing keys. The first signs."""
        return tuple(self.signing_keys.split(","))


@functools.cache
def read_regions() -> frozenset[str]:
    """The regions of all partitions of AWS, as the installed botocore knows them."""
    session = botocore.session.get_session()
    partitions = session.get_available_partitions()
    return frozenset(region for partition in partitions for region in session.get_available_regions("ecs", partition))


RENAMED = {"tasks": "minTasks", "mostTasks": "maxTasks", "mostDeletions": "maxDeletions"}
"""Former names, which are refused with the new ones."""

SPELLING = {field.name: field.encode_name for field in msgspec.structs.fields(Settings)}
"""The operator's name of each field."""

NAMES = tuple(SPELLING.values())


AccountIds = tuple[Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}$", examples=["123456789012"])], ...]

ROLE_KEYS = (
    "duration",
    "externalId",
    "policy",
    "policyArns",
    "roleArn",
    "sessionName",
    "sourceIdentity",
    "tags",
    "transitiveTagKeys",
)
"""What the AWS provider takes for a role. It ignores other keys."""


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Pulumi's own settings for AWS (`pulumi config set aws:profile …`) that this program passes on."""

    profile: str | None = None
    assume_roles: Annotated[
        tuple[dict[str, Any], ...],
        msgspec.Meta(examples=[[{"roleArn": "arn:aws:iam::123456789012:role/deployer"}]]),
    ] = ()
    allowed_account_ids: Annotated[AccountIds, msgspec.Meta(examples=[["123456789012"]])] = ()
    forbidden_account_ids: Annotated[AccountIds, msgspec.Meta(examples=[["123456789012"]])] = ()

    def __post_init__(self) -> None:
        for key in (key for role in self.assume_roles for key in role if key not in ROLE_KEYS):
            nearest = find_nearest(key, ROLE_KEYS)
            raise ValueError(
                f"aws:assumeRoles must not contain {key}; "
                + (f"the nearest name is {nearest}" if nearest else f"there are {', '.join(ROLE_KEYS)}")
            )


def read_settings(given: Mapping[str, str]) -> Settings:
    """`given`: values by name, as in `pulumi config`.

    Raises:
        InvalidConfigurationError: a name is unknown or a value is invalid.
    """
    if renamed := [f"{old} is now called {new}" for old, new in RENAMED.items() if old in given]:
        raise InvalidConfigurationError(f"{', '.join(renamed)}.")
    return _read(Settings, given)


def read_provider_settings(given: Mapping[str, str]) -> ProviderSettings:
    """`given`: values by name, without the prefix `aws:`.

    Raises:
        InvalidConfigurationError: a name is unknown or a value is invalid.
    """
    if "region" in given:
        raise InvalidConfigurationError("The region is the setting region, and aws:region is not used.")
    return _read(ProviderSettings, given, prefix="aws:")


def _read(kind: type[Kind], given: Mapping[str, str], prefix: str = "") -> Kind:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    if unknown := [_explain_unknown(name, prefix, fields) for name in sorted(given.keys() - fields.keys())]:
        raise InvalidConfigurationError(f"There is no setting {', '.join(unknown)}.")
    values = {fields[name].name: _parse(fields[name], text) for name, text in given.items()}
    spelling = {field.name: f"{prefix}{name}" for name, field in fields.items()}
    try:
        return convert_settings(kind, values, spelling.__getitem__)
    except ValueError as error:
        raise InvalidConfigurationError(f"{error}.") from error


def _explain_unknown(name: str, prefix: str, names: Iterable[str]) -> str:
    nearest = find_nearest(name, names)
    return f"{prefix}{name}; " + (
        f"the nearest name is {prefix}{nearest}" if nearest else f"there are {', '.join(names)}"
    )


def _parse(field: msgspec.structs.FieldInfo, text: str) -> Any:
    """Pulumi passes a list or a map as JSON."""
    kind = inspect.type_info(field.type)
    if not isinstance(
        kind.type if isinstance(kind, inspect.Metadata) else kind, inspect.VarTupleType | inspect.DictType
    ):
        return text
    try:
        return _spell_values(json.loads(text, parse_int=str, parse_float=str))
    except json.JSONDecodeError:
        return text


def _spell_values(value: Any) -> Any:
    """The value with texts in place of booleans: `pulumi config set --path` makes numbers and booleans of texts that
    look like them.
    """
    match value:
        case bool():
            return str(value).lower()
        case list():
            return [_spell_values(each) for each in cast("list[Any]", value)]
        case dict():
            return {key: _spell_values(each) for key, each in cast("dict[str, Any]", value).items()}
        case _:
            return value
