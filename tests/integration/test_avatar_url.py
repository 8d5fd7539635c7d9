"""The URL of a picture that the confirm's response names, at the uploads service."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests import web
from tests.conftest import only_prefix
from tests.pictures import make_picture

if TYPE_CHECKING:
    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import User

pytestmark = only_prefix


def find_picture(http: httpx2.Client, username: str) -> httpx2.Response:
    return http.get("/uploads/avatar", params={"username": username})


def test_the_url_in_the_response_shows_the_picture_without_a_token(stack: Stack, user: User) -> None:
    pictures = [make_picture("image/png", seed=seed) for seed in (1, 2)]
    urls: list[str] = [
        user.confirm(user.upload_unconfirmed("image/png", picture)).json()["url"] for picture in pictures
    ]
    # Each picture has another URL, so that a page loads the new one. Both lead to the user's current picture.
    assert len(set(urls)) == 2
    for url in urls:
        assert url.startswith(f"{stack.origin}/uploads/avatar?")
        assert parse_qs(urlsplit(url).query)["username"] == [user.username]
        redirect = web.get(url)
        assert (redirect.status_code, redirect.headers["Cache-Control"]) == (303, "no-cache")
        picture = web.get(redirect.headers["Location"])
        assert picture.content == pictures[-1]
        assert picture.headers["Content-Disposition"] == "attachment"


def test_a_user_without_a_picture_and_an_unknown_user_get_the_same_response(user: User, http: httpx2.Client) -> None:
    user.http.delete("/uploads/avatar").raise_for_status()
    answers = [find_picture(http, username) for username in (user.username, "Nobody", "x@example.com", "ü" * 256)]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["type"] == "urn:problem:no-avatar"


@pytest.mark.parametrize("query", ["", "?username=", f"?username={'x' * 257}"])
def test_a_query_without_a_username_is_refused(http: httpx2.Client, query: str) -> None:
    answer = http.get(f"/uploads/avatar{query}")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:problem:invalid-request")


def test_the_log_contains_no_username_of_the_query(stack: Stack, http: httpx2.Client) -> None:
    find_picture(http, "jane@example.com")
    log = next(process.log for process in stack.processes.started if process.name == "uploads").read_text()
    assert '"path":"/uploads/avatar"' in log
    assert "jane" not in log
