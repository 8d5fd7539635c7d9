from __future__ import annotations

import argparse
import json
import logging
import os
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from services.settings.environment import InvalidSettingsError, read_settings
from services.store.clients import AWS_ERRORS, CLIENT_CONFIG, S3_CONFIG
from services.store.responses import check_responses
from services.uploads.bucket import Bucket
from services.uploads.notifier import Notifier
from services.uploads.sweep.settings import Settings
from services.uploads.sweep.sweeper import Sweeper
from services.uploads.users import Users
from services.uploads.webhook import make_webhook
from services.web.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from services.uploads.sweep.report import Report

THREADS = 32
"""Number of objects that are inspected at the same time; fewer than the connections in a client's pool."""

PATIENT = Config(read_timeout=30)
"""Nobody waits for a sweep, and DeleteObjects of 1,000 keys may take longer than the 3 s of the services."""

DONE, NEEDS_ATTENTION, INVALID_SETTINGS, TOO_MANY_ORPHANS, INTERRUPTED = 0, 1, 2, 3, 130

Item = TypeVar("Item")


def main() -> None:
    try:
        sys.exit(run(sys.argv[1:], os.environ))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and return its exit status: 1 if the report needs attention or the sweep failed, 2 if a setting
    is invalid, 3 if nothing was deleted since there are too many orphans.
    """
    options = _parse(arguments)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="inspect") as executor:
        try:
            settings = read_settings(Settings, environ)
            sweeper = make_sweeper(settings, executor, time.time, full=options.full)
        except (InvalidSettingsError, BotoCoreError, ValueError) as error:
            print(error, file=sys.stderr)
            return INVALID_SETTINGS
        logging.basicConfig(format="%(message)s")
        try:
            with logging_redirect_tqdm():
                report = sweeper.sweep(dry_run=options.dry_run, show_progress=_show_progress_bar)
        except (*AWS_ERRORS, sqlite3.Error) as error:  # sqlite3.Error: the disk of the ledger is full
            print(f"The sweep could not continue: {error}", file=sys.stderr)
            return NEEDS_ATTENTION
    if not report.dry_run:
        Metrics("sweep", settings.metrics_namespace, on=settings.metrics).record(report.as_metrics())
    print(json.dumps(report.as_json()) if options.json else report.as_text())
    return choose_status(report)


def choose_status(report: Report) -> int:
    if report.excess:
        return TOO_MANY_ORPHANS
    return NEEDS_ATTENTION if report.needs_attention else DONE


def make_sweeper(settings: Settings, executor: Executor, clock: Callable[[], float], *, full: bool = False) -> Sweeper:
    """
    Raises:
        BotoCoreError, ValueError: one of boto3's own settings is invalid.
    """
    bucket = Bucket(check_responses(boto3.client("s3", config=S3_CONFIG.merge(PATIENT))), settings.bucket)
    users = Users(check_responses(boto3.client("dynamodb", config=CLIENT_CONFIG)), settings.table)
    webhook = make_webhook(settings.confirmed_url, settings.confirmed_secret)
    return Sweeper(
        bucket,
        users,
        settings.limits,
        settings.confirm_seconds + settings.margin_seconds,
        settings.max_deletions,
        settings.max_deleted_share,
        clock,
        executor,
        full=full,
        notifier=Notifier(webhook, users, bucket, settings.limits) if webhook else None,
    )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.uploads.sweep",
        description="Deletes orphans (permanent objects that no row refers to), restores live avatars that a lifecycle"
        " rule would delete, and reports rows whose object is missing.",
        epilog="Exit status: 0 on success, 1 if the report needs attention, 2 if a setting is invalid, 3 if nothing was"
        " deleted since there are too many orphans.",
    )
    parser.add_argument("--dry-run", action="store_true", help="change nothing, and report what a sweep would do")
    parser.add_argument(
        "--full",
        action="store_true",
        help="read the tags of all objects of the last four days, as the sweep of every sixth hour does",
    )
    parser.add_argument("--json", action="store_true", help="print the report as one line of JSON")
    return parser.parse_args(arguments)


def _show_progress_bar(items: Iterable[Item], label: str, total: int | None) -> Iterable[Item]:
    """Show a progress bar if standard error is a terminal."""
    return tqdm(items, desc=label, total=total, unit="", file=sys.stderr, disable=None, leave=False)


if __name__ == "__main__":
    main()
