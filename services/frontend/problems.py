"""The problem for each exception of the service."""

from __future__ import annotations

from services.frontend.cursor import InvalidCursorError
from services.store.table import UnknownUserError
from services.web.callers.identity import PROBLEMS
from services.web.pictures import NO_PICTURE
from services.web.problems import UNKNOWN_USER, Problem

ERRORS = PROBLEMS | {
    InvalidCursorError: Problem("invalid-cursor", 400, "The cursor is not valid"),
    UnknownUserError: UNKNOWN_USER,
    **NO_PICTURE,
}
