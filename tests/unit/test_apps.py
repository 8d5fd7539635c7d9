"""Each service is created from settings and clients alone, without a network call."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from litestar.testing import TestClient

from services.auth import app as auth
from services.auth.settings import Settings as AuthSettings
from services.frontend import app as frontend
from services.frontend.settings import Settings as FrontendSettings
from services.store.kinds import KINDS
from services.uploads import app as uploads
from services.uploads.settings import Settings as UploadsSettings
from tests.unit.conftest import find_credentials

if TYPE_CHECKING:
    from litestar import Litestar
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client

ORIGIN = "https://pictures.example"
JWKS_URL = "http://auth/jwks"


def find_calls(application: Litestar) -> set[str]:
    """The service's responses, without its documentation."""
    return {
        f"{method} {route.path}"
        for route in application.routes
        if not any(part in route.path for part in ("/schema", "/static"))
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }


@pytest.mark.usefixtures("dynamodb_stub")  # which fails on every call
def test_the_auth_service_is_created(dynamodb_client: DynamoDBClient) -> None:
    settings = AuthSettings(origin=ORIGIN, table="users", signing_keys="one, two")
    # The public key is requested when the service starts, not when it is created.
    application = auth.create_app(settings, dynamodb=dynamodb_client, kms=cast("KMSClient", None))
    assert find_calls(application) == {
        "POST /auth/login",
        "POST /auth/logout",
        "GET /auth/me",
        "GET /auth/.well-known/jwks.json",
        "GET /auth/healthz",
        "GET /healthz",
    }


@pytest.mark.usefixtures("dynamodb_stub", "s3_stub")
def test_the_uploads_service_is_created(dynamodb_client: DynamoDBClient, s3_client: S3Client) -> None:
    settings = UploadsSettings(origin=ORIGIN, table="users", bucket="pictures", jwks_url=JWKS_URL)
    application = uploads.create_app(settings, s3=s3_client, dynamodb=dynamodb_client, credentials=find_credentials)
    assert find_calls(application) == {
        "POST /uploads/presign",
        "POST /uploads/confirm",
        *(f"{method} /uploads/{name}" for name in KINDS for method in ("DELETE", "GET")),
        "GET /uploads/healthz",
        "GET /healthz",
    }


@pytest.mark.usefixtures("dynamodb_stub", "s3_stub")
def test_the_frontend_is_created_and_its_policy_allows_only_its_own_origin_and_the_bucket_s(
    dynamodb_client: DynamoDBClient, s3_client: S3Client
) -> None:
    settings = FrontendSettings(origin=ORIGIN, table="users", bucket="pictures", jwks_url=JWKS_URL)
    application = frontend.create_app(settings, s3=s3_client, dynamodb=dynamodb_client, credentials=find_credentials)
    assert find_calls(application) == {
        "GET /",
        "GET /changes",
        "GET /users",
        *(f"GET /users/{{username:str}}/{name}" for name in KINDS),
        "GET /inspector/objects",
        "GET /inspector/users",
        "GET /healthz",
    }
    with TestClient(application) as client:
        headers = client.get("/nothing").headers
    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob: https://pictures.s3.eu-west-1.amazonaws.com; "
        "connect-src 'self' https://pictures.s3.eu-west-1.amazonaws.com; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["X-Content-Type-Options"] == "nosniff"
