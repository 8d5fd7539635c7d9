"""`uv run check-deployment` against the system, and each of its checks against a system with one fault."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import subprocess
import sys
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import httpx2
import pytest

from infra.check.command import CHECKS, PUT_BACK, begin, run, run_check
from infra.check.deployment import Deployment
from infra.check.picture import make_picture
from infra.check.tokens import read_token
from infra.local.stack import Options, Stack, run_processes, start_system
from infra.seed.people import PORTRAITS, Person
from infra.seed.seeds import make_row
from services.pictures.formats import measure
from services.store.keys import make_username
from services.uploads.objects import Declared
from tests.attack_lab import make_expired_form
from tests.conftest import Bucket, make_user, only_prefix
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.security.services import run_other_server
from tests.security.tokens import API, Forger, LocalKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.check.outcome import Line
    from infra.check.visit import Service, Visit
    from infra.local.clients import Aws
    from tests.conftest import User

    Send = Callable[[httpx2.Request], httpx2.Response]
    Fault = Callable[[httpx2.Request, Send], httpx2.Response]


class StartWithIssuer(Protocol):
    def __call__(
        self, *, only: Literal["uploads"] | None, new_users: Literal["refuse", "create"] = "refuse"
    ) -> Stack: ...


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
    head, promise, *_, summary = ended.stdout.splitlines()
    assert head == f"Checking {stack.origin}."
    assert promise.startswith(f"{user.username} gets other avatars during the check")
    outcomes = read_outcomes(ended.stdout)
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
        prepare(visit)
        yield visit


def prepare(visit: Visit) -> None:
    visit.picture = make_picture()
    visit.form = visit.user.upload(visit.picture)


def run_with(visit: Visit, name: str, fault: Fault, origin: str | None = None) -> Line:
    with httpx2.Client(timeout=PATIENCE_SECONDS, transport=Proxy(fault)) as http:
        deployment = Deployment(origin or visit.deployment.origin, http)
        other = replace(visit.other, deployment=deployment) if visit.other else None
        changed = replace(visit, deployment=deployment, user=replace(visit.user, deployment=deployment), other=other)
        return run_check(ALL_CHECKS[name], changed)


@only_prefix
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_by_its_check(visit: Visit, fault: str) -> None:
    expect_fault(visit, fault)


def expect_fault(visit: Visit, fault: str) -> None:
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


# With access tokens of another issuer.

KEY = LocalKey("ES256")
OF_THE_LOGIN = {"login", "unknown-user", "key-set", "foreign-origin", "logout"}
OF_THE_PAGE = {"page", "page-headers", "page-policy"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with run_other_server() as server:
        yield server.issue(KEY.jwk)


@pytest.fixture(scope="module")
def start_with_issuer(aws: Aws, strategy: Literal["prefix", "tag"], issuer: str) -> Iterator[StartWithIssuer]:
    """Start a system that accepts the issuer's tokens, with these options."""
    with contextlib.ExitStack() as running:

        @functools.cache
        def start(*, only: Literal["uploads"] | None, new_users: Literal["refuse", "create"] = "refuse") -> Stack:
            options = Options(
                port=0,
                pending=strategy,
                only=only,
                issuer=issuer,
                audience=API,
                new_users=new_users,
                name=f"three-phase-upload-{uuid.uuid4().hex[:12]}",
            )
            return start_system(aws, running.enter_context(run_processes()), options, lambda _part, _where: None)

        yield start


@pytest.fixture
def write_token(issuer: str, tmp_path: Path) -> Callable[[str], str]:
    """Write an access token of this name to a file, and return the file's name."""

    def write(name: str) -> str:
        file = tmp_path / make_username(name)
        file.write_text(Forger.of_other_issuer(KEY, issuer, name).sign() + "\n")
        return str(file)

    return write


def make_row_of(stack: Stack, name: str) -> str:
    """Give the user of this name a row with a picture, and return the username."""
    person = Person(make_username(name), name, PORTRAITS[0])
    row = make_row(stack.aws.s3, stack.resources.bucket, person)
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=row)
    return person.username


def read_outcomes(printed: str) -> dict[str, str]:
    return {line[13:].split()[0]: line[:13].strip() for line in printed.splitlines()[2:-1]}


def test_a_deployment_without_page_and_login_is_checked_with_tokens(
    start_with_issuer: StartWithIssuer, write_token: Callable[[str], str]
) -> None:
    stack = start_with_issuer(only="uploads")
    username, _ = (make_row_of(stack, name) for name in ("ada@example.com", "bob@example.com"))
    bucket = Bucket(stack.aws, stack.resources.bucket)
    [former] = bucket.keys(username)
    content = bucket.read(former)
    files = ["--token-file", write_token("ada@example.com"), "--other-token-file", write_token("bob@example.com")]
    ended = call_command(stack.origin, *files)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    assert f"{username} gets other avatars during the check" in ended.stdout
    outcomes = read_outcomes(ended.stdout)
    assert list(outcomes) == list(ALL_CHECKS)
    not_checked = {name for name, outcome in outcomes.items() if outcome == "not checked"}
    assert not_checked == NOT_ON_THE_DEMO | OF_THE_LOGIN | OF_THE_PAGE
    eventually(lambda: len(bucket.keys(username)) == 1)
    [key] = bucket.keys(username)
    assert key != former
    assert bucket.read(key) == content


def test_the_page_of_a_deployment_with_another_issuer_is_checked(
    start_with_issuer: StartWithIssuer, write_token: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = start_with_issuer(only=None, new_users="create")
    assert run([stack.origin]) == 2
    assert "A deployment without the demo's page or login needs --token-file." in capsys.readouterr().err
    assert run([stack.origin, "--token-file", write_token("carol@example.com")]) == 0
    outcomes = read_outcomes(capsys.readouterr().out)
    not_checked = {name for name, outcome in outcomes.items() if outcome == "not checked"}
    assert not_checked == NOT_ON_THE_DEMO | OF_THE_LOGIN | {"other-user"}


@only_prefix
def test_a_token_that_the_services_refuse_is_reported_with_the_reason(
    start_with_issuer: StartWithIssuer, issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = start_with_issuer(only="uploads")
    file = tmp_path / "token"
    file.write_text(token := Forger.of_other_issuer(KEY, issuer, "ada").sign(aud="https://other.example"))
    assert run([stack.origin, "--token-file", str(file)]) == 2
    error = capsys.readouterr().err
    assert error == (
        "A presign with the access token responded 401 not-logged-in: The token was issued for another audience.\n"
    )
    assert token not in error


@only_prefix
def test_a_user_without_a_row_is_reported_before_the_check(
    start_with_issuer: StartWithIssuer, write_token: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = start_with_issuer(only="uploads")
    assert run([stack.origin, "--token-file", write_token("dora")]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("dora has no row, so no upload of this user can be confirmed.")
    assert not output.out


@only_prefix
@pytest.mark.parametrize(
    "fault",
    [
        "service-policy",
        "other-errors",
        "open-pictures",
        "open-services",
        "no-guard",
        "no-verification-of-uploads",
        "named-user-ignored-by-uploads",
        "no-redirect",
        "other-picture",
        "cached-redirect",
        "no-cors",
        "service-is-late",
        "owner-ignored",
        "order-ignored",
        "not-removed",
        "no-way-back",
    ],
)
def test_a_fault_is_found_without_page_and_login(
    start_with_issuer: StartWithIssuer, write_token: Callable[[str], str], fault: str
) -> None:
    stack = start_with_issuer(only="uploads")
    names = [f"{fault}-{number}" for number in (1, 2)]
    for name in names:
        make_row_of(stack, name)
    with httpx2.Client(timeout=PATIENCE_SECONDS) as http:
        tokens = [read_token(write_token(name)) for name in names]
        visit = begin(Deployment(stack.origin, http), None, tokens, wait=False)
        prepare(visit)
        expect_fault(visit, fault)


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
@pytest.mark.parametrize(("services", "path"), [(("uploads", "frontend"), ""), (("uploads",), "/uploads/healthz")])
def test_nothing_may_be_shown_over_plain_http(
    visit: Visit, over_http: Fault, page: str, bucket: str, services: tuple[Service, ...], path: str
) -> None:
    visit.services = services
    asked: list[str] = []

    def fault(request: httpx2.Request, send: Send) -> httpx2.Response:
        if re.search(AVATAR, str(request.url)):
            return httpx2.Response(303, headers={"Location": f"{HTTPS}/avatars/1?X-Amz-Signature=1"})
        asked.append(str(request.url))
        return over_http(request, send)

    assert run_with(visit, "https", fault, HTTPS).outcome == page
    assert run_with(visit, "bucket-https", fault, HTTPS).outcome == bucket
    assert asked == [f"http://pictures.example{path}", "http://pictures.example/avatars/1?X-Amz-Signature=1"]


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
