"""Checks of the bucket: nobody reads or writes it without a signature, and only the page's origin may use forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from infra.check.deployment import describe, expect_refusal
from infra.check.outcome import NotCheckedError, require
from infra.check.picture import make_picture
from infra.check.responses import ATTACKER, HTTP_SECONDS
from infra.check.visit import Check

if TYPE_CHECKING:
    from infra.check.visit import Visit


def check_read(visit: Visit) -> None:
    location = httpx2.URL(visit.user.find_picture().headers.get("Location", ""))
    if not location.host:
        raise NotCheckedError("there is no redirect to a picture")
    expect_refusal(visit.deployment.call("GET", str(location.copy_with(query=None))))


def check_list(visit: Visit) -> None:
    expect_refusal(visit.deployment.call("GET", visit.confirmed["url"]))


def check_write(visit: Visit) -> None:
    form = visit.confirmed
    fields = {"key": form["key"], "Content-Type": "image/png"}
    expect_refusal(visit.user.post(form, make_picture(), fields))
    target = form["url"].rstrip("/") + "/" + form["key"]
    expect_refusal(visit.deployment.call("PUT", target, content=make_picture()))
    expect_refusal(visit.deployment.call("DELETE", target))


def check_bucket_https(visit: Visit) -> None:
    location = visit.user.find_picture().headers.get("Location", "")
    if not location.startswith("https://"):
        raise NotCheckedError(f"the bucket's address is {visit.confirmed['url']}")
    try:
        # The signature is the same for both schemes, so only the bucket's policy can refuse this request.
        response = visit.deployment.call("GET", location.replace("https://", "http://", 1), timeout=HTTP_SECONDS)
    except httpx2.TransportError:
        return
    require(response.is_error or response.is_redirect, "a refusal over plain HTTP", describe(response))


def check_cors(visit: Visit) -> None:
    origin = visit.deployment.origin
    allowed = _preflight(visit, origin).headers.get("Access-Control-Allow-Origin")
    require(allowed == origin, f"Access-Control-Allow-Origin: {origin}", allowed or "no such header")
    response = visit.user.post(visit.user.obtain_form(picture := make_picture()), picture[:-1])
    allowed = response.headers.get("Access-Control-Allow-Origin")
    require(allowed == origin, f"Access-Control-Allow-Origin: {origin} with a refusal", allowed or "no such header")


def check_foreign_cors(visit: Visit) -> None:
    allowed = _preflight(visit, ATTACKER).headers.get("Access-Control-Allow-Origin")
    require(allowed is None, f"no Access-Control-Allow-Origin for {ATTACKER}", allowed)


def _preflight(visit: Visit, origin: str) -> httpx2.Response:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    return visit.deployment.call("OPTIONS", visit.confirmed["url"], headers=headers)


CHECKS = (
    Check("bucket-read", "A picture can't be read without a signature", check_read),
    Check("bucket-list", "The bucket can't be listed without a signature", check_list),
    Check("bucket-write", "Nothing can be posted, put or deleted without a signature", check_write),
    Check("bucket-https", "The bucket refuses plain HTTP", check_bucket_https),
    Check("bucket-cors", "Pages of the address may post forms and read the responses", check_cors),
    Check("foreign-cors", "Pages of other origins may not read the bucket's responses", check_foreign_cors),
)
