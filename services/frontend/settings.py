from __future__ import annotations

from typing import Annotated

import msgspec

from services.settings import limits
from services.settings.environment import BucketName
from services.settings.tokens import TokenSettings


class Settings(TokenSettings, frozen=True, kw_only=True):
    bucket: BucketName
    pending: limits.PendingStrategy = limits.PENDING
    max_bytes: limits.MaxBytes = limits.MAX_BYTES
    max_width: limits.MaxWidth = limits.MAX_WIDTH
    max_height: limits.MaxHeight = limits.MAX_HEIGHT
    local_demo: Annotated[
        bool,
        msgspec.Meta(
            description="Whether the page has the controls of the local demo: clock, sweep, strategies, faults."
        ),
    ] = False
    picture_url_seconds: limits.PictureUrlSeconds = limits.PICTURE_URL_SECONDS
