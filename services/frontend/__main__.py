from __future__ import annotations

import os

import boto3

from services.frontend.app import create_app
from services.frontend.settings import Settings
from services.store.clients import CLIENT_CONFIG, S3_CONFIG
from services.web.server import serve


def main() -> None:
    serve(
        "frontend",
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
