"""`uv run check-deployment` against the system, and each of its checks against a system with one fault."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from infra.check.command import CHECKS, PUT_BACK, begin, run, run_check
from infra.check.deployment import Deployment
from infra.check.picture import make_picture
from services.pictures.formats import measure
from services.uploads.objects import Declared
from tests.attack_lab import make_expired_form
from tests.conftest import make_user, only_prefix
from tests.eventually import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.check.outcome import Line
    from infra.check.visit import Visit
    from infra.local.stack import Stack
    from tests.conftest import Bucket, User

    Send = Callable[[httpx2.Request], httpx2.Response]
    Fault = Callable[[httpx2.Request, Send], httpx2.Response]

COMMAND = Path(sys.executable).parent / "check-deployment"
NOT_ON_THE_DEMO = {"https", "bucket-https", "confirm-digest", "form-expired"}
"""They need HTTPS, a bucket that takes another file, or minutes."""
ALL_CHECKS = {check.name: check for check in (*CHECKS, PUT_BACK)}


def call_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the command of this project
        [COMMAND, *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_a_correct_system_passes_and_is_left_as_it_was(stack: Stack, user: User, bucket: Bucket) -> None:
    former = bucket.read(user.avatar or "")
    ended = call_command(stack.origin, "--user", user.username)
    assert (ended.returncode, ended.stderr) == (0, "")
    head, promise, *lines, summary = ended.stdout.splitlines()
    assert head == f"Checking {stack.origin}."
    assert promise.startswith(f"{user.username} gets other avatars during the check")
    outcomes = {line[13:].split()[0]: line[:13].strip() for line in lines}
    assert list(outcomes) == list(ALL_CHECKS)
    assert {name for name, outcome in outcomes.items() if outcome == "not checked"} == NOT_ON_THE_DEMO
    assert summary == f"{len(ALL_CHECKS) - 4} ok, 0 failed, 4 not checked."
    assert bucket.read(user.avatar or "") == former
    eventually(lambda: bucket.keys(user.username) == [user.avatar])


@only_prefix
def test_a_user_without_an_avatar_has_none_afterwards(stack: Stack, bucket: Bucket) -> None:
    with make_user(stack, portrait=False) as user:
        assert run([stack.origin, "--user", user.username]) == 0
        assert user.avatar is None
        eventually(lambda: bucket.keys(user.username) == [])


@only_prefix
def test_a_failed_check_sets_the_exit_status(stack: Stack, user: User, capsys: pytest.CaptureFixture[str]) -> None:
    fault = FAULTS["referrer-policy"][1]
    assert run([f"{stack.origin}/", "--user", user.username, "--json"], Proxy(fault)) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["name"] for line in lines] == list(ALL_CHECKS)
    [failed] = [line for line in lines if line["outcome"] == "failed"]
    assert failed["name"] == "page-headers"
    assert failed["detail"] == "expected Referrer-Policy: same-origin, got no Referrer-Policy"


@only_prefix
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["http://localhost:1"], "http://localhost:1 can't be reached, or is not this project: "),
        (["{origin}", "--user", "nobody"], "The login of nobody responded 404 unknown-user."),
        (["{other_host}"], "{other_host} redirects to {origin}/users. Check that address."),
    ],
)
def test_a_system_that_cannot_be_checked_sets_the_exit_status_and_says_why(
    stack: Stack, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    names = {"origin": stack.origin, "other_host": stack.origin.replace("localhost", "127.0.0.1")}
    assert run([argument.format(**names) for argument in arguments]) == 2
    output = capsys.readouterr()
    assert output.err.startswith(message.format(**names))
    assert not output.out


@only_prefix
@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"users": []}', b'{"users": [{"username": "ada"}]}'])
def test_another_site_is_not_checked(stack: Stack, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    assert run([stack.origin], Proxy(respond("GET", EVERYWHERE, 200, content=content))) == 2
    message = (
        r"is not this project's list of users|has no users|login of ada responded 404|ada's picture: .* responded 200"
    )
    assert re.search(message, capsys.readouterr().err)


@only_prefix
def test_the_former_picture_is_put_back_after_an_interruption(
    stack: Stack, user: User, bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    former = bucket.read(user.avatar or "")

    def interrupt(request: httpx2.Request, send: Send) -> httpx2.Response:
        if request.method == "DELETE" and re.search("/uploads/avatar$", str(request.url)):
            raise KeyboardInterrupt
        return send(request)

    with pytest.raises(KeyboardInterrupt):
        run([stack.origin, "--user", user.username], Proxy(interrupt))
    *_, last = capsys.readouterr().out.splitlines()
    assert last.split()[:2] == ["ok", "put-back"]
    assert bucket.read(user.avatar or "") == former


@only_prefix
def test_a_bucket_without_cors_rules_is_found(stack: Stack, visit: Visit) -> None:
    bucket, s3 = stack.resources.bucket, stack.aws.s3
    rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    s3.delete_bucket_cors(Bucket=bucket)
    try:
        line = run_check(ALL_CHECKS["bucket-cors"], visit)
    finally:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})  # pyright: ignore[reportArgumentType]
    assert line.outcome == "failed"
    assert line.detail == f"expected Access-Control-Allow-Origin: {stack.origin}, got no such header"


def test_the_pictures_are_different_pictures_of_the_same_size() -> None:
    first, second = make_picture(), make_picture()
    assert measure(first) == measure(second) == (16, 16)
    assert first != second
    assert len(first) == len(second)


# One fault for each check.


@dataclass
class Proxy(httpx2.BaseTransport):
    """Sends requests to the system, and lets a fault change a request or its response."""

    fault: Fault

    def __post_init__(self) -> None:
        self._transport = httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.fault(request, self._send)

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        response = self._transport.handle_request(request)
        response.read()
        return response

    def close(self) -> None:
        self._transport.close()


def pass_on(request: httpx2.Request, send: Send) -> httpx2.Response:
    return send(request)


def respond(method: str, path: str, status: int, **content: Any) -> Fault:
    """Respond to such requests in place of the system."""

    def fault(request: httpx2.Request, send: Send) -> httpx2.Response:
        if request.method == method and re.search(path, str(request.url)):
            return httpx2.Response(status, **content)
        return send(request)

    return fault


def change_header(path: str, name: str, value: str | None) -> Fault:
    """Change a header of the responses to requests at such a URL, or drop it."""

    def fault(request: httpx2.Request, send: Send) -> httpx2.Response:
        response = send(request)
        if re.search(path, str(request.url)):
            response.headers.pop(name, None)
            if value is not None:
                response.headers[name] = value
        return response

    return fault


def change_json(path: str, **changes: Any) -> Fault:
    def fault(request: httpx2.Request, send: Send) -> httpx2.Response:
        response = send(request)
        if not re.search(path, str(request.url)) or not response.is_success:
            return response
        return httpx2.Response(response.status_code, json=response.json() | changes)

    return fault


PRESIGN, CONFIRM, AVATAR = "/uploads/presign$", "/uploads/confirm$", r"/uploads/avatar\?username="
PAGE_AVATAR = "/users/[^/]+/avatar$"
BUCKET = "/three-phase-upload-"
PICTURE = r"X-Amz-Signature="
LATE = "Thu, 01 Jan 2026 00:00:00 GMT"
EVERYWHERE = ""
FUTURE_ID = "pending/7fffffff-ffff-7000-8000-000000000000"

FAULTS: dict[str, tuple[str, Fault]] = {
    "cached-page": ("page", change_header("/$", "Cache-Control", "public")),
    "no-page": ("page", respond("GET", "/$", 503, html="<h1>503</h1>")),
    "referrer-policy": ("page-headers", change_header("/$", "Referrer-Policy", None)),
    "page-policy": ("page-headers", change_header("/$", "Content-Security-Policy", "default-src 'self'")),
    "sniffing": ("service-headers", change_header("/auth/", "X-Content-Type-Options", None)),
    "service-policy": ("service-headers", change_header("/uploads/", "Content-Security-Policy", None)),
    "other-errors": ("errors", respond("GET", "/uploads/nothing$", 404, json={"message": "Not Found"})),
    "open-page": ("services-cors", change_header("/users$", "Access-Control-Allow-Origin", "*")),
    "open-pictures": ("services-cors", change_header(AVATAR, "Access-Control-Allow-Origin", "*")),
    "open-services": ("services-cors", change_header(PRESIGN, "Access-Control-Allow-Origin", "*")),
    "readable-cookie": ("login", change_header("/login$", "Set-Cookie", "session=x; Path=/; SameSite=lax")),
    "everybody-logs-in": ("unknown-user", respond("POST", "/auth/login$", 200, json={})),
    "other-keys": ("key-set", change_json("jwks.json$", keys=[])),
    "no-guard": ("no-token", respond("DELETE", "/uploads/avatar$", 204)),
    "no-verification": ("altered-token", respond("GET", "/auth/me$", 200, json={"username": "somebody"})),
    "no-verification-of-uploads": ("altered-token", respond("POST", PRESIGN, 200, json={})),
    "no-origin-check": ("foreign-origin", respond("DELETE", "/uploads/avatar$", 204)),
    "named-user-ignored": ("named-user", respond("GET", "/auth/me$", 200, json={"username": "somebody"})),
    "named-user-ignored-by-uploads": ("named-user", respond("POST", PRESIGN, 200, json={})),
    "cookie-kept": ("logout", change_header("/logout$", "Set-Cookie", None)),
    "no-key": ("presign", change_json(PRESIGN, key="pending/1")),
    "long-form": ("presign", change_json(PRESIGN, expires=3600)),
    "edge-is-busy": ("presign", respond("POST", PRESIGN, 429, json={"message": "Too Many Requests"})),
    "failing-bucket": ("post", respond("POST", BUCKET, 503)),
    "other-avatar": ("confirm", change_json(CONFIRM, avatar="avatars/1")),
    "one-confirm": ("confirm-again", respond("POST", CONFIRM, 404)),
    "other-picture": ("picture", respond("GET", PICTURE, 200, content=b"other")),
    "shown-inline": ("picture", change_header(PICTURE, "Content-Disposition", None)),
    "no-redirect": ("picture", respond("GET", AVATAR, 404)),
    "no-redirect-of-the-page": ("picture", respond("GET", PAGE_AVATAR, 404)),
    "bucket-not-allowed": ("page-policy", change_header("/$", "Content-Security-Policy", "connect-src 'self'")),
    "cached-redirect": ("picture-cache", change_header(AVATAR, "Cache-Control", "public")),
    "cached-redirect-of-the-page": ("picture-cache", change_header(PAGE_AVATAR, "Cache-Control", "public")),
    "uncached-picture": ("picture-cache", change_header(PICTURE, "Cache-Control", None)),
    "public-objects": ("bucket-read", respond("GET", "/avatars/", 200, content=b"picture")),
    "public-list": ("bucket-list", respond("GET", f"{BUCKET}[^/]*$", 200, content=b"<ListBucketResult/>")),
    "anybody-posts": ("bucket-write", respond("POST", BUCKET, 204)),
    "anybody-puts": ("bucket-write", respond("PUT", BUCKET, 200)),
    "anybody-deletes": ("bucket-write", respond("DELETE", BUCKET, 204)),
    "no-cors": ("bucket-cors", change_header(BUCKET, "Access-Control-Allow-Origin", None)),
    "open-bucket": ("foreign-cors", change_header(BUCKET, "Access-Control-Allow-Origin", "*")),
    "service-is-late": ("clock-services", change_header("/uploads/", "Date", LATE)),
    "no-date": ("clock-services", change_header("/auth/", "Date", None)),
    "presign-is-ahead": ("clock-ids", change_json(PRESIGN, key=FUTURE_ID)),
    "s3-is-late": ("clock-here", change_header(BUCKET, "Date", LATE)),
    **{f"{name}-ignored": (name, respond("POST", BUCKET, 204)) for name in ALL_CHECKS if name.startswith("form-")},
    "owner-ignored": ("other-user", respond("POST", CONFIRM, 200, json={})),
    "never-posted": ("unposted", respond("POST", CONFIRM, 200, json={})),
    "content-ignored": ("no-picture", respond("POST", CONFIRM, 200, json={})),
    "order-ignored": ("older", respond("POST", CONFIRM, 200, json={})),
    "not-removed": ("removal", respond("DELETE", "/uploads/avatar$", 204)),
    "mark-ignored": ("removed", respond("POST", CONFIRM, 200, json={})),
    "removed-forever": ("after-removal", respond("POST", CONFIRM, 409)),
    "no-way-back": ("put-back", respond("POST", PRESIGN, 503)),
}
"""By name: the check that must find the fault, and the fault."""


@pytest.fixture
def visit(stack: Stack, user: User) -> Iterator[Visit]:
    """A visit as its checks find it after the three phases."""
    with httpx2.Client(timeout=PATIENCE_SECONDS) as http:
        visit = begin(Deployment(stack.origin, http), user.username, wait=False)
        visit.picture = make_picture()
        visit.form = visit.user.upload(visit.picture)
        yield visit


def run_with(visit: Visit, name: str, fault: Fault, origin: str | None = None) -> Line:
    with httpx2.Client(timeout=PATIENCE_SECONDS, transport=Proxy(fault)) as http:
        deployment = Deployment(origin or visit.deployment.origin, http)
        other = replace(visit.other, deployment=deployment) if visit.other else None
        changed = replace(visit, deployment=deployment, user=replace(visit.user, deployment=deployment), other=other)
        return run_check(ALL_CHECKS[name], changed)


@only_prefix
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_its_check(visit: Visit, fault: str) -> None:
    name, change = FAULTS[fault]
    visit.wait = lambda _: None
    line = run_with(visit, name, change)
    assert (line.name, line.outcome) == (name, "failed"), line.detail
    assert re.match(r"expected .+, got .+", line.detail)
    if name not in NOT_ON_THE_DEMO:
        assert run_with(visit, name, pass_on).outcome == "ok"


def test_every_check_is_proved_by_a_fault() -> None:
    elsewhere = {"https", "bucket-https", "confirm-digest"}
    assert {name for name, _ in FAULTS.values()} | elsewhere == set(ALL_CHECKS)


def test_a_form_is_refused_after_its_expiry(stack: Stack, strategy: str, visit: Visit) -> None:
    waited: list[float] = []
    visit.wait = waited.append

    def expire(request: httpx2.Request, send: Send) -> httpx2.Response:
        response = send(request)
        if not re.search(PRESIGN, str(request.url)):
            return response
        declared = json.loads(request.content)
        assert Declared(**declared)
        expired = make_expired_form(stack, strategy, visit.user.username, declared) | {"expires": 7}
        return httpx2.Response(200, json=response.json() | expired)

    assert run_with(visit, "form-expired", expire).outcome == "ok"
    assert waited == [12]


def test_a_file_that_a_bucket_took_by_mistake_is_refused_by_the_confirm(visit: Visit, bucket: Bucket) -> None:
    forms: list[Any] = []

    def take(request: httpx2.Request, send: Send) -> httpx2.Response:
        if request.method == "POST" and BUCKET in str(request.url):
            bucket.post_unchecked(forms[-1], make_picture())
            return httpx2.Response(204)
        response = send(request)
        if re.search(PRESIGN, str(request.url)):
            forms.append(response.json())
        return response

    def take_and_confirm(request: httpx2.Request, send: Send) -> httpx2.Response:
        return respond("POST", CONFIRM, 200, json={})(request, lambda request: take(request, send))

    assert run_with(visit, "confirm-digest", take).outcome == "ok"
    line = run_with(visit, "confirm-digest", take_and_confirm)
    assert (line.outcome, line.detail) == ("failed", "expected 422 digest-mismatch, got 200")


HTTPS = "https://pictures.example"


def refuse_connections(request: httpx2.Request, _: Send) -> httpx2.Response:
    raise httpx2.ConnectError("refused", request=request)


@only_prefix
@pytest.mark.parametrize(
    ("over_http", "page", "bucket"),
    [
        (refuse_connections, "ok", "ok"),
        (respond("GET", EVERYWHERE, 403), "ok", "ok"),
        (respond("GET", EVERYWHERE, 301, headers={"Location": f"{HTTPS}/"}), "ok", "ok"),
        (respond("GET", EVERYWHERE, 301, headers={"Location": "http://elsewhere.example"}), "failed", "ok"),
        (respond("GET", EVERYWHERE, 200), "failed", "failed"),
    ],
)
def test_nothing_may_be_shown_over_plain_http(visit: Visit, over_http: Fault, page: str, bucket: str) -> None:
    asked: list[str] = []

    def fault(request: httpx2.Request, send: Send) -> httpx2.Response:
        if re.search(AVATAR, str(request.url)):
            return httpx2.Response(303, headers={"Location": f"{HTTPS}/avatars/1?X-Amz-Signature=1"})
        asked.append(str(request.url))
        return over_http(request, send)

    assert run_with(visit, "https", fault, HTTPS).outcome == page
    assert run_with(visit, "bucket-https", fault, HTTPS).outcome == bucket
    assert asked == ["http://pictures.example", "http://pictures.example/avatars/1?X-Amz-Signature=1"]


@only_prefix
@pytest.mark.parametrize(("cookie", "outcome"), [("__Host-session", "ok"), ("session", "failed")])
@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_of_an_https_address_is_for_this_host_only(
    visit: Visit,
    cookie: str,
    outcome: str,
    secure: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    attributes = "HttpOnly; Path=/; SameSite=lax" + ("; Secure" if secure else "")
    fault = respond("POST", "/auth/login$", 200, headers={"Set-Cookie": f"{cookie}=x; {attributes}"})
    assert run_with(visit, "login", fault, HTTPS).outcome == (outcome if secure else "failed")
