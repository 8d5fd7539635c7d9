from __future__ import annotations

import os

import boto3

from services.auth.app import create_app
from services.auth.settings import Settings
from services.store.clients import CLIENT_CONFIG
from services.store.responses import check_responses
from services.web.server import serve


def main() -> None:
    serve(
        "auth",
        Settings,
        os.environ,
        lambda settings: create_app(
            settings,
            dynamodb=check_responses(boto3.client("dynamodb", config=CLIENT_CONFIG)),
            kms=check_responses(boto3.client("kms", config=CLIENT_CONFIG)),
        ),
    )


if __name__ == "__main__":
    main()
