"""The sweep of the running system, with its own permissions and a clock that is ahead."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from services.settings.environment import read_settings
from services.uploads.bucket import Bucket
from services.uploads.sweep.settings import Settings
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import Users
from tests import web

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from infra.local.stack import Stack
    from services.uploads.sweep.report import Report

LATER_SECONDS = 5 * 3600
"""Long after the confirm window of current uploads, and before any lifecycle rule applies to them."""


def read_clock(stack: Stack) -> Callable[[], float]:
    """The clock of S3, which tests of the page may have moved by days."""
    shown = web.get(stack.aws.endpoint + LIFECYCLE_PATH)
    if not shown.is_success:  # only the embedded emulator has a clock that can be moved
        return time.time
    ahead = datetime.fromisoformat(shown.json()["now"]).timestamp() - time.time()
    return lambda: time.time() + ahead


@contextlib.contextmanager
def open_sweeper(stack: Stack, later: float = LATER_SECONDS) -> Generator[Sweeper, None, None]:
    """A sweeper whose clock is `later` seconds ahead."""
    aws, clock = stack.aws.sign_in(stack.resources.credentials["sweep"]), read_clock(stack)
    settings = read_settings(Settings, {"BUCKET": stack.resources.bucket, "TABLE": stack.resources.table})
    with ThreadPoolExecutor(16) as executor:
        yield Sweeper(
            Bucket(aws.s3, settings.bucket),
            Users(aws.dynamodb, settings.table),
            settings.limits,
            settings.confirm_seconds + settings.margin_seconds,
            settings.max_deletions,
            lambda: clock() + later,
            executor,
        )


def sweep(stack: Stack) -> Report:
    with open_sweeper(stack) as sweeper:
        return sweeper.sweep()
