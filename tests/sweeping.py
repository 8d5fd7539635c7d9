from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from services.environment import read_settings
from services.uploads.bucket import Bucket
from services.uploads.sweep.settings import Settings
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import Users

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from services.uploads.sweep.report import Report

LATER_SECONDS = 3 * 3600
"""When whatever is under way now is long over, and no lifecycle rule has come to it yet."""


def sweep(stack: Stack, *, later: float = LATER_SECONDS, dry_run: bool = False) -> Report:
    """The whole bucket, with the sweep's own permissions, as if it were so many seconds later."""
    resources = stack.resources
    credentials = resources.credentials["sweep"]
    aws = replace(
        stack.aws,
        access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
    )
    settings = read_settings(Settings, {"BUCKET": resources.bucket, "TABLE": resources.table})
    with ThreadPoolExecutor(16) as executor:
        sweeper = Sweeper(
            Bucket(aws.s3, resources.bucket),
            Users(aws.dynamodb, resources.table),
            settings.limits,
            settings.confirm_seconds + settings.margin_seconds,
            settings.most_deletions,
            lambda: time.time() + later,
            executor,
        )
        return sweeper.sweep(dry_run=dry_run)
