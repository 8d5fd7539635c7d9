"""The id, the caller and the problem of the current request, for the log."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass

import uuid_utils

REQUEST_ID_HEADER = "X-Request-Id"

REQUEST_ID_PATTERN = r"[A-Za-z0-9-]{8,64}"
"""A client may send the id in the header. An id of another form is not used."""


@dataclass(slots=True)
class RequestContext:
    request_id: str
    username: str | None = None
    """The caller, once the token is verified."""
    problem: str | None = None
    """The slug of the problem in the response, such as `superseded`."""


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def begin_context(wanted: str) -> RequestContext:
    """Start a new current context, with the wanted id if that is well-formed."""
    context = RequestContext(wanted if re.fullmatch(REQUEST_ID_PATTERN, wanted) else make_request_id())
    _current.set(context)
    return context


def find_context() -> RequestContext | None:
    """The current context, if there is one. Threads that the event loop starts for a request have the same one."""
    return _current.get()


def annotate(*, username: str | None = None, problem: str | None = None) -> None:
    """Set the caller or the problem of the current context, if there is one."""
    if context := _current.get():
        context.username = username or context.username
        context.problem = problem or context.problem


def find_request_id() -> str:
    """The id of the current context, or a new one."""
    context = _current.get()
    return context.request_id if context else make_request_id()


def make_request_id() -> str:
    return str(uuid_utils.uuid4())
