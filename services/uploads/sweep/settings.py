from __future__ import annotations

from typing import Annotated

import msgspec

from services.settings.environment import BucketName, TableName, WriteMetrics
from services.uploads.picture import PictureLimits
from services.uploads.settings import ConfirmSeconds, MaxBytes, MaxHeight, MaxWidth

# AWS takes a signed request for fifteen minutes and so lets no clock be further off than that: one quarter of an hour
# for a request on its way, one for the clock of the service, one for the clock of the sweep.
MarginSeconds = Annotated[
    int,
    msgspec.Meta(ge=2700, le=86_400, description="How long after the confirm window an object is left alone."),
]
MostDeletions = Annotated[
    int, msgspec.Meta(ge=1, description="More orphans than this a sweep leaves to a person, and says so.")
]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the sweep needs to know; the window and the limits have to be those of the service."""

    bucket: BucketName
    table: TableName
    max_bytes: MaxBytes = 5_000_000
    max_width: MaxWidth = 8192
    max_height: MaxHeight = 8192
    confirm_seconds: ConfirmSeconds = 3600
    margin_seconds: MarginSeconds = 3600
    most_deletions: MostDeletions = 10_000
    metrics: WriteMetrics = False

    @property
    def limits(self) -> PictureLimits:
        return PictureLimits(self.max_bytes, self.max_width, self.max_height)
