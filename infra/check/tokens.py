"""Access tokens that the operator gives, of any issuer."""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import jwt

from infra.check.deployment import OK, Session, describe
from infra.check.picture import make_picture
from infra.check.visit import CannotCheckError
from services.store.keys import USERNAME_FIELD

if TYPE_CHECKING:
    from infra.check.deployment import Deployment

NEEDED_SECONDS = 120
"""How long a token must still be valid, so that the former picture can be put back at the end."""


@dataclass(frozen=True, slots=True)
class Token:
    text: str = field(repr=False)
    expires: float
    """Seconds since the epoch."""


def read_token(file: str) -> Token:
    """Read a file, which may also be a pipe. No error contains the token."""
    try:
        text = Path(file).read_text(errors="replace").strip()
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{file} can't be read: {error.strerror}") from error
    try:
        return Token(text, float(jwt.decode(text, options={"verify_signature": False})["exp"]))
    except (jwt.InvalidTokenError, ValueError, TypeError, LookupError) as error:
        raise argparse.ArgumentTypeError(f"{file} does not contain an access token, which is a JWT") from error


def use_token(deployment: Deployment, token: Token, *, wait: bool) -> Session:
    """The user whom the service finds in the access token: a form for an upload has the username in its metadata. The
    name in the token can be another one (`services.store.keys.make_username`).

    Raises:
        CannotCheckError: the service refuses the token, it expires before the end of the check, or its user has no row.
    """
    session = Session(deployment, "", token.text)
    response = session.presign(make_picture())
    if response.status_code != OK:
        detail = re.search(r'"detail":"([^"]*)"', response.text)
        reason = f": {detail[1]}" if detail else "."
        raise CannotCheckError(f"A presign with the access token responded {describe(response)}{reason}")
    form = response.json()
    username = form["fields"][f"x-amz-meta-{USERNAME_FIELD}"]
    left, needed = token.expires - time.time(), NEEDED_SECONDS + (form["expires"] if wait else 0)
    if left < needed:
        raise CannotCheckError(
            f"The access token of {username} expires in {left:.0f} s. The check needs one that is valid for {needed} s."
        )
    if "unknown-user" in describe(session.confirm(form)):
        raise CannotCheckError(
            f"{username} has no row, so no upload of this user can be confirmed. Take another user, or set newUsers."
        )
    return replace(session, username=username)
