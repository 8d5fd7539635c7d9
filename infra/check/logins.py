"""Checks of the login and of the access tokens."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from infra.check.deployment import OK, describe, expect, obtain
from infra.check.outcome import require
from infra.check.responses import ATTACKER
from infra.check.visit import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.check.visit import Visit

NOBODY = "nobody-of-this-name"


def check_login(visit: Visit) -> None:
    response = expect(visit.deployment.log_in(visit.user.username), "200")
    cookie = response.headers.get("Set-Cookie", "")
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    wanted = {"httponly", "samesite=lax", "path=/"}
    if visit.deployment.origin.startswith("https://"):
        wanted.add("secure")
        require(cookie.startswith("__Host-"), "a cookie with the prefix __Host-", cookie.partition("=")[0])
    missing = sorted(wanted - attributes)
    require(not missing, f"a cookie with {', '.join(sorted(wanted))}", f"none of {', '.join(missing)}")


def check_unknown_user(visit: Visit) -> None:
    expect(visit.deployment.log_in(NOBODY), "404 unknown-user")


def check_key_set(visit: Visit) -> None:
    response = expect(visit.deployment.call("GET", "/auth/.well-known/jwks.json"), "200")
    kid = _decode(visit.user.token.split(".")[0])["kid"]
    published = [key["kid"] for key in response.json()["keys"]]
    require(kid in published, "the key that signed the token", "another key set")


def check_no_token(visit: Visit) -> None:
    for method, path in (("POST", "/uploads/presign"), ("POST", "/uploads/confirm"), ("DELETE", "/uploads/avatar")):
        expect(visit.deployment.call(method, path, json={}), "401 not-logged-in")


def check_altered_token(visit: Visit) -> None:
    header, claims, signature = visit.user.token.split(".")
    other = _encode(_decode(claims) | {"sub": visit.other.username if visit.other else NOBODY})
    unsigned = _encode(_decode(header) | {"alg": "none"})
    for token in (f"{header}.{other}.{signature}", f"{unsigned}.{claims}.", f"{header}.{claims}.{signature[::-1]}"):
        for response in _call_services(visit, {"Authorization": f"Bearer {token}"}):
            expect(response, "401 not-logged-in")


def check_foreign_origin(visit: Visit) -> None:
    for origin in (ATTACKER, None):
        expect(visit.user.call_with_cookie("POST", "/uploads/presign", origin, json={}), "403 foreign-origin")
        expect(visit.user.call_with_cookie("DELETE", "/uploads/avatar", origin), "403 foreign-origin")


def check_named_user(visit: Visit) -> None:
    for response in _call_services(visit, {"Authorization": f"Bearer {visit.user.token}", "X-Username": NOBODY}):
        expect(response, "409 other-user")


def check_logout(visit: Visit) -> None:
    own = visit.deployment.origin
    me = obtain(visit.user.call_with_cookie("GET", "/auth/me", own), OK, "/auth/me with the session cookie")
    require(me.json()["username"] == visit.user.username, visit.user.username, me.json()["username"])
    response = expect(visit.user.call_with_cookie("POST", "/auth/logout", own), "204")
    cookie = response.headers.get("Set-Cookie", "")
    name, _, _ = visit.user.cookie.partition("=")
    is_deleted = cookie.startswith(f"{name}=") and "max-age=0" in cookie.lower()
    require(is_deleted, "a response that deletes the cookie", cookie or describe(response))


def _call_services(visit: Visit, headers: dict[str, str]) -> Iterator[httpx2.Response]:
    """The responses of the services that need a token. The presign is refused before its body is read."""
    for method, path in visit.choose(auth=("GET", "/auth/me"), uploads=("POST", "/uploads/presign")):
        yield visit.deployment.call(method, path, headers=headers, json={} if method == "POST" else None)


def _decode(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def _encode(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


CHECKS = (
    Check("login", "A login returns a token, and a cookie that scripts can't read", check_login, "auth"),
    Check("unknown-user", "An unknown user can't log in", check_unknown_user, "auth"),
    Check("key-set", "The key set has the key that signs the tokens", check_key_set, "auth"),
    Check("no-token", "Uploading and removing need a token", check_no_token),
    Check("altered-token", "A token that was altered or is not signed is refused", check_altered_token),
    Check("foreign-origin", "The cookie can't be used from another origin's page", check_foreign_origin, "auth"),
    Check("named-user", "A request that names another user is refused", check_named_user),
    Check("logout", "The cookie logs in, and a logout deletes it", check_logout, "auth"),
)
