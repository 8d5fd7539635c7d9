"""What each service is told by its environment, as functions of names: for the tasks in the cloud and on a laptop.

Values may be Pulumi's outputs, which nothing here looks into.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.settings import Settings

Environment = dict[str, Any]

JWKS_PATH = "/auth/.well-known/jwks.json"

METRICS = {"METRICS": "true"}


@dataclass(frozen=True, slots=True)
class Names:
    """Where things are, once they have been made."""

    origin: Any
    table: Any
    bucket: Any
    signing_key: Any
    jwks_url: Any


def auth_environment(names: Names, settings: Settings) -> Environment:
    return {
        "ORIGIN": names.origin,
        "TABLE": names.table,
        "SIGNING_KEYS": names.signing_key,
        "TOKEN_SECONDS": str(settings.token_seconds),
        "LOGINS_PER_MINUTE": str(settings.logins_per_minute),
        **METRICS,
    }


def uploads_environment(names: Names, settings: Settings) -> Environment:
    return (
        _verifying(names, settings)
        | _limits(settings)
        | {
            "FORM_SECONDS": str(settings.form_seconds),
            "CONFIRM_SECONDS": str(settings.confirm_seconds),
            "PRESIGNS_PER_MINUTE": str(settings.presigns_per_minute),
            **METRICS,
        }
    )


def frontend_environment(names: Names, settings: Settings) -> Environment:
    return _verifying(names, settings)


def sweep_environment(names: Names, settings: Settings) -> Environment:
    return _limits(settings) | {
        "TABLE": names.table,
        "BUCKET": names.bucket,
        "CONFIRM_SECONDS": str(settings.confirm_seconds),
        "MARGIN_SECONDS": str(settings.margin_seconds),
        "MOST_DELETIONS": str(settings.most_deletions),
        **METRICS,
    }


ENVIRONMENTS = {
    "auth": auth_environment,
    "uploads": uploads_environment,
    "frontend": frontend_environment,
    "sweep": sweep_environment,
}


def _verifying(names: Names, settings: Settings) -> Environment:
    return {
        "ORIGIN": names.origin,
        "TABLE": names.table,
        "BUCKET": names.bucket,
        "JWKS_URL": names.jwks_url,
        "PENDING": settings.pending,
    }


def _limits(settings: Settings) -> Environment:
    return {
        "MAX_BYTES": str(settings.max_bytes),
        "MAX_WIDTH": str(settings.max_width),
        "MAX_HEIGHT": str(settings.max_height),
    }
