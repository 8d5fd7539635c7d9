from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.settings import application, limits
from services.settings.environment import METRICS_NAMESPACE, BucketName, MetricsNamespace, TableName, WriteMetrics
from services.uploads.picture import limit_kinds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.store.kinds import PictureLimits


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The confirm window and the limits must be those of the uploads service."""

    bucket: BucketName
    table: TableName
    max_bytes: limits.MaxBytes = limits.MAX_BYTES
    max_width: limits.MaxWidth = limits.MAX_WIDTH
    max_height: limits.MaxHeight = limits.MAX_HEIGHT
    confirm_seconds: limits.ConfirmSeconds = limits.CONFIRM_SECONDS
    margin_seconds: limits.MarginSeconds = limits.MARGIN_SECONDS
    max_deletions: limits.MaxDeletions = limits.MAX_DELETIONS
    max_deleted_share: limits.MaxDeletedShare = limits.MAX_DELETED_SHARE
    confirmed_url: application.ConfirmedUrl = None
    confirmed_secret: application.ConfirmedSecret = None
    metrics: WriteMetrics = False
    metrics_namespace: MetricsNamespace = METRICS_NAMESPACE

    def __post_init__(self) -> None:
        application.check_webhook(self.confirmed_url, self.confirmed_secret)

    @property
    def limits(self) -> Mapping[str, PictureLimits]:
        return limit_kinds(self.max_bytes, self.max_width, self.max_height)
