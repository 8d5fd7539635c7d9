"""Examples of requests and responses, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from litestar.exceptions import ValidationException

from services.frontend.cursor import InvalidCursorError, encode_cursor
from services.frontend.problems import ERRORS
from services.store import table
from services.store.table import UnknownUserError
from services.web.examples import (
    CONTENT_TYPE,
    EXPIRES,
    NAME,
    POSTED,
    REDIRECT_HEADERS,
    REPLACED,
    REQUEST_ID,
    SIZE,
    UPLOAD,
    USERNAME,
)
from services.web.openapi import add_examples
from services.web.pictures import NoAvatarError
from services.web.problems import describe_problems

LAST_USER = encode_cursor(USERNAME)
LAST_KEY = encode_cursor(f'["{REPLACED.avatar_key}",{{}}]')

OBJECT: dict[str, Any] = {
    "key": UPLOAD.pending_key,
    "size": SIZE,
    "content_type": CONTENT_TYPE,
    "last_modified": POSTED,
    "tags": {},
    "metadata": {"username": USERNAME, "request-id": REQUEST_ID},
    "expires": EXPIRES,
    "state": "pending",
}
CONFIRMED = OBJECT | {"key": UPLOAD.avatar_key, "expires": None, "state": "live"}
ROW = {
    table.USERNAME: USERNAME,
    table.NAME: NAME,
    table.AVATAR: UPLOAD.avatar_key,
    table.REMOVED: None,
    "state": "live",
}

USERS = add_examples(
    {
        "one user of several": {
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
        "after the confirm": {"objects": [CONFIRMED], "cursor": None, "looked_at": 1},
    }
)
ROWS = add_examples({"one row of several": {"rows": [ROW], "cursor": LAST_USER, "looked_at": 1}})
LIST_PROBLEMS = describe_problems(
    ERRORS,
    ValidationException(
        "Validation failed for GET /users?limit=1000", extra=[{"key": "limit", "message": "Expected `int` <= 100"}]
    ),
    InvalidCursorError(),
)

AVATAR = add_examples(headers=REDIRECT_HEADERS)
AVATAR_PROBLEMS = describe_problems(
    ERRORS,
    UnknownUserError(),
    NoAvatarError(),
)
