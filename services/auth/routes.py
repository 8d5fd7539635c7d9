from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from services.auth import examples
from services.auth.settings import JWKS_PATH
from services.auth.tokens import Tokens
from services.auth.users import Users
from services.web.callers.guard import Guard, find_session_cookie, require_named_user, require_own_origin
from services.web.callers.identity import Audience, Caller
from services.web.metrics import Metrics
from services.web.openapi import CALLER
from services.web.rate_limits import RateLimit, find_caller_address


class LoginRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: Annotated[str, msgspec.Meta(max_length=256, description="A user in the table.")]


class LoginResponse(msgspec.Struct, frozen=True):
    access_token: Annotated[str, msgspec.Meta(description="A JWT, signed with ES256.")]
    expires_in: Annotated[int, msgspec.Meta(description="Lifetime of the token, seconds.")]
    token_type: Literal["Bearer"]


class PublicKey(msgspec.Struct, frozen=True):
    """A JSON Web Key (RFC 7517) for ES256."""

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    kid: Annotated[str, msgspec.Meta(description="Thumbprint of the key (RFC 7638).")]
    use: Literal["sig"]
    alg: Literal["ES256"]


class KeySetResponse(msgspec.Struct, frozen=True):
    keys: list[PublicKey]


class MeResponse(msgspec.Struct, frozen=True):
    username: Annotated[str, msgspec.Meta(description="The user whom the token names.")]


def make_routes(
    audience: Audience,
    other_origins: Collection[str],
    guard: Guard,
    users: Users,
    tokens: Tokens,
    logins: RateLimit,
    metrics: Metrics,
) -> list[HTTPRouteHandler]:
    @post(
        "/auth/login",
        status_code=200,
        sync_to_thread=True,
        summary="Log in",
        description="Returns the same access token twice: in the body for programs, in a cookie for browsers.",
        response_description="Logged in.",
        operation_class=examples.LOGIN,
        responses=examples.LOGIN_PROBLEMS,
    )
    def login(request: Request[Any, Any, Any], data: JSONBody[LoginRequest]) -> Response[LoginResponse]:
        # A page of another site must not log its visitors in as a user of its choice. Programs send no `Origin`.
        origins = request.headers.getall("Origin", [])
        is_other = len(origins) == 1 and origins[0] in other_origins
        if origins and not is_other:
            require_own_origin(request, audience)
        logins.take(find_caller_address(request))
        users.require(data.username)
        token = tokens.issue(data.username)
        metrics.count("LoggedIn")
        return Response(
            LoginResponse(access_token=token, expires_in=tokens.lifetime, token_type="Bearer"),  # noqa: S106 - a scheme
            # A page of another origin sends the token itself. The cookie is for the system's own page.
            cookies=[] if is_other else [_make_cookie(audience, token, tokens.lifetime)],
        )

    @post(
        "/auth/logout",
        status_code=204,
        summary="Log out",
        description="Deletes the session cookie. The access token itself stays valid until it expires.",
        operation_class=examples.LOGOUT,
        responses=examples.LOGOUT_PROBLEMS,
    )
    async def logout(request: Request[Any, Any, Any]) -> Response[None]:
        # A form on another site is sent without the SameSite cookie, but the response would delete the cookie.
        if "Origin" in request.headers or find_session_cookie(request, audience) is not None:
            require_own_origin(request, audience)
        if caller := await guard.identify_if_logged_in(request):
            require_named_user(request, caller)
        return Response(None, cookies=[_make_cookie(audience, "", 0)])

    @get(
        "/auth/me",
        summary="Get the current user",
        description="The user whom the access token names. A page learns from it who is logged in.",
        response_description="The user whom the token names.",
        operation_class=examples.ME,
        responses=examples.ME_PROBLEMS,
        security=CALLER,
        before_request=guard.require_caller,
    )
    async def get_me(request: Request[Caller, Any, Any]) -> MeResponse:
        return MeResponse(username=request.user.username)

    @get(
        JWKS_PATH,
        cache_control=None,
        response_headers={"Cache-Control": "public, max-age=60"},
        summary="Get the key set",
        description="The public keys that verify access tokens (JWKS, RFC 7517). During a key rotation there are two.",
        response_description="The key set.",
        operation_class=examples.KEY_SET,
        responses=examples.KEY_SET_PROBLEMS,
    )
    async def get_key_set() -> KeySetResponse:
        return msgspec.convert(tokens.key_set, KeySetResponse)

    @get(["/healthz", "/auth/healthz"], include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return [login, logout, get_me, get_key_set, healthz]


def _make_cookie(audience: Audience, token: str, seconds: int) -> Cookie:
    return Cookie(
        key=audience.cookie,
        value=token,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=audience.is_secure,
    )
