from __future__ import annotations

import os

import boto3

from services.frontend.app import create_app
from services.frontend.settings import Settings
from services.store.clients import CLIENT_CONFIG, S3_CONFIG
from services.store.responses import check_responses
from services.web.server import serve


def main() -> None:
    session = boto3.Session()
    serve(
        "frontend",
        Settings,
        os.environ,
        lambda settings: create_app(
            settings,
            s3=check_responses(session.client("s3", config=S3_CONFIG)),
            dynamodb=check_responses(session.client("dynamodb", config=CLIENT_CONFIG)),
            credentials=session.get_credentials,
        ),
    )


if __name__ == "__main__":
    main()
