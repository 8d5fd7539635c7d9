"""Makes presigned POST forms: the form fields, the policy and its signature.

AWS: "Authenticating Requests in Browser-Based Uploads Using POST (AWS Signature Version 4)". A form is identical to
that of botocore's `generate_presigned_post`, and takes a fraction of the CPU:
docs/decisions/0014-a-signer-of-our-own.md.
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
    """The URL that a browser posts to, and the fields before the file."""

    url: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class Destination:
    """The URL that forms for a bucket are posted to, and the region that they are signed for."""

    bucket: str
    url: str
    region: str


@dataclass(frozen=True, slots=True)
class Signer:
    """`find_credentials` is called for each form, since the credentials of a task change while it runs."""

    destination: Destination
    find_credentials: Callable[[], Credentials | None]

    def make_form(self, now: float, key: str, pinned: Mapping[str, str], size: int, seconds: int) -> Form:
        """Make a form that allows exactly this key, these fields and a file of this size in bytes. `now` is in seconds
        since the epoch.

        Raises:
            NoCredentialsError: there are no AWS credentials.
        """
        credentials = self.find_credentials()
        if credentials is None:
            raise NoCredentialsError
        # This refreshes credentials that expire soon.
        access_key, secret_key, token, *_ = credentials.get_frozen_credentials()
        time = datetime.fromtimestamp(now, UTC)
        timestamp = _format_time(time).replace("-", "").replace(":", "")
        date = timestamp[:8]
        signing = {
            "x-amz-algorithm": ALGORITHM,
            "x-amz-credential": f"{access_key}/{date}/{self.destination.region}/{SERVICE}/aws4_request",
            "x-amz-date": timestamp,
        }
        if token is not None:
            signing["x-amz-security-token"] = token
        # S3 refuses a field that the policy does not name (AWS: "Creating a POST Policy").
        conditions = [
            *_make_conditions(pinned),
            f'["content-length-range", {size}, {size}]',
            *_make_conditions({"bucket": self.destination.bucket}),
            *_make_conditions({"key": key}),
            *_make_conditions(signing),
        ]
        expiration = _format_time(time + timedelta(seconds=seconds))
        policy = f'{{"expiration": "{expiration}", "conditions": [{", ".join(conditions)}]}}'
        encoded = base64.b64encode(policy.encode())
        signature = hmac.digest(_derive_key(secret_key, date, self.destination.region), encoded, "sha256").hex()
        fields = {**pinned, "key": key, **signing, "policy": encoded.decode(), "x-amz-signature": signature}
        return Form(self.destination.url, fields)


def _format_time(time: datetime) -> str:
    """ISO 8601 in UTC, such as 2026-11-22T10:41:52Z. `strftime` takes twice as long."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _make_conditions(fields: Mapping[str, str]) -> list[str]:
    """An exact-match condition for each field, formatted as `json.dumps` does, which takes three times as long."""
    return [f"{{{quote(name)}: {quote(value)}}}" for name, value in fields.items()]


@lru_cache(maxsize=8)
def _derive_key(secret_key: str, date: str, region: str) -> bytes:
    """The signing key. It changes once a day and with the credentials, so a few are cached."""
    key = f"AWS4{secret_key}".encode()
    for part in (date, region, SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
