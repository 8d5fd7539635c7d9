from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from services.environment import Seconds, ServiceSettings


class Settings(ServiceSettings, frozen=True, kw_only=True):
    bucket: Annotated[str, msgspec.Meta(min_length=3, description="S3 bucket of the pictures.")]
    jwks_url: Annotated[str, msgspec.Meta(pattern=r"^https?://", description="Where the auth service's keys are.")]
    pending: Annotated[
        Literal["prefix", "tag"], msgspec.Meta(description="How a pending object is marked: `prefix` or `tag`.")
    ] = "prefix"
    lifecycle_clock: Annotated[
        bool, msgspec.Meta(description="Whether the page offers to let days pass; only the local demo's bucket can.")
    ] = False
    picture_url_seconds: Annotated[
        Seconds,
        msgspec.Meta(
            le=3600, description="How long a picture's URL stays the same; it works for at least as long again."
        ),
    ] = 600
