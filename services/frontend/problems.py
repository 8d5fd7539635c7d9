"""What goes wrong, and how it is answered."""

from __future__ import annotations

from services.frontend.cursor import InvalidCursorError
from services.frontend.people import UnknownUserError
from services.frontend.pictures import NoAvatarError
from services.web.callers.identity import PROBLEMS
from services.web.problems import Problem

ERRORS = PROBLEMS | {
    InvalidCursorError: Problem("invalid-cursor", 400, "There is no such page"),
    UnknownUserError: Problem("unknown-user", 404, "There is no such user"),
    NoAvatarError: Problem("no-avatar", 404, "This user has no avatar yet"),
}
