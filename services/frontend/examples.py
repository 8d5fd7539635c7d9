"""Examples of requests and responses, for the OpenAPI document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.exceptions import ValidationException

from services.frontend.cursor import InvalidCursorError, encode_cursor
from services.frontend.problems import ERRORS
from services.store import table
from services.store.kinds import AVATAR, KINDS, Kind
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
from services.web.pictures import report_no_picture
from services.web.problems import describe_problems

if TYPE_CHECKING:
    from litestar.openapi.datastructures import ResponseSpec

LAST_USER = encode_cursor(USERNAME)
LAST_KEY = encode_cursor(f'["{REPLACED.permanent_key}",{{}}]')

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
CONFIRMED = OBJECT | {"key": UPLOAD.permanent_key, "expires": None, "state": "live"}
ROW = {
    table.USERNAME: USERNAME,
    table.NAME: NAME,
    AVATAR.attribute: UPLOAD.permanent_key,
    AVATAR.removed_attribute: None,
    "state": "live",
    "kinds": {
        name: {"key": UPLOAD.permanent_key, "removed": None, "state": "live"}
        if name == AVATAR.name
        else {"key": None, "removed": None, "state": None}
        for name in KINDS
    },
}

USERS = add_examples(
    {
        "one user of several": {
            "users": [{"username": USERNAME, "name": NAME, "avatar": UPLOAD.permanent_key}],
            "cursor": LAST_USER,
        }
    }
)
OBJECTS = add_examples(
    {
        "before the confirm": {
            "objects": [OBJECT, CONFIRMED | {"key": REPLACED.permanent_key, "last_modified": "2026-11-20T16:03:12Z"}],
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

PICTURE = add_examples(headers=REDIRECT_HEADERS)


def describe_picture_problems(kind: Kind) -> dict[int, ResponseSpec]:
    return describe_problems(ERRORS, UnknownUserError(), report_no_picture(kind))
