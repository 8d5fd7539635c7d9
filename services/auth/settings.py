from __future__ import annotations

from typing import Annotated

import msgspec

from services.settings.environment import Seconds, ServiceSettings, WriteMetrics

LoginsPerMinute = Annotated[
    int, msgspec.Meta(ge=0, description="Logins from one address that a task lets through a minute; 0 is no limit.")
]


class Settings(ServiceSettings, frozen=True, kw_only=True):
    signing_keys: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            description="KMS keys, separated by commas: the first signs, the others are still published.",
        ),
    ]
    token_seconds: Annotated[Seconds, msgspec.Meta(description="How long a login lasts.")] = 3600
    logins_per_minute: LoginsPerMinute = 60
    metrics: WriteMetrics = False
