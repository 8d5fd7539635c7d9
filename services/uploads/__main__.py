from __future__ import annotations

import os

import boto3

from services.aws import CLIENT_CONFIG, S3_CONFIG
from services.server import serve
from services.uploads.app import create_app
from services.uploads.settings import Settings


def main() -> None:
    serve(
        "uploads",
        Settings,
        os.environ,
        lambda settings: create_app(
            settings,
            s3=boto3.client("s3", config=S3_CONFIG),
            dynamodb=boto3.client("dynamodb", config=CLIENT_CONFIG),
        ),
    )


if __name__ == "__main__":
    main()
