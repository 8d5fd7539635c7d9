"""What the calls look like, for the service's description."""

from __future__ import annotations

from typing import Any

from litestar.exceptions import ValidationException

from services.frontend.cursor import InvalidCursorError, encode_cursor
from services.frontend.people import UnknownUserError
from services.frontend.pictures import NoAvatarError
from services.frontend.problems import ERRORS
from services.store import table
from services.web.examples import (
    BEGUN,
    BUCKET_URL,
    CONTENT_TYPE,
    ENDS,
    NAME,
    REPLACED,
    REQUEST_ID,
    SIZE,
    UPLOAD,
    USERNAME,
)
from services.web.openapi import add_examples
from services.web.problems import describe_problems

LAST_USER = encode_cursor(USERNAME)
LAST_KEY = encode_cursor(f'["{REPLACED.avatar_key}",{{}}]')

OBJECT: dict[str, Any] = {
    "key": UPLOAD.pending_key,
    "size": SIZE,
    "content_type": CONTENT_TYPE,
    "last_modified": BEGUN,
    "tags": {},
    "metadata": {"username": USERNAME, "request-id": REQUEST_ID},
    "expires": ENDS,
    "state": "pending",
}
CONFIRMED = OBJECT | {"key": UPLOAD.avatar_key, "expires": None, "state": "live"}
ROW = {table.USERNAME: USERNAME, table.NAME: NAME, table.AVATAR: UPLOAD.avatar_key, "state": "live"}

QUERY = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261121T104000Z&X-Amz-Expires=1200&X-Amz-Signature=5eeb431c…"
"""Of a presigned GET, in short."""

USERS = add_examples(
    {
        "one user, and more to come": {
            "users": [{"username": USERNAME, "name": NAME, "avatar": UPLOAD.avatar_key}],
            "cursor": LAST_USER,
        }
    }
)
OBJECTS = add_examples(
    {
        "before the confirm": {
            "objects": [OBJECT, CONFIRMED | {"key": REPLACED.avatar_key, "last_modified": "2026-11-20T16:03:12Z"}],
            "cursor": None,
            "looked_at": 2,
        },
        "after it": {"objects": [CONFIRMED], "cursor": None, "looked_at": 1},
    }
)
ROWS = add_examples({"one row, and more to come": {"rows": [ROW], "cursor": LAST_USER, "looked_at": 1}})
LIST_PROBLEMS = describe_problems(
    ERRORS,
    ValidationException(
        "Validation failed for GET /users?limit=1000", extra=[{"key": "limit", "message": "Expected `int` <= 100"}]
    ),
    InvalidCursorError("That is not a cursor of this list."),
)

AVATAR = add_examples(
    headers={
        "Location": (
            "The picture in the bucket, at a URL that stays the same for a while.",
            f"{BUCKET_URL}/{UPLOAD.avatar_key}?{QUERY}",
        ),
        "Cache-Control": ("The row may change, so that it is asked for each time.", "no-cache"),
    }
)
AVATAR_PROBLEMS = describe_problems(
    ERRORS,
    UnknownUserError("There is no user of that name."),
    NoAvatarError("This user has no avatar yet."),
)
