"""Settings of the programs that know the application whose users upload."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import msgspec

from services.settings.urls import SAFE_ORIGIN

NewUsers = Annotated[
    Literal["refuse", "create"],
    msgspec.Meta(
        description="What happens to a user without a row: `refuse` refuses the confirm, `create` creates the row at"
        " the first confirm or removal."
    ),
]
NEW_USERS: NewUsers = "refuse"

ConfirmedUrl = Annotated[
    Annotated[
        str,
        msgspec.Meta(
            pattern=rf"^{SAFE_ORIGIN}(/\S*)?\Z",
            examples=["https://example.com/hooks/pictures"],
        ),
    ]
    | None,
    msgspec.Meta(
        description="URL of the application that learns of each confirmed upload and each removal. It needs"
        " `CONFIRMED_SECRET`."
    ),
]

ConfirmedSecret = Annotated[
    # Without a pattern, since the error would quote the value.
    str | None,
    msgspec.Meta(
        description="Secret with which messages to the application are signed, such as `whsec_…`. While it is changed,"
        " several separated by commas: each signs."
    ),
]

PREFIX = "whsec_"

MIN_SECRET_BYTES, MAX_SECRET_BYTES = 24, 64
"""Size of a secret (Standard Webhooks: "Signature scheme")."""


def check_webhook(url: str | None, secret: str | None) -> None:
    """
    Raises:
        ValueError: only one of them is set, or the secret is invalid. The text contains no part of the secret.
    """
    if bool(url) != bool(secret):
        raise ValueError("CONFIRMED_URL and CONFIRMED_SECRET need each other")
    if secret:
        parse_secrets(secret)


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The secrets in a text such as `whsec_…` or `whsec_…,whsec_…`.

    Raises:
        ValueError: one of them is invalid. The text of the error contains no part of a secret.
    """
    secrets = tuple(map(_parse_secret, text.split(",")))
    if None in secrets:
        raise ValueError(
            f"CONFIRMED_SECRET must be {PREFIX} followed by {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in base64,"
            " or several of these separated by commas"
        )
    return tuple(filter(None, secrets))


def _parse_secret(text: str) -> bytes | None:
    if not text.startswith(PREFIX):
        return None
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except ValueError:
        return None
    return secret if MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES else None
