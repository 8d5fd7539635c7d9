"""What goes wrong, and how it is answered."""

from __future__ import annotations

from services.auth.users import UnknownUserError
from services.web.callers.identity import PROBLEMS
from services.web.problems import TOO_MANY_REQUESTS, Problem
from services.web.rate_limits import TooManyRequestsError

ERRORS = PROBLEMS | {
    UnknownUserError: Problem("unknown-user", 404, "There is no such user"),
    TooManyRequestsError: TOO_MANY_REQUESTS,
}
