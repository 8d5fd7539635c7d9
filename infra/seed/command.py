"""`uv run seed`: adds the seeded users to a deployment, with the operator's credentials.

They are data, which their users change and delete, so they are no resources of the Pulumi program (decision 28).
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import boto3

from infra.seed.people import SEEDED_USERS
from infra.seed.seeds import seed
from services.store.clients import AWS_ERRORS, CLIENT_CONFIG, S3_CONFIG

if TYPE_CHECKING:
    from collections.abc import Sequence


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> str | int:
    """Run the command and return what `sys.exit` takes: 0, or a message."""
    options = _parse(arguments)
    try:
        # The credentials are those that the AWS CLI would use.
        s3 = boto3.client("s3", region_name=options.region, config=S3_CONFIG)
        dynamodb = boto3.client("dynamodb", region_name=options.region, config=CLIENT_CONFIG)
        added = seed(s3, dynamodb, options.bucket, options.table, SEEDED_USERS)
    except AWS_ERRORS as error:
        return f"Run the command again, it adds what is missing. {error}"
    print(f"Users added: {added}. Users that existed already: {SEEDED_USERS - added}.")
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="seed",
        description="Adds the users of the demo, each with a picture, to a deployment's table and bucket. It changes no"
        " user that exists. `pulumi stack output seed` prints the command with its arguments.",
    )
    for name in ("region", "bucket", "table"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
