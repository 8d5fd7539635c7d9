"""The problem for each exception of the service."""

from __future__ import annotations

from services.store.table import UnknownUserError
from services.web.callers.identity import PROBLEMS
from services.web.problems import TOO_MANY_REQUESTS, UNKNOWN_USER
from services.web.rate_limits import TooManyRequestsError

ERRORS = PROBLEMS | {
    UnknownUserError: UNKNOWN_USER,
    TooManyRequestsError: TOO_MANY_REQUESTS,
}
