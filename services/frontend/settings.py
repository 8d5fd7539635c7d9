from __future__ import annotations

from typing import Annotated

import msgspec

from services.settings.environment import BucketName, JwksUrl, PendingStrategy, Seconds, ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    bucket: BucketName
    jwks_url: JwksUrl
    pending: PendingStrategy = "prefix"
    lifecycle_clock: Annotated[
        bool,
        msgspec.Meta(
            description="Whether the page offers to let days pass and to sweep at once; only the local demo can."
        ),
    ] = False
    picture_url_seconds: Annotated[
        Seconds,
        msgspec.Meta(
            le=3600, description="How long a picture's URL stays the same; it works for at least as long again."
        ),
    ] = 600
