"""The values in the examples of the OpenAPI documents: one upload, from its presign to the inspector.

The demo has this user.
"""

from __future__ import annotations

from litestar.openapi.spec import Example, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIType

from services.store.keys import Upload, UploadId
from services.store.kinds import AVATAR, BANNER
from services.web.callers.guard import USERNAME_HEADER
from services.web.callers.identity import ForeignOriginError, NotLoggedInError, OtherUserError, TokenExpiredError

ORIGIN = "https://avatars.example.com"
BUCKET_URL = "https://avatars-example.s3.eu-central-1.amazonaws.com"

USERNAME = "Shirley90"
NAME = "Shirley Lowe"

UPLOAD = Upload(AVATAR, UploadId("01a1fdb2-bdd6-7c3e-9a63-5c1f0e8d4b27"))
REPLACED = Upload(AVATAR, UploadId("01a1f9b2-919e-7d10-8f42-b7e95a3c6d08"))
"""The avatar before this upload."""
OTHER_KIND = Upload(BANNER, UploadId("01a1fdb3-4f0c-7a95-b1d8-2e6c9f7a3045"))
REQUEST_ID = "6f1c2a7e-3b58-4d0a-9e4f-2d7c80b1a935"
UPLOAD_TOKEN = "Zk3vQ1rXo0mWb8sTn5yLhUe2JdGcPa7fKx4iV9qRzBM"  # noqa: S105 - an example
ACCESS_TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjdtSEo2N….eyJzdWIiOiJTaGlybGV5OTAi….hQ9xTzR0u5vX"  # noqa: S105 - a shortened example

CONTENT_TYPE = "image/jpeg"
SIZE = 48_213
SHA256 = "o1Dnf3pbm5HBC9jmZgVTiZ2yqBqQvQzN0kMfT3q5Y1A="

POSTED = "2026-11-21T10:41:52Z"
EXPIRES = "2026-11-23T00:00:00Z"
"""When the lifecycle rule deletes an object that was posted then and is still pending: a day later, at midnight."""

_QUERY = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261121T104000Z&X-Amz-Expires=600&X-Amz-Signature=5eeb431c…"
"""The query of a presigned GET, shortened."""

REDIRECT_HEADERS = {
    "Location": (
        "Presigned URL of the picture. It stays the same for some minutes, so that browsers can cache the picture.",
        f"{BUCKET_URL}/{UPLOAD.permanent_key}?{_QUERY}",
    ),
    "Cache-Control": ("The picture may change, so the redirect is not cached.", "no-cache"),
}
"""The headers of a redirect to a picture, each with a description and an example."""

NOT_LOGGED_IN = (
    NotLoggedInError("There is no session cookie and no Bearer token."),
    TokenExpiredError("The session is over."),
)
NAMED_USER = Parameter(
    name=USERNAME_HEADER,
    param_in="header",
    schema=Schema(type=OpenAPIType.STRING, max_length=64),
    description="The user for whom the client makes the request. If the access token is another user's, the response "
    "is the problem `other-user`, and nothing changes.",
    examples={"the caller": Example(value=USERNAME)},
)
"""The header of the routes that compare the user whom a request names with the caller."""
OTHER_USER = OtherUserError(f"{USERNAME} is logged in, and the request is for another user.")
FOREIGN_ORIGIN = ForeignOriginError(f"Only pages of {ORIGIN} may use the session cookie.")


def make_examples(value: object) -> list[Example]:
    """Make the value of a parameter's `examples`."""
    return [Example(value=value)]
