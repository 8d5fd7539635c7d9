"""The guard reads a request's token and refuses state changes from another origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from litestar.testing import RequestFactory

from services.web.callers.guard import Guard, require_own_origin
from services.web.callers.identity import (
    Audience,
    Caller,
    ForeignOriginError,
    KeysUnavailableError,
    NotLoggedInError,
    OtherUserError,
    TokenExpiredError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from litestar import Request

    from services.web.callers.verifier import Verifier

pytestmark = pytest.mark.anyio

ORIGIN = "https://pictures.example"
AUDIENCE = Audience(ORIGIN)
COOKIE = {"Cookie": "__Host-session=cookie"}
BEARER = {"Authorization": "Bearer header"}


class FakeVerifier:
    """Treats the token itself as the username."""

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
def guard(verifier: FakeVerifier) -> Guard:
    return Guard(AUDIENCE, cast("Verifier", verifier))


def get(headers: dict[str, str]) -> Request[Any, Any, Any]:
    return RequestFactory().get(headers=headers)


def post(headers: dict[str, str]) -> Request[Any, Any, Any]:
    return RequestFactory().post(headers=headers)


def name_users(*usernames: bytes) -> Request[Any, Any, Any]:
    """A request with a Bearer token and, in this order, these headers, some of which no client library would send."""
    request = post(BEARER)
    request.scope["headers"] = [*request.scope["headers"], *((b"x-username", username) for username in usernames)]
    return request


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
async def test_the_token_is_read_from_the_header_or_else_from_the_cookie(
    guard: Guard, headers: dict[str, str], token: str
) -> None:
    assert await guard.identify(get(headers)) == Caller(token)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic YTpi"}, {"Cookie": "session-443=cookie"}, {"Cookie": "__Host-session="}],
    ids=["nothing", "another scheme", "the cookie's name without HTTPS", "an empty cookie"],
)
async def test_a_request_without_a_token_is_not_logged_in(guard: Guard, headers: dict[str, str]) -> None:
    with pytest.raises(NotLoggedInError):
        await guard.identify(get(headers))


@pytest.mark.parametrize(
    "origin", [{}, {"Origin": "null"}, {"Origin": "https://evil.example"}, {"Origin": ORIGIN + "/"}]
)
async def test_a_cookie_does_not_authorise_a_state_change_from_another_origin(
    guard: Guard, origin: dict[str, str]
) -> None:
    with pytest.raises(ForeignOriginError):
        await guard.identify(post(COOKIE | origin))


@pytest.mark.parametrize("make", [get, post])
async def test_a_cookie_authorises_a_request_from_the_own_origin(
    guard: Guard, make: Callable[[dict[str, str]], Request[Any, Any, Any]]
) -> None:
    assert await guard.identify(make(COOKIE | {"Origin": ORIGIN})) == Caller("cookie")


@pytest.mark.parametrize("token", [BEARER, COOKIE | {"Origin": ORIGIN}], ids=["bearer", "cookie"])
@pytest.mark.parametrize("name", ["X-Username", "x-username"])
async def test_a_request_that_names_another_user_is_refused(guard: Guard, token: dict[str, str], name: str) -> None:
    with pytest.raises(OtherUserError, match="is logged in, and the request is for another user"):
        await guard.require_caller(post(token | {name: "Cooper12"}))


@pytest.mark.parametrize("username", ["", "HEADER", "header ,header", "caf\u00e9"])
async def test_a_username_is_compared_exactly(guard: Guard, username: str) -> None:
    request = name_users(username.encode("latin-1"))
    with pytest.raises(OtherUserError):
        await guard.require_caller(request)


@pytest.mark.parametrize("usernames", [[b"Cooper12", b"header"], [b"header", b"Cooper12"]])
async def test_every_named_user_must_be_the_caller(guard: Guard, usernames: list[bytes]) -> None:
    request = name_users(*usernames)
    with pytest.raises(OtherUserError):
        await guard.require_caller(request)


@pytest.mark.parametrize("named", [{}, {"X-Username": "header"}])
async def test_a_request_that_names_its_caller_or_nobody_is_accepted(guard: Guard, named: dict[str, str]) -> None:
    request = post(BEARER | named)
    await guard.require_caller(request)
    assert request.user == Caller("header")


async def test_a_token_in_the_header_needs_no_origin(guard: Guard) -> None:
    # No browser adds this header without code, so another site's page can't use it.
    assert await guard.identify(post(BEARER | {"Origin": "https://evil.example"})) == Caller("header")


async def test_a_bad_token_in_the_header_is_refused_despite_a_good_cookie(guard: Guard, verifier: FakeVerifier) -> None:
    verifier.error = NotLoggedInError()
    with pytest.raises(NotLoggedInError):
        await guard.identify(get(BEARER | COOKIE))


@pytest.mark.parametrize("error", [NotLoggedInError(), TokenExpiredError(), KeysUnavailableError()])
async def test_an_optional_caller_is_none_without_a_good_token(
    guard: Guard, verifier: FakeVerifier, error: Exception
) -> None:
    assert await guard.identify_if_logged_in(get(COOKIE)) == Caller("cookie")
    assert await guard.identify_if_logged_in(get({})) is None
    verifier.error = error
    assert await guard.identify_if_logged_in(get(COOKIE)) is None


async def test_a_bug_in_the_verifier_surfaces(guard: Guard, verifier: FakeVerifier) -> None:
    verifier.error = RuntimeError()
    with pytest.raises(RuntimeError):
        await guard.identify_if_logged_in(get(COOKIE))


def test_an_own_origin_must_match_exactly() -> None:
    require_own_origin(post({"Origin": ORIGIN}), AUDIENCE)
    with pytest.raises(ForeignOriginError):
        require_own_origin(post({"Origin": "http://pictures.example"}), AUDIENCE)


@pytest.mark.parametrize(
    ("origin", "cookie", "is_secure"),
    [
        ("https://pictures.example", "__Host-session", True),
        ("http://localhost:8000", "session-8000", False),
        ("http://localhost", "session-80", False),
    ],
)
def test_the_cookies_name_has_the_host_prefix_or_the_port(
    origin: str,
    cookie: str,
    is_secure: bool,  # noqa: FBT001 - a table
) -> None:
    audience = Audience(origin)
    assert (audience.cookie, audience.is_secure) == (cookie, is_secure)
    assert (audience.issuer, audience.audience) == (f"{origin}/auth", origin)
