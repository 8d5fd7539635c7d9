"""A request and its answer: the id that both bear, and what becomes known of them on the way, for the log."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass

import uuid_utils

REQUEST_ID_HEADER = "X-Request-Id"

_SAFE_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


@dataclass(slots=True)
class Exchange:
    request_id: str
    username: str | None = None
    """The caller's, once the token has been verified."""
    problem: str | None = None
    """The slug of what the answer says is wrong."""


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def begin_exchange(wanted: str) -> Exchange:
    """Under the id that the caller wants, where it has a safe form; it is the current one from now on."""
    exchange = Exchange(wanted if _SAFE_ID.fullmatch(wanted) else make_request_id())
    _current.set(exchange)
    return exchange


def find_exchange() -> Exchange | None:
    """The current one: a task's and that of the threads that it hands its work to."""
    return _current.get()


def note(*, username: str | None = None, problem: str | None = None) -> None:
    """Of the current exchange, if there is one."""
    if exchange := _current.get():
        exchange.username = username or exchange.username
        exchange.problem = problem or exchange.problem


def find_request_id() -> str:
    """That of the current exchange; a new one where there is none."""
    exchange = _current.get()
    return exchange.request_id if exchange else make_request_id()


def make_request_id() -> str:
    return str(uuid_utils.uuid4())
