from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.openapi import ResponseSpec
from litestar.params import JSONBody, SkipValidation

from services.auth.tokens import Tokens
from services.auth.users import Users
from services.auth.verifier import Audience, Caller, require_own_origin
from services.metrics import Metrics
from services.problems import describe_problems
from services.rate_limits import RateLimit, find_caller_address


class LoginRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: Annotated[str, msgspec.Meta(max_length=256, examples=["Cooper12"])]


class LoginAnswer(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: Annotated[int, msgspec.Meta(description="Seconds.")]
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme (RFC 6750), not a secret


class WhoAmI(msgspec.Struct, frozen=True):
    username: str


@post(
    "/auth/login",
    status_code=200,
    sync_to_thread=True,
    responses=describe_problems(400, 403, 404, 413, 415, 429, 503),
)
def login(
    request: Request[Any, Any, Any],
    data: JSONBody[LoginRequest],
    users: SkipValidation[Users],
    tokens: SkipValidation[Tokens],
    audience: SkipValidation[Audience],
    logins: SkipValidation[RateLimit],
    metrics: SkipValidation[Metrics],
) -> Response[LoginAnswer]:
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
    responses=describe_problems(403, 415) | {204: ResponseSpec(None, description="The cookie is cleared")},
)
async def logout(request: Request[Any, Any, Any], audience: SkipValidation[Audience]) -> Response[None]:
    # A form of another site comes without the cookie, which is SameSite, and its answer would clear it all the same.
    if "Origin" in request.headers or audience.cookie in request.cookies:
        require_own_origin(request, audience)
    return Response(None, cookies=[_session(audience, "", 0)])


@get("/auth/me", responses=describe_problems(401, 415, 503))
async def me(caller: SkipValidation[Caller]) -> WhoAmI:
    return WhoAmI(username=caller.username)


@get("/auth/.well-known/jwks.json", cache_control=None, response_headers={"Cache-Control": "public, max-age=60"})
async def key_set(tokens: SkipValidation[Tokens]) -> dict[str, list[dict[str, str]]]:
    return tokens.key_set


@get(["/healthz", "/auth/healthz"], include_in_schema=False)
async def healthz() -> dict[str, str]:
    return {"status": "ok"}


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
