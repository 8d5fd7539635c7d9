from __future__ import annotations

from typing import Annotated

import msgspec

from services.environment import Seconds, ServiceSettings, WriteMetrics


class Settings(ServiceSettings, frozen=True, kw_only=True):
    signing_keys: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            description="KMS keys, separated by commas: the first signs, the others are still published.",
        ),
    ]
    token_seconds: Annotated[Seconds, msgspec.Meta(description="How long a login lasts.")] = 3600
    metrics: WriteMetrics = False
