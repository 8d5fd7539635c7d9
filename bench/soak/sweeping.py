"""The sweep over the running system, with the sweep's own permissions and at a later time."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

import httpx2

from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from services.settings.environment import read_settings
from services.uploads.bucket import Bucket
from services.uploads.notifier import Notifier
from services.uploads.sweep.settings import Settings
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import Users

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from infra.local.stack import Stack
    from services.uploads.notifier import Messenger
    from services.uploads.sweep.report import Report

LATER_SECONDS = 5 * 3600
"""Long enough for every current upload to be over, and too short for a lifecycle rule to delete one."""

TIMEOUT_SECONDS = 300


def read_clock(stack: Stack) -> Callable[[], float]:
    """The emulator's clock, which a test may have moved forward by days."""
    shown = httpx2.get(stack.aws.endpoint + LIFECYCLE_PATH, timeout=TIMEOUT_SECONDS)
    if not shown.is_success:  # only the embedded emulator has a movable clock
        return time.time
    ahead = datetime.fromisoformat(shown.json()["now"]).timestamp() - time.time()
    return lambda: time.time() + ahead


@contextlib.contextmanager
def open_sweeper(
    stack: Stack, later: float = LATER_SECONDS, messenger: Messenger | None = None
) -> Generator[Sweeper, None, None]:
    """Open a sweeper whose clock is `later` seconds ahead, and which tells the application by this messenger."""
    aws, clock = stack.aws.with_credentials(stack.resources.credentials["sweep"]), read_clock(stack)
    settings = read_settings(Settings, {"BUCKET": stack.resources.bucket, "TABLE": stack.resources.table})
    bucket, users = Bucket(aws.s3, settings.bucket), Users(aws.dynamodb, settings.table)
    with ThreadPoolExecutor(16) as executor:
        yield Sweeper(
            bucket,
            users,
            settings.limits,
            settings.confirm_seconds + settings.margin_seconds,
            settings.max_deletions,
            1.0,  # The faults of a load leave more orphans than a deployment has.
            lambda: clock() + later,
            executor,
            full=True,
            notifier=Notifier(messenger, users, bucket, settings.limits) if messenger else None,
        )


def sweep(stack: Stack, messenger: Messenger | None = None) -> Report:
    with open_sweeper(stack, messenger=messenger) as sweeper:
        return sweeper.sweep()
