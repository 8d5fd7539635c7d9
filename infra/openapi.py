"""`uv run openapi` prints the OpenAPI document of all services, from which clients are generated.

The services are created with their default settings, and are not started: no call is made.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

import boto3

from infra.documents.openapi import merge_documents
from services.auth import app as auth
from services.auth.settings import Settings as AuthSettings
from services.frontend import app as frontend
from services.frontend.settings import Settings as FrontendSettings
from services.uploads import app as uploads
from services.uploads.settings import Settings as UploadsSettings
from services.web.examples import ORIGIN

if TYPE_CHECKING:
    from services.web.api_document import Document


def main() -> None:
    parser = argparse.ArgumentParser(prog="openapi", description="Prints the OpenAPI document of all services.")
    parser.add_argument("--origin", default=ORIGIN, help="the origin of the system, for `servers` (%(default)s)")
    origin: str = parser.parse_args().origin
    json.dump(merge_documents([*describe_services(origin).values()]), sys.stdout, indent=2)


def describe_services(origin: str) -> dict[str, Document]:
    """The document of each service, by its name."""
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="eu-central-1")  # noqa: S106
    s3, dynamodb, kms = session.client("s3"), session.client("dynamodb"), session.client("kms")
    table, bucket, jwks_url = "users", "pictures", f"{origin}/jwks"
    for_auth = AuthSettings(origin=origin, table=table, signing_keys="none")
    for_uploads = UploadsSettings(origin=origin, table=table, bucket=bucket, jwks_url=jwks_url)
    for_frontend = FrontendSettings(origin=origin, table=table, bucket=bucket, jwks_url=jwks_url)
    find_credentials = session.get_credentials
    applications = {
        "auth": auth.create_app(for_auth, dynamodb=dynamodb, kms=kms),
        "uploads": uploads.create_app(for_uploads, s3=s3, dynamodb=dynamodb, credentials=find_credentials),
        "frontend": frontend.create_app(for_frontend, s3=s3, dynamodb=dynamodb, credentials=find_credentials),
    }
    return {name: application.openapi_schema.to_schema() for name, application in applications.items()}


if __name__ == "__main__":
    main()
