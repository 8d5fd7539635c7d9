from __future__ import annotations

from typing import Annotated

import msgspec

from services.settings import application, limits
from services.settings.environment import (
    METRICS_NAMESPACE,
    BucketName,
    MetricsNamespace,
    TaskMetadataEndpoint,
    WriteMetrics,
)
from services.settings.tokens import TokenSettings
from services.uploads.decision import Limits
from services.uploads.picture import limit_kinds


class Settings(TokenSettings, frozen=True, kw_only=True):
    bucket: BucketName
    pending: limits.PendingStrategy = limits.PENDING
    max_bytes: limits.MaxBytes = limits.MAX_BYTES
    max_width: limits.MaxWidth = limits.MAX_WIDTH
    max_height: limits.MaxHeight = limits.MAX_HEIGHT
    form_seconds: limits.FormSeconds = limits.FORM_SECONDS
    confirm_seconds: limits.ConfirmSeconds = limits.CONFIRM_SECONDS
    presigns_per_minute: limits.PresignsPerMinute = limits.PRESIGNS_PER_MINUTE
    confirms_per_minute: limits.ConfirmsPerMinute = limits.CONFIRMS_PER_MINUTE
    picture_url_seconds: limits.PictureUrlSeconds = limits.PICTURE_URL_SECONDS
    new_users: application.NewUsers = application.NEW_USERS
    confirmed_url: application.ConfirmedUrl = None
    confirmed_secret: application.ConfirmedSecret = None
    metrics: WriteMetrics = False
    metrics_namespace: MetricsNamespace = METRICS_NAMESPACE
    server_timing: Annotated[
        bool, msgspec.Meta(description="Whether responses tell how long each call to AWS took; local demo only.")
    ] = False
    ecs_container_metadata_uri_v4: TaskMetadataEndpoint = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.confirm_seconds < self.form_seconds:
            raise ValueError("CONFIRM_SECONDS must not be shorter than FORM_SECONDS")
        application.check_webhook(self.confirmed_url, self.confirmed_secret)

    @property
    def limits(self) -> Limits:
        pictures = limit_kinds(self.max_bytes, self.max_width, self.max_height)
        return Limits(pictures, self.form_seconds, self.confirm_seconds)
