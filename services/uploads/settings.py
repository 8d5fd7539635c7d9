from __future__ import annotations

from typing import Annotated

import msgspec

from services.settings.environment import BucketName, JwksUrl, PendingStrategy, Seconds, ServiceSettings, WriteMetrics
from services.uploads.decision import Limits

MaxBytes = Annotated[
    int, msgspec.Meta(ge=1, le=5_000_000_000, description="Largest picture, in bytes; S3 takes 5 GB in a form.")
]
MaxWidth = Annotated[int, msgspec.Meta(ge=1, description="Widest picture, in pixels.")]
MaxHeight = Annotated[int, msgspec.Meta(ge=1, description="Highest picture, in pixels.")]
ConfirmSeconds = Annotated[
    Seconds, msgspec.Meta(le=43_200, description="How long an upload may be confirmed, from its presign.")
]
FormSeconds = Annotated[Seconds, msgspec.Meta(le=3600, description="How long a form may be posted, from its presign.")]

PresignsPerMinute = Annotated[
    int, msgspec.Meta(ge=0, description="Presigns of one user that a task lets through a minute; 0 is no limit.")
]


class Settings(ServiceSettings, frozen=True, kw_only=True):
    pending: PendingStrategy = "prefix"
    bucket: BucketName
    jwks_url: JwksUrl
    max_bytes: MaxBytes = 5_000_000
    max_width: MaxWidth = 8192
    max_height: MaxHeight = 8192
    form_seconds: FormSeconds = 300
    confirm_seconds: ConfirmSeconds = 3600
    presigns_per_minute: PresignsPerMinute = 120
    metrics: WriteMetrics = False

    def __post_init__(self) -> None:
        if self.confirm_seconds < self.form_seconds:
            raise ValueError("CONFIRM_SECONDS must not be shorter than FORM_SECONDS")

    @property
    def limits(self) -> Limits:
        return Limits(self.max_bytes, self.max_width, self.max_height, self.form_seconds, self.confirm_seconds)
