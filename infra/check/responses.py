"""Checks of HTTPS, headers and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from infra.check.deployment import REDIRECT, describe, expect, obtain
from infra.check.outcome import CheckFailedError, NotCheckedError, require
from infra.check.visit import Check

if TYPE_CHECKING:
    from infra.check.visit import Visit

ATTACKER = "https://attacker.example"
HTTP_SECONDS = 5
"""Timeout of a request over plain HTTP, which a deployment may leave without a response."""


def check_https(visit: Visit) -> None:
    origin = visit.deployment.origin
    if not origin.startswith("https://"):
        raise NotCheckedError(f"the address is {origin}")
    try:
        # Both paths have a response with status 200 over HTTPS.
        url = origin.replace("https://", "http://") + ("" if "frontend" in visit.services else "/uploads/healthz")
        response = visit.deployment.call("GET", url, timeout=HTTP_SECONDS)
    except httpx2.TransportError:
        return
    is_redirected = response.is_redirect and response.headers.get("Location", "").startswith("https://")
    require(is_redirected or response.is_error, "no page over plain HTTP", describe(response))


def check_page(visit: Visit) -> None:
    response = expect(visit.deployment.call("GET", "/"), "200")
    _expect_header(response, "Content-Type", "text/html")
    _expect_header(response, "Cache-Control", "no-store")


def check_page_headers(visit: Visit) -> None:
    response = visit.deployment.call("GET", "/")
    _expect_policy(response, "default-src 'none'", "frame-ancestors 'none'", "script-src 'self'")
    _expect_header(response, "X-Content-Type-Options", "nosniff")
    _expect_header(response, "Referrer-Policy", "same-origin")
    _expect_header(response, "Cross-Origin-Opener-Policy", "same-origin")


def check_page_policy(visit: Visit) -> None:
    bucket = httpx2.URL(visit.confirmed["url"])
    origin = f"{bucket.scheme}://{bucket.netloc.decode()}"
    response = visit.deployment.call("GET", "/")
    _expect_policy(response, f"connect-src 'self' {origin}", f"img-src 'self' blob: {origin}")


def check_service_headers(visit: Visit) -> None:
    calls = visit.choose(auth=("GET", "/auth/.well-known/jwks.json"), uploads=("POST", "/uploads/presign"))
    for method, path in calls:
        response = visit.deployment.call(method, path)
        _expect_policy(response, "default-src 'none'", "frame-ancestors 'none'")
        _expect_header(response, "X-Content-Type-Options", "nosniff")


def check_errors(visit: Visit) -> None:
    for path in visit.choose(auth="/auth/nothing", uploads="/uploads/nothing", frontend="/nothing"):
        response = expect(visit.deployment.call("GET", path), "404 not-found")
        _expect_header(response, "Content-Type", "application/problem+json")


def check_services_cors(visit: Visit) -> None:
    calls = [
        ("GET", visit.user.picture_path),
        ("OPTIONS", "/uploads/presign"),
        *visit.choose(frontend=("GET", "/users")),
    ]
    for method, path in calls:
        headers = {"Origin": ATTACKER, "Access-Control-Request-Method": "POST"}
        response = visit.deployment.call(method, path, headers=headers)
        allowed = response.headers.get("Access-Control-Allow-Origin")
        require(allowed is None, f"no Access-Control-Allow-Origin from {path}", allowed)


def check_picture_cache(visit: Visit) -> None:
    # `tag`: a picture can be posted again while its form is valid, so caches must ask.
    expected = "no-cache" if "upload_token" in visit.confirmed else "public, max-age=31536000, immutable"
    for path in visit.picture_paths:
        found = obtain(visit.deployment.call("GET", path), REDIRECT, "redirect to the picture")
        _expect_header(found, "Cache-Control", "no-cache")
        _expect_header(visit.deployment.call("GET", found.headers["Location"]), "Cache-Control", expected)


def _expect_header(response: httpx2.Response, name: str, value: str) -> None:
    found = response.headers.get(name)
    require(found is not None and found.startswith(value), f"{name}: {value}", found or f"no {name}")


def _expect_policy(response: httpx2.Response, *directives: str) -> None:
    policy = response.headers.get("Content-Security-Policy", "")
    found = [directive.strip() for directive in policy.split(";")]
    for directive in directives:
        if directive not in found:
            raise CheckFailedError(f"{directive} in Content-Security-Policy", policy or "no policy")


CHECKS_BEFORE = (
    Check("https", "The address is HTTPS, and plain HTTP shows no page", check_https),
    Check("page", "The page loads, and is not cached", check_page, "frontend"),
    Check("page-headers", "The page has its security headers", check_page_headers, "frontend"),
    Check("service-headers", "The services' responses have their security headers", check_service_headers),
    Check("errors", "Errors are problem details (application/problem+json)", check_errors),
    Check("services-cors", "The services allow no other origin to read responses", check_services_cors),
)
CHECKS_WITH_PICTURE = (
    Check("page-policy", "The page's Content-Security-Policy allows the bucket", check_page_policy, "frontend"),
    Check("picture-cache", "Browsers cache the picture, and not the redirect to it", check_picture_cache),
)
