from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from services.auth import examples
from services.auth.tokens import Tokens
from services.auth.users import Users
from services.web.callers.guard import Guard, require_own_origin
from services.web.callers.identity import Audience, Caller
from services.web.metrics import Metrics
from services.web.openapi import CALLER
from services.web.rate_limits import RateLimit, find_caller_address


class LoginRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: Annotated[str, msgspec.Meta(max_length=256, description="Of a user in the table.")]


class LoginAnswer(msgspec.Struct, frozen=True):
    access_token: Annotated[str, msgspec.Meta(description="A JWT, signed with ES256.")]
    expires_in: Annotated[int, msgspec.Meta(description="Seconds.")]
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme (RFC 6750), not a secret


class WhoAmI(msgspec.Struct, frozen=True):
    username: Annotated[str, msgspec.Meta(description="Of the caller.")]


def make_routes(
    audience: Audience, guard: Guard, users: Users, tokens: Tokens, logins: RateLimit, metrics: Metrics
) -> list[HTTPRouteHandler]:
    @post(
        "/auth/login",
        status_code=200,
        sync_to_thread=True,
        summary="Log in",
        description="The same token twice: in the body for programs, and as the session cookie for browsers.",
        response_description="Logged in.",
        operation_class=examples.LOGIN,
        responses=examples.LOGIN_PROBLEMS,
    )
    def login(request: Request[Any, Any, Any], data: JSONBody[LoginRequest]) -> Response[LoginAnswer]:
        # Another site must not log its visitors in here as a user of its choosing; programs send no Origin.
        if "Origin" in request.headers:
            require_own_origin(request, audience)
        logins.take(find_caller_address(request))
        users.require(data.username)
        token = tokens.issue(data.username)
        metrics.count("LoggedIn")
        return Response(
            LoginAnswer(access_token=token, expires_in=tokens.lifetime),
            cookies=[_session(audience, token, tokens.lifetime)],
        )

    @post(
        "/auth/logout",
        status_code=204,
        summary="Log out",
        description="Clears the session cookie. The token itself is good until its time is over.",
        operation_class=examples.LOGOUT,
        responses=examples.LOGOUT_PROBLEMS,
    )
    async def logout(request: Request[Any, Any, Any]) -> Response[None]:
        # Another site's form is sent without the SameSite cookie, but the response would clear the cookie all the same.
        if "Origin" in request.headers or audience.cookie in request.cookies:
            require_own_origin(request, audience)
        return Response(None, cookies=[_session(audience, "", 0)])

    @get(
        "/auth/me",
        summary="Who am I",
        response_description="Whose token or cookie it is.",
        operation_class=examples.ME,
        responses=examples.ME_PROBLEMS,
        security=CALLER,
        guards=[guard.require_caller],
    )
    async def me(request: Request[Caller, Any, Any]) -> WhoAmI:
        return WhoAmI(username=request.user.username)

    @get(
        "/auth/.well-known/jwks.json",
        cache_control=None,
        response_headers={"Cache-Control": "public, max-age=60"},
        summary="The public keys",
        description="Whoever has them can verify an access token (RFC 7517). While keys are replaced there are two.",
        response_description="The key set.",
        operation_class=examples.KEY_SET,
        responses=examples.KEY_SET_PROBLEMS,
    )
    async def key_set() -> dict[str, list[dict[str, str]]]:
        return tokens.key_set

    @get(["/healthz", "/auth/healthz"], include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return [login, logout, me, key_set, healthz]


def _session(audience: Audience, token: str, seconds: int) -> Cookie:
    return Cookie(
        key=audience.cookie,
        value=token,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=audience.is_secure,
    )
