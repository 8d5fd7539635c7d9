from __future__ import annotations

from typing import Annotated

import msgspec

from services.settings import limits
from services.settings.environment import METRICS_NAMESPACE, MetricsNamespace, ServiceSettings, WriteMetrics

JWKS_PATH = "/auth/.well-known/jwks.json"


class Settings(ServiceSettings, frozen=True, kw_only=True):
    signing_keys: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            description="KMS keys, separated by commas. The first signs; the others are published only.",
        ),
    ]
    token_seconds: limits.TokenSeconds = limits.TOKEN_SECONDS
    logins_per_minute: limits.LoginsPerMinute = limits.LOGINS_PER_MINUTE
    metrics: WriteMetrics = False
    metrics_namespace: MetricsNamespace = METRICS_NAMESPACE
