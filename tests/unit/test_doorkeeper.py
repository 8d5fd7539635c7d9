"""Where a request's token is taken from, and when another site's page is turned away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from litestar.testing import RequestFactory

from services.auth.verifier import (
    Audience,
    Caller,
    Doorkeeper,
    ForeignOriginError,
    KeysUnavailableError,
    NotLoggedInError,
    TokenExpiredError,
    Verifier,
    require_own_origin,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Request

pytestmark = pytest.mark.anyio

ORIGIN = "https://pictures.example"
AUDIENCE = Audience(ORIGIN)
COOKIE = {"Cookie": "__Host-session=cookie"}
BEARER = {"Authorization": "Bearer header"}


class FakeVerifier:
    """Takes the token itself for the name of its user."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    async def verify(self, token: str) -> Caller:
        if self.error:
            raise self.error
        return Caller(token)


@pytest.fixture
def verifier() -> FakeVerifier:
    return FakeVerifier()


@pytest.fixture
def doorkeeper(verifier: FakeVerifier) -> Doorkeeper:
    return Doorkeeper(AUDIENCE, cast("Verifier", verifier))


def get(headers: dict[str, str]) -> Request[Any, Any, Any]:
    return RequestFactory().get(headers=headers)


def post(headers: dict[str, str]) -> Request[Any, Any, Any]:
    return RequestFactory().post(headers=headers)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (BEARER, "header"),
        ({"Authorization": "bearer header"}, "header"),
        ({"Authorization": "Bearer  header "}, "header"),
        (COOKIE, "cookie"),
        (BEARER | COOKIE, "header"),
        ({"Authorization": "Basic YTpi"} | COOKIE, "cookie"),
        ({"Authorization": "Bearer"} | COOKIE, "cookie"),
    ],
)
async def test_the_token_is_the_header_s_or_else_the_cookie_s(
    doorkeeper: Doorkeeper, headers: dict[str, str], token: str
) -> None:
    assert await doorkeeper.identify(get(headers)) == Caller(token)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic YTpi"}, {"Cookie": "session=cookie"}, {"Cookie": "__Host-session="}],
    ids=["nothing", "another scheme", "the cookie's name without HTTPS", "an empty cookie"],
)
async def test_without_a_token_nobody_is_logged_in(doorkeeper: Doorkeeper, headers: dict[str, str]) -> None:
    with pytest.raises(NotLoggedInError):
        await doorkeeper.identify(get(headers))


@pytest.mark.parametrize(
    "origin", [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": ORIGIN + "/"}]
)
async def test_a_cookie_changes_nothing_for_another_site_s_page(doorkeeper: Doorkeeper, origin: dict[str, str]) -> None:
    with pytest.raises(ForeignOriginError):
        await doorkeeper.identify(post(COOKIE | origin))


@pytest.mark.parametrize("make", [get, post])
async def test_our_own_page_s_cookie_counts(
    doorkeeper: Doorkeeper, make: Callable[[dict[str, str]], Request[Any, Any, Any]]
) -> None:
    assert await doorkeeper.identify(make(COOKIE | {"Origin": ORIGIN})) == Caller("cookie")


async def test_a_header_needs_no_origin(doorkeeper: Doorkeeper) -> None:
    # No browser adds it of itself, so that no other site's page can ride on it.
    assert await doorkeeper.identify(post(BEARER | {"Origin": "https://evil.example"})) == Caller("header")


async def test_a_bad_header_is_not_made_good_by_a_cookie(doorkeeper: Doorkeeper, verifier: FakeVerifier) -> None:
    verifier.error = NotLoggedInError()
    with pytest.raises(NotLoggedInError):
        await doorkeeper.identify(get(BEARER | COOKIE))


@pytest.mark.parametrize("error", [NotLoggedInError(), TokenExpiredError(), KeysUnavailableError()])
async def test_a_page_for_anybody_is_shown_without_a_good_token(
    doorkeeper: Doorkeeper, verifier: FakeVerifier, error: Exception
) -> None:
    assert await doorkeeper.recognise(get(COOKIE)) == Caller("cookie")
    assert await doorkeeper.recognise(get({})) is None
    verifier.error = error
    assert await doorkeeper.recognise(get(COOKIE)) is None


async def test_a_bug_is_not_taken_for_nobody(doorkeeper: Doorkeeper, verifier: FakeVerifier) -> None:
    verifier.error = RuntimeError()
    with pytest.raises(RuntimeError):
        await doorkeeper.recognise(get(COOKIE))


def test_an_own_origin_is_the_very_same() -> None:
    require_own_origin(post({"Origin": ORIGIN}), AUDIENCE)
    with pytest.raises(ForeignOriginError):
        require_own_origin(post({"Origin": "http://pictures.example"}), AUDIENCE)


@pytest.mark.parametrize(
    ("origin", "cookie", "is_secure"),
    [("https://pictures.example", "__Host-session", True), ("http://localhost:8000", "session", False)],
)
def test_the_cookie_is_bound_to_the_host_where_there_is_https(
    origin: str,
    cookie: str,
    is_secure: bool,  # noqa: FBT001 - a table
) -> None:
    audience = Audience(origin)
    assert (audience.cookie, audience.is_secure) == (cookie, is_secure)
    assert (audience.issuer, audience.audience) == (f"{origin}/auth", origin)
