"""The problem for each exception of the service."""

from __future__ import annotations

from services.frontend.cursor import InvalidCursorError
from services.frontend.pictures import NoAvatarError, NoPictureError
from services.store.table import UnknownUserError
from services.web.callers.identity import PROBLEMS
from services.web.problems import UNKNOWN_USER, Problem

ERRORS = PROBLEMS | {
    InvalidCursorError: Problem("invalid-cursor", 400, "The cursor is not valid"),
    UnknownUserError: UNKNOWN_USER,
    NoAvatarError: Problem("no-avatar", 404, "The user has no avatar yet"),
    NoPictureError: Problem("no-picture", 404, "The user has no picture of this kind yet"),
}
