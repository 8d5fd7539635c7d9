"""The command that removes a user's picture of a kind."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.exceptions import BotoCoreError, NoCredentialsError

from services.settings import application
from services.settings.environment import BucketName, InvalidSettingsError, TableName, read_settings
from services.store.clients import AWS_ERRORS, CLIENT_CONFIG, S3_CONFIG
from services.store.keys import USERNAME_PATTERN, make_username
from services.store.kinds import AVATAR, KINDS
from services.store.responses import check_responses
from services.store.table import UnknownUserError
from services.uploads.bucket import Bucket, NotDeletedError
from services.uploads.deadline import DeadlineExceededError
from services.uploads.notifier import Notifier
from services.uploads.refusals import KeepsChangingError
from services.uploads.removal import Remover
from services.uploads.users import Users
from services.uploads.webhook import make_webhook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DONE, FAILED, INVALID_SETTINGS = 0, 1, 2


class Settings(msgspec.Struct, frozen=True):
    bucket: BucketName
    table: TableName
    confirmed_url: application.ConfirmedUrl = None
    confirmed_secret: application.ConfirmedSecret = None

    def __post_init__(self) -> None:
        application.check_webhook(self.confirmed_url, self.confirmed_secret)


def main() -> None:
    sys.exit(run(sys.argv[1:], os.environ))


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and return its exit status: 1 if the picture was not removed or its object not deleted, 2 if a
    setting is invalid.
    """
    options = _parse(arguments)
    username, kind = options.username, options.kind
    try:
        settings = read_settings(Settings, environ)
        bucket = Bucket(check_responses(boto3.client("s3", config=S3_CONFIG)), settings.bucket)
        users = Users(check_responses(boto3.client("dynamodb", config=CLIENT_CONFIG)), settings.table)
        webhook = make_webhook(settings.confirmed_url, settings.confirmed_secret)
    except (InvalidSettingsError, BotoCoreError, ValueError) as error:
        print(error, file=sys.stderr)
        return INVALID_SETTINGS
    try:
        removed = Remover(users, time.time).remove(username, KINDS[kind])
    except (UnknownUserError, NoCredentialsError) as error:
        print(error, file=sys.stderr)
        return FAILED
    except (*AWS_ERRORS, KeepsChangingError, DeadlineExceededError) as error:
        print(f"The {kind} may still be there. Run the command again. {error}", file=sys.stderr)
        return FAILED
    state = f"has no {kind} now" if removed.keys else f"had no {kind}"
    print(f"{username} {state}. No upload that was presigned before now can become it.")
    if webhook and not Notifier(webhook, users, bucket, {}).tell(removed.message):
        print("The application was not told. The sweep tells it.", file=sys.stderr)
    if not removed.keys:
        return DONE
    try:
        bucket.delete(removed.keys)
    except (*AWS_ERRORS, NotDeletedError) as error:
        print(f"Not deleted, left to the sweep: {', '.join(removed.keys)} ({error})", file=sys.stderr)
        return FAILED
    print(f"Deleted: {', '.join(removed.keys)}")
    return DONE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m services.uploads.remove",
        description="Removes a user's avatar, or their picture of another kind, such as a picture that must not be"
        " shown. It reads BUCKET, TABLE, CONFIRMED_URL and CONFIRMED_SECRET from the environment, as the uploads"
        " service does. The user can upload another picture afterwards.",
        epilog="Exit status: 0 on success, 1 if the picture or its object could not be removed, 2 if a setting is"
        " invalid.",
    )
    parser.add_argument("username", type=_read_username, help="the user's name, as in the table or in an access token")
    parser.add_argument("--kind", choices=[*KINDS], default=AVATAR.name, help="the kind of picture (default: avatar)")
    return parser.parse_args(arguments)


def _read_username(text: str) -> str:
    """
    Raises:
        ValueError: the name is empty.
    """
    return text if re.fullmatch(USERNAME_PATTERN, text) else make_username(text)


if __name__ == "__main__":
    main()
