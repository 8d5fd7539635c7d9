"""The command that rebuilds rows after a table was damaged or restored."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.exceptions import BotoCoreError

from services.settings.environment import BucketName, InvalidSettingsError, TableName, read_settings
from services.store.clients import AWS_ERRORS, CLIENT_CONFIG, S3_CONFIG
from services.store.kinds import KINDS
from services.store.responses import check_responses
from services.uploads.bucket import Bucket
from services.uploads.restoration import Change, Restored, Restorer
from services.uploads.users import Users
from services.web.logging import RequestLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

THREADS = 32

DONE, FAILED, INVALID_SETTINGS = 0, 1, 2

REMOVALS = {("DELETE", f"/uploads/{name}", 204): name for name in KINDS}
"""For the method, path and status of each request that removes a picture: the kind."""


class Settings(msgspec.Struct, frozen=True):
    bucket: BucketName
    table: TableName


class InvalidRemovalsError(Exception):
    pass


def main() -> None:
    sys.exit(run(sys.argv[1:], os.environ))


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and return its exit status: 1 if some row was not rebuilt, 2 if a setting is invalid."""
    options = _parse(arguments)
    with ThreadPoolExecutor(THREADS) as executor:
        try:
            settings = read_settings(Settings, environ)
            removals = read_removals(options.removals) if options.removals else {}
            dynamodb = check_responses(boto3.client("dynamodb", config=CLIENT_CONFIG))
            restorer = Restorer(
                Bucket(check_responses(boto3.client("s3", config=S3_CONFIG)), settings.bucket),
                Users(dynamodb, settings.table),
                Users(dynamodb, options.restored_table) if options.restored_table else None,
                removals,
                time.time,
                executor,
            )
        except (InvalidSettingsError, InvalidRemovalsError, BotoCoreError, ValueError) as error:
            print(error, file=sys.stderr)
            return INVALID_SETTINGS
        try:
            restored = restorer.restore(dry_run=options.dry_run)
        except AWS_ERRORS as error:
            print(f"The restoration could not continue. Run the command again. {error}", file=sys.stderr)
            return FAILED
    print(describe(restored, dry_run=options.dry_run))
    return FAILED if restored.conflicts or restored.rowless else DONE


def read_removals(path: Path) -> dict[tuple[str, str], float]:
    """Read the time of the last removal by user and kind from a JSON array of log lines.

    Raises:
        InvalidRemovalsError: the file is not such an array.
    """
    try:
        lines = msgspec.json.decode(path.read_bytes(), type=list[str])
        requests = [msgspec.json.decode(line, type=RequestLine) for line in lines]
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidRemovalsError(f"{path}: {error}") from error
    removals: dict[tuple[str, str], float] = {}
    for line in requests:
        kind = REMOVALS.get((line.method, line.path, line.status))
        if kind and line.username:
            place = (line.username, kind)
            removals[place] = max(line.time.timestamp(), removals.get(place, 0))
    return removals


def describe(restored: Restored, *, dry_run: bool) -> str:
    lines = [line for change in restored.changes for line in _describe_change(change)]
    lines += [
        f"{username}: the row was changed at the same time; run the command again" for username in restored.conflicts
    ]
    lines += [
        f"{username}: there is a picture and no row; add the row and run the command again"
        for username in restored.rowless
    ]
    rows = f"{len(restored.changes):,} row{'' if len(restored.changes) == 1 else 's'}"
    summary = f"Dry run: {rows} would be changed." if dry_run else f"{rows} changed."
    if missing := sum(_loses_picture(change) for change in restored.changes):
        summary += f" {missing:,} lost a picture: if it was deleted by mistake, bring it back and repeat this."
    return "\n".join([*lines, summary])


def _loses_picture(change: Change) -> bool:
    """Whether a picture of the row is missing, and there is no newer one of its kind."""
    before = change.before
    return before is not None and any(before.of(kind).key and not change.after.of(kind).key for kind in KINDS.values())


def _describe_change(change: Change) -> Iterator[str]:
    """A line for each kind whose value changes."""
    username, before = change.after.username, change.before
    if before is None:
        keys = [key for kind in KINDS.values() if (key := change.after.of(kind).key)]
        yield f"{username}: no row -> {', '.join(keys) or 'no picture'}"
        return
    for kind in KINDS.values():
        was, now = before.of(kind), change.after.of(kind)
        if was != now:
            yield f"{username}: {was.key or f'no {kind.name}'} -> {now.key or f'no {kind.name}'}"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.uploads.restore",
        description="Rebuilds rows that were lost or are out of date: each user gets the newest picture in the bucket,"
        " unless it was removed. It reads BUCKET and TABLE from the environment, as the uploads service does, and"
        " changes only TABLE.",
        epilog="Exit status: 0 on success, 1 if some row was not rebuilt, 2 if a setting is invalid.",
    )
    parser.add_argument("--dry-run", action="store_true", help="change nothing, and report what would change")
    parser.add_argument(
        "--restored-table", metavar="NAME", help="a table with a former state, from which lost rows are taken"
    )
    parser.add_argument(
        "--removals", metavar="FILE", type=Path, help="log lines of removals, as a JSON array of strings"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
