"""A struct is sent as Litestar sends it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from litestar import Litestar, Response, get
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie
from litestar.testing import TestClient

from services.web.responses import StructResponse

PLAIN: dict[str, Any] = {}
WITH_COOKIE: dict[str, Any] = {"response_cookies": [Cookie("a", "b")]}
WITH_HEADER: dict[str, Any] = {"response_headers": {"X-A": "b"}}


class Answer(msgspec.Struct, omit_defaults=True):
    name: str
    size: int | None = None


def ask(response_class: type[Response[Any]], options: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    @get("/", status_code=202, response_class=response_class, **options)
    async def answer() -> Answer:
        return Answer("Zoë")

    with TestClient(Litestar([answer])) as client:
        response = client.get("/")
    return response.status_code, sorted(response.headers.multi_items()), response.content


@pytest.mark.parametrize("options", [PLAIN, WITH_COOKIE, WITH_HEADER], ids=["plain", "cookie", "header"])
def test_the_response_is_that_of_litestars_own_class(options: dict[str, Any]) -> None:
    assert ask(StructResponse, options) == ask(Response, options)


def test_a_background_task_runs_after_the_response() -> None:
    ran: list[str] = []

    async def note() -> None:
        ran.append("background")

    assert ask(StructResponse, {"background": BackgroundTask(note)})[0] == 202
    assert ran == ["background"]
