"""What may have changed by an upload, as the page asks for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from services.frontend.changes import MAX_KEYS, MAX_USERNAMES
from services.store.kinds import BANNER
from tests import web
from tests.pictures import make_picture

if TYPE_CHECKING:
    from infra.local.stack import Stack
    from tests.conftest import User


def ask(stack: Stack, user: User, *keys: str) -> str:
    given: dict[str, Any] = {"username": user.username, "key": keys}
    return web.get(f"{stack.origin}/changes", params=given).raise_for_status().text


def find_objects(page: str) -> dict[str, str]:
    return dict(re.findall(r'<tr data-key="([^"]+)" data-state="(\w+)"', page))


def test_a_user_s_row_comes_with_its_avatar_and_the_named_objects(stack: Stack, user: User) -> None:
    key = user.upload_unconfirmed("image/png", make_picture())["key"]
    page = ask(stack, user, key)
    assert find_objects(page) == {key: "pending", user.avatar: "live"}
    assert f'data-attribute="Avatar" data-key="{user.avatar}" data-state="live"' in page
    assert page.count("data-username=") == 1


def test_all_kinds_of_a_row_come_with_the_newest_object_first(stack: Stack, user: User) -> None:
    user.confirm(user.upload_unconfirmed("image/png", make_picture(), BANNER)).raise_for_status()
    banner = user.find_value(BANNER).key
    page = ask(stack, user)
    assert list(find_objects(page).items()) == [(banner, "live"), (user.avatar, "live")]
    assert f'data-attribute="Banner" data-key="{banner}" data-state="live"' in page
    newer = user.upload_unconfirmed("image/png", make_picture())
    user.confirm(newer).raise_for_status()
    assert list(find_objects(ask(stack, user))) == [user.avatar, banner]


def test_a_missing_object_and_a_missing_user_are_left_out(stack: Stack, user: User) -> None:
    page = ask(stack, user, "pending/none", "other/prefix", "avatars/")
    assert list(find_objects(page)) == [user.avatar]
    nobody = web.get(f"{stack.origin}/changes", params={"username": "Nobody99"}).raise_for_status().text
    assert "<tr" not in nobody


def test_the_response_names_the_caller(stack: Stack, user: User) -> None:
    assert '<body data-current="">' in ask(stack, user)
    own = user.http.get("/changes", params={"username": user.username}).raise_for_status().text
    assert f'<body data-current="{user.username}">' in own
    assert "Current user" in own


@pytest.mark.parametrize(
    "query", ["", "?username=a&username=b&username=c&username=d&username=e", "?username=a" + "&key=k" * (MAX_KEYS + 1)]
)
def test_too_many_names_or_none_are_refused(stack: Stack, query: str) -> None:
    assert web.get(f"{stack.origin}/changes{query}").status_code == 400


def test_as_many_names_as_the_page_sends_are_allowed(stack: Stack) -> None:
    query = "&".join(["username=a"] * MAX_USERNAMES + ["key=k"] * MAX_KEYS)
    assert web.get(f"{stack.origin}/changes?{query}").status_code == 200
