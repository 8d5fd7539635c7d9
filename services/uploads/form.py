"""The form that a browser posts a file to S3 with: what it allows, and the signature of that.

AWS: "Authenticating Requests in Browser-Based Uploads Using POST (AWS Signature Version 4)". It is, to the byte, what
botocore's `generate_presigned_post` makes, at a fraction of its cost: docs/decisions/0014-a-signer-of-our-own.md.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING

from botocore.exceptions import NoCredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "s3"


@dataclass(frozen=True, slots=True)
class Form:
    """Where to post, with which fields before the file."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where forms for a bucket are posted to, and the region that they are signed for."""

    bucket: str
    url: str
    region: str


@dataclass(frozen=True, slots=True)
class Signer:
    """`find_credentials`: asked for each form, since a task's are replaced while it runs."""

    destination: Destination
    find_credentials: Callable[[], Credentials | None]

    def make_form(self, now: float, key: str, pinned: Mapping[str, str], size: int, seconds: int) -> Form:
        """A form for this key, these fields and a file of this many bytes, and for nothing else. `now` is in seconds
        since the epoch.

        Raises:
            NoCredentialsError: there is nothing to sign with.
        """
        credentials = self.find_credentials()
        if credentials is None:
            raise NoCredentialsError
        # This refreshes them when their time is nearly over.
        access_key, secret_key, token, *_ = credentials.get_frozen_credentials()
        moment = datetime.fromtimestamp(now, UTC)
        second = _tell_second(moment)
        stamp = second.replace("-", "").replace(":", "")
        day = stamp[:8]
        signing = {
            "x-amz-algorithm": ALGORITHM,
            "x-amz-credential": f"{access_key}/{day}/{self.destination.region}/{SERVICE}/aws4_request",
            "x-amz-date": stamp,
        }
        if token is not None:
            signing["x-amz-security-token"] = token
        # S3 refuses a field that the policy does not name (AWS: "Creating a POST Policy").
        conditions = [
            *_require(pinned),
            f'["content-length-range", {size}, {size}]',
            *_require({"bucket": self.destination.bucket}),
            *_require({"key": key}),
            *_require(signing),
        ]
        expiration = _tell_second(moment + timedelta(seconds=seconds))
        policy = f'{{"expiration": "{expiration}", "conditions": [{", ".join(conditions)}]}}'
        encoded = base64.b64encode(policy.encode())
        signature = hmac.digest(_derive_key(secret_key, day, self.destination.region), encoded, "sha256").hex()
        fields = {**pinned, "key": key, **signing, "policy": encoded.decode(), "x-amz-signature": signature}
        return Form(self.destination.url, fields)


def _tell_second(moment: datetime) -> str:
    """Such as 2026-11-22T10:41:52Z; `strftime` would take twice as long."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _require(fields: Mapping[str, str]) -> list[str]:
    """A condition for each, in the very bytes of `json.dumps`, which takes three times as long."""
    return [f"{{{quote(name)}: {quote(value)}}}" for name, value in fields.items()]


@lru_cache(maxsize=8)
def _derive_key(secret_key: str, day: str, region: str) -> bytes:
    """The same all day for a secret; around midnight and a refresh of the credentials there are a few at a time."""
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
