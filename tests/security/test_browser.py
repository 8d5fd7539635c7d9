"""Attacks by pages of other sites with a visitor's session, and by text that the page shows."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from infra.local.command_endpoint import RESET_PATH, SWEEP_PATH
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.faults import FAULTS_PATH
from services.frontend.cursor import encode_cursor
from services.store.kinds import AVATAR
from services.store.table import make_key
from services.web.callers.identity import Audience
from tests import web
from tests.conftest import DECLARED, only_prefix
from tests.pictures import make_picture
from tests.security.services import OtherServer, run_other_server, run_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx2
    from playwright.sync_api import Page, Response

    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors, Site
    from tests.conftest import User
    from tests.security.conftest import Refused, Untouched

# These attacks are the same under both strategies.
pytestmark = only_prefix

HOSTS = ("127.0.0.1", "localhost")
"""Another site, and another port of the same site, to which SameSite does not apply."""

FORM = """([action, enctype, name, value]) => {
    const form = document.createElement("form");
    Object.assign(form, { action, method: "post" });
    if (enctype) form.enctype = enctype;
    if (name) form.append(Object.assign(document.createElement("input"), { name, value }));
    document.body.append(form);
    form.submit();
}"""

FETCH = """([url, body, type]) => fetch(url, {
    method: "POST",
    mode: "no-cors",
    credentials: "include",
    body: type === null ? new Blob([body]) : new Blob([body], { type }),
}).then(() => "sent", () => "not sent")"""

FETCH_JSON = """([url, body]) => fetch(url, {
    method: "POST",
    credentials: "include",
    headers: { "Content-Type": "application/json" },
    body,
}).then(() => "answered", () => "not sent")"""

BEACON = """([url, body]) => navigator.sendBeacon(url, new Blob([body], { type: "text/plain" }))"""


@pytest.fixture
def other_server() -> Iterator[OtherServer]:
    with run_other_server() as running:
        yield running


@pytest.fixture
def visitor(site: Site, user: User) -> Page:
    """The page of a logged-in user."""
    site.log_in(user.username)
    return site.page


@dataclass(frozen=True)
class Attacker:
    """A page of another origin that the visitor opens in the same browser."""

    page: Page
    origin: str
    """The origin of the system."""
    other_server: OtherServer
    host: str
    browser_errors: BrowserErrors

    def open(self, document: str) -> None:
        self.page.goto(
            self.other_server.serve("/page", f"<!doctype html><link rel=icon href=data:,>{document}", self.host)
        )

    def post(self, path: str, body: Any) -> None:
        """Send the request in every way that needs no CORS preflight, and as JSON, which needs one."""
        text = json.dumps(body)
        # A text/plain form sends name, equals sign, value: the equals sign falls into the last string of the JSON.
        name, value = text[:-2], text[-2:]
        for enctype in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            self.submit(path, 415, enctype, name, value)
        self.open("Another site")
        for content_type in ("text/plain", "text/plain; application/json", None):
            self._expect(path, 415, FETCH, [self.origin + path, text, content_type])
        self._expect(path, 415, BEACON, [self.origin + path, text])
        self.browser_errors.expect("console: Access to fetch", "net::ERR_FAILED")
        assert self.page.evaluate(FETCH_JSON, [self.origin + path, text]) == "not sent"

    def submit(self, path: str, status: int, *fields: str) -> None:
        """Submit a form, which navigates the page. `fields`: enctype, name and value of its field."""
        self.open("Another site")
        sent = self._expect(path, status, FORM, [self.origin + path, *fields]).request.all_headers()
        assert ("session-" in sent.get("cookie", "")) is (self.host == "localhost")
        self.page.wait_for_url(self.origin + path)

    def _expect(self, path: str, status: int, script: str, arguments: list[Any]) -> Response:
        def is_expected(answer: Response) -> bool:
            return answer.url == self.origin + path and answer.request.method == "POST"

        self.browser_errors.expect(f"status of {status}")
        with self.page.expect_response(is_expected) as caught:
            self.page.evaluate(script, arguments)
        assert caught.value.status == status
        assert "set-cookie" not in caught.value.all_headers()
        return caught.value


@pytest.fixture
def attackers(visitor: Page, stack: Stack, other_server: OtherServer, browser_errors: BrowserErrors) -> list[Attacker]:
    return [Attacker(visitor, stack.origin, other_server, host, browser_errors) for host in HOSTS]


CONTENT_TYPE_REFUSED = "415 unsupported-media-type; not sent as JSON"


def is_logged_in(site: Site, user: User) -> bool:
    site.open()
    return "Current user" in site.card(user.username).inner_text()


# Pages of other origins


def test_a_login_by_another_site(
    attackers: list[Attacker], site: Site, user: User, other_user: User, refused: Refused
) -> None:
    """A victim who is logged in as the attacker would upload pictures to the attacker's account."""
    for attacker in attackers:
        attacker.post("/auth/login", {"username": other_user.username})
    refused.record(CONTENT_TYPE_REFUSED)
    assert is_logged_in(site, user)


def test_a_logout_by_another_site(attackers: list[Attacker], site: Site, user: User, refused: Refused) -> None:
    """A logout needs no cookie: its response would clear the cookie even after a cross-site form."""
    for attacker in attackers:
        attacker.submit("/auth/logout", 403)
    refused.record("403 foreign-origin")
    assert is_logged_in(site, user)


def test_a_presign_by_another_site(attackers: list[Attacker], refused: Refused) -> None:
    for attacker in attackers:
        attacker.post("/uploads/presign", DECLARED)
    refused.record(CONTENT_TYPE_REFUSED)


def test_a_confirm_by_another_site(
    attackers: list[Attacker], user: User, refused: Refused, untouched: Untouched
) -> None:
    """The upload is the visitor's own and pending. The token at the end contains the equals sign of a form."""
    form = user.upload_unconfirmed("image/png", make_picture())
    untouched.except_object(form["key"])
    for attacker in attackers:
        attacker.post("/uploads/confirm", {"key": form["key"], "upload_token": ""})
    refused.record(CONTENT_TYPE_REFUSED)


ORIGINS = [
    None,
    "",
    "null",
    "https://evil.example",
    "https{own}",
    "http{own}.evil.example",
    "http{own}/",
    "HTTP{own}",
    "http://localhost",
    "http{own} https://evil.example",
]


def test_the_session_cookie_with_another_origin(stack: Stack, user: User, refused: Refused) -> None:
    """The request is JSON, which browsers do not let another origin send. The `Origin` check is a second defence."""
    session = {"Cookie": f"{Audience(stack.origin).cookie}={user.http.headers['Authorization'].split()[1]}"}
    own = stack.origin.removeprefix("http")
    with web.Client(base_url=stack.origin, headers=session) as client:
        for origin in ORIGINS:
            headers = {} if origin is None else {"Origin": origin.replace("{own}", own)}
            for path, body in (
                ("/uploads/presign", DECLARED),
                ("/uploads/confirm", {"key": f"{AVATAR.pending_prefix}x"}),
                ("/auth/logout", None),
            ):
                refused.by_service(client.post(path, json=body, headers=headers), 403, "foreign-origin")
            if origin is not None:
                answer = client.post("/auth/login", json={"username": user.username}, headers=headers)
                refused.by_service(answer, 403, "foreign-origin")
                assert "Set-Cookie" not in answer.headers


ALLOWED = "https://app.example.com"

SIMILAR = [
    "https://evil.example",
    "null",
    "*",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com/",
    "HTTPS://APP.EXAMPLE.COM",
    "https://app.example.com.evil.example",
    "https://evil-app.example.com",
    "https://appxexample.com",
    f"{ALLOWED}, https://evil.example",
    f"{ALLOWED},https://evil.example",
]
"""Origins that are not allowed where only `ALLOWED` is."""


@pytest.fixture
def open_service(stack: Stack, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Run a service that pages of `ALLOWED` may call, and return its URL."""
    with contextlib.ExitStack() as running:
        yield lambda name: running.enter_context(run_service(stack, name, tmp_path, ALLOWED_ORIGINS=ALLOWED))


def find_cors_headers(answer: httpx2.Response) -> list[str]:
    return [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_responses_read_by_an_origin_that_is_not_allowed(
    open_service: Callable[[str], str], user: User, refused: Refused
) -> None:
    url = open_service("uploads") + "/uploads/presign"
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    token = {"Authorization": user.http.headers["Authorization"]}
    with web.Client() as client:
        allowed = client.post(url, json=DECLARED, headers=token | {"Origin": ALLOWED})
        refused_by_gate = client.get(f"{url}/{'x' * 1000}", headers={"Origin": ALLOWED})
        assert (allowed.status_code, refused_by_gate.status_code) == (200, 400)
        for answer in (allowed, refused_by_gate):
            assert answer.headers["Access-Control-Allow-Origin"] == ALLOWED
        for origin in SIMILAR:
            for answer in (
                client.options(url, headers=preflight | {"Origin": origin}),
                client.post(url, json=DECLARED, headers=token | {"Origin": origin}),
            ):
                assert not find_cors_headers(answer)
                # A cache must not send it to a page of the allowed origin either.
                assert answer.headers["Vary"] == "Origin"
        both = client.post(url, json=DECLARED, headers=[*token.items(), ("Origin", ALLOWED), ("Origin", SIMILAR[0])])
        assert not find_cors_headers(both)
    refused.record("no header of CORS")


def test_the_session_cookie_with_an_allowed_origin(
    stack: Stack, open_service: Callable[[str], str], user: User, refused: Refused
) -> None:
    """A page of an allowed origin on the same site, such as another port of localhost, is sent with the cookie."""
    session = f"{Audience(stack.origin).cookie}={user.http.headers['Authorization'].split()[1]}"
    headers = {"Cookie": session, "Origin": ALLOWED}
    url = open_service("uploads")
    for answer in (
        web.post(f"{url}/uploads/presign", json=DECLARED, headers=headers),
        web.post(f"{url}/uploads/confirm", json={"key": f"{AVATAR.pending_prefix}x"}, headers=headers),
        web.delete(f"{url}/uploads/avatar", headers=headers),
    ):
        refused.by_service(answer, 403, "foreign-origin")
        assert "Access-Control-Allow-Credentials" not in answer.headers
    me = web.get(f"{open_service('auth')}/auth/me", headers=headers)
    assert me.json()["username"] == user.username
    # Without this header a browser shows the page no response to a request with a cookie.
    assert "Access-Control-Allow-Credentials" not in me.headers


def test_a_login_that_sets_a_cookie_for_an_allowed_origin(
    stack: Stack, open_service: Callable[[str], str], user: User, refused: Refused
) -> None:
    """A browser keeps the cookie of a response that it does not show. The page could log its visitors in as a user."""
    url = open_service("auth")
    body = {"username": user.username}
    answer = web.post(f"{url}/auth/login", json=body, headers={"Origin": ALLOWED})
    assert answer.json()["access_token"]
    assert "Set-Cookie" not in answer.headers
    assert "Set-Cookie" in web.post(f"{url}/auth/login", json=body, headers={"Origin": stack.origin}).headers
    refused.by_service(web.post(f"{url}/auth/logout", headers={"Origin": ALLOWED}), 403, "foreign-origin")
    refused.record("a token and no cookie")


def test_the_demos_state_changed_by_another_site(stack: Stack, refused: Refused) -> None:
    """The clock, a sweep and the emulator's reset need no login. The emulator itself serves no page."""
    own = stack.origin.removeprefix("http")
    foreign = {origin.replace("{own}", own) for origin in ORIGINS if origin is not None}
    endpoints = {
        stack.origin + LIFECYCLE_PATH: foreign,
        stack.origin + SWEEP_PATH: foreign,
        stack.origin + RESET_PATH: foreign,
        stack.origin + FAULTS_PATH: foreign,
        stack.aws.endpoint + LIFECYCLE_PATH: foreign | {stack.origin, stack.aws.endpoint},
        stack.aws.endpoint + RESET_PATH: foreign | {stack.origin, stack.aws.endpoint},
        stack.aws.endpoint + FAULTS_PATH: foreign | {stack.origin, stack.aws.endpoint},
        stack.aws.endpoint + "/_ministack/reset": foreign | {stack.origin, stack.aws.endpoint},
        stack.aws.endpoint + "/_ministack/config": foreign | {stack.origin, stack.aws.endpoint},
    }
    before = web.get(stack.origin + LIFECYCLE_PATH).json()["days_ahead"]
    for url, origins in endpoints.items():
        for origin in origins:
            answer = web.post(url, json={"days": 1}, headers={"Origin": origin})
            refused.by_service(answer, 403, "foreign-origin")
        for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            answer = web.post(url, content=b'{"days": 1}', headers={"Content-Type": content_type})
            refused.by_service(answer, 415, "unsupported-media-type")
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            refused.by_service(web.request(method, url, json={"days": 1}), 405, "method-not-allowed")
    assert web.get(stack.origin + LIFECYCLE_PATH).json()["days_ahead"] == before


def test_the_emulator_called_by_another_site(stack: Stack, refused: Refused) -> None:
    """A page needs a preflight request before it signs one to DynamoDB, KMS or IAM. Only forms are allowed."""
    for origin in ("https://evil.example", "null", stack.origin):
        for names in ("authorization,content-type,x-amz-target", "x-amz-target", "Content-Type, Authorization"):
            headers = {
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": names,
            }
            answer = web.request("OPTIONS", stack.aws.endpoint, headers=headers)
            refused.by_service(answer, 403, "foreign-origin")
            assert not [name for name in answer.headers if name.lower().startswith("access-control-allow")]
        credential = "Credential=root/20261126/eu-central-1/iam/aws4_request"
        signed = {"Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature={'0' * 64}"}
        answer = web.post(stack.aws.endpoint, content=b"{}", headers=signed | {"Origin": origin})
        refused.by_service(answer, 403, "foreign-origin")
        query = f"Action=ListUsers&Version=2010-05-08&X-Amz-{credential}&X-Amz-Signature={'0' * 64}"
        for headers in ({"Origin": origin}, {}):
            answer = web.get(f"{stack.aws.endpoint}/?{query}", headers=headers)
            refused.by_service(answer, 403, "foreign-origin")


def test_responses_read_by_another_site(
    attackers: list[Attacker], browser_errors: BrowserErrors, refused: Refused
) -> None:
    browser_errors.expect("console: Access to fetch", "net::ERR_FAILED")
    read = """(url) => fetch(url, { credentials: "include" }).then((answer) => answer.text(), () => "skipped")"""
    for attacker in attackers:
        attacker.open("Another site")
        for path in ("/", "/auth/me", "/users", "/inspector/objects", "/inspector/users"):
            assert attacker.page.evaluate(read, attacker.origin + path) == "skipped"
    refused.record("blocked by the browser (no CORS)")


def test_the_page_in_a_frame(attackers: list[Attacker], browser_errors: BrowserErrors, refused: Refused) -> None:
    """Clickjacking of the page and of other responses."""
    browser_errors.expect("frame-ancestors 'none'", "status of 404")
    paths = ("/", "/users", "/auth/schema", "/uploads/nothing", "/static/icon.svg")
    for attacker in attackers:
        attacker.open("".join(f"<iframe src='{attacker.origin}{path}'></iframe>" for path in paths))
        frames = attacker.page.main_frame.child_frames
        assert len(frames) == len(paths)
        for frame in frames:
            frame.wait_for_url("chrome-error://chromewebdata/")
    refused.record("frame-ancestors 'none'")


def test_a_reference_to_the_pages_window(attackers: list[Attacker], refused: Refused) -> None:
    for attacker in attackers:
        attacker.open("Another site")
        with attacker.page.context.expect_page() as caught:
            attacker.page.evaluate("(url) => { window.opened = open(url); }", attacker.origin)
        caught.value.wait_for_url(attacker.origin + "/")
        assert caught.value.evaluate("window.opener") is None
        assert attacker.page.evaluate("window.opened.closed") is True
    refused.record("severed by Cross-Origin-Opener-Policy")


# Script in the page


INJECTIONS = {
    "inline-script": (
        "script-src-elem",
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
        }""",
    ),
    "event-handler": (
        "script-src-attr",
        """() => {
            const button = document.createElement("button");
            button.setAttribute("onclick", "window.injected = true");
            document.body.append(button);
            button.click();
        }""",
    ),
    "foreign-script": (
        "script-src-elem",
        """(bucket) => new Promise((resolve) => {
            const script = document.createElement("script");
            script.src = `${bucket}/three-phase-upload/script.js`;
            script.onerror = resolve;
            document.body.append(script);
        })""",
    ),
    "inline-style": (
        "style-src-elem",
        """() => {
            const style = document.createElement("style");
            style.textContent = "body { --injected: yes }";
            document.body.append(style);
            window.injected = getComputedStyle(document.body).getPropertyValue("--injected") || undefined;
        }""",
    ),
    "form": (
        "form-action",
        """() => {
            const form = document.createElement("form");
            form.action = "/auth/logout";
            form.method = "post";
            document.body.append(form);
            form.submit();
        }""",
    ),
    "frame": (
        "frame-src",
        """() => {
            const frame = document.createElement("iframe");
            frame.src = "/users";
            document.body.append(frame);
        }""",
    ),
    "base": (
        "base-uri",
        """() => {
            const base = document.createElement("base");
            base.href = "http://127.0.0.1/";
            document.head.append(base);
        }""",
    ),
}


@pytest.mark.parametrize("kind", INJECTIONS)
def test_script_injected_into_the_page(
    site: Site, stack: Stack, browser_errors: BrowserErrors, kind: str, refused: Refused
) -> None:
    directive, script = INJECTIONS[kind]
    browser_errors.expect(f"Content-Security-Policy: {directive} blocked", "console: ")
    site.open()
    site.page.evaluate(script, stack.aws.endpoint)
    site.page.wait_for_function("() => window.violations > 0")
    assert site.page.evaluate("typeof window.injected") == "undefined"
    refused.record(f"blocked by {directive}")


def test_a_request_from_the_page_to_another_host(
    site: Site, stack: Stack, browser_errors: BrowserErrors, refused: Refused
) -> None:
    browser_errors.expect("Content-Security-Policy: connect-src blocked", "console: ")
    site.open()
    fetched = site.page.evaluate(
        "(url) => fetch(url).then(() => 'fetched', () => 'refused')", f"{stack.services['frontend']}/users"
    )
    assert fetched == "refused"
    site.page.wait_for_function("() => window.violations > 0")
    refused.record("blocked by connect-src")


def test_third_party_script_in_the_openapi_documents(stack: Stack, refused: Refused) -> None:
    """HTML pages for OpenAPI documents load scripts from other hosts, which would run at the system's origin."""
    for path in ("/auth/schema", "/uploads/schema", "/schema"):
        described = web.get(stack.origin + path)
        assert described.status_code == 200
        assert described.headers["Content-Type"] == "application/vnd.oai.openapi+json"
        assert described.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        for ui in ("swagger", "redoc", "elements", "rapidoc", "scalar"):
            assert web.get(f"{stack.origin}{path}/{ui}").status_code == 404
    refused.record("only JSON is served")


def test_a_response_treated_as_a_page(stack: Stack, user: User, refused: Refused) -> None:
    """No response is sniffed, runs a script or may be framed, whatever its content."""
    token = {"Authorization": user.http.headers["Authorization"]}
    answers = [
        web.request(method, stack.origin + path, headers=token)
        for method, path in (
            ("GET", "/"),
            ("GET", "/static/page.js"),
            ("GET", "/static/nothing"),
            ("GET", "/nothing"),
            ("GET", "/users"),
            ("GET", f"/users/{user.username}/avatar"),
            ("GET", "/inspector/objects"),
            ("GET", "/auth/me"),
            ("GET", "/auth/nothing"),
            ("POST", "/auth/login"),
            ("POST", "/auth/logout"),
            ("POST", "/uploads/presign"),
            ("POST", "/uploads/confirm"),
            ("GET", "/uploads/nothing"),
        )
    ]
    for answer in answers:
        assert answer.headers["X-Content-Type-Options"] == "nosniff", answer.url
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
    refused.record("nosniff, default-src and frame-ancestors 'none' on every response")


# Script in the data that the tables show

SCRIPT = """<img src=x onerror="window.injected = true"> "'><script>window.injected = true</script> {{ 7 * 7 }}"""


def open_at_row(site: Site, stack: Stack, username: str) -> None:
    """Open the page at the cursor before this user's row, without following links."""
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.resources.table)
    usernames = [row["Username"].get("S", "") for page in pages for row in page["Items"]]
    before = usernames[: usernames.index(username)]
    site.page.goto(f"{site.origin}/?rows={encode_cursor(before[-1])}" if before else site.origin)


def expect_no_script_ran(site: Site) -> None:
    expect(site.page.locator('img[src="x"], body script')).to_have_count(0)
    assert site.page.evaluate("typeof window.injected") == "undefined"


@pytest.mark.parametrize("portrait", [True, False])
def test_script_in_a_users_name(site: Site, user: User, stack: Stack, refused: Refused, *, portrait: bool) -> None:
    row = {"Username": {"S": user.username}, "Name": {"S": user.name}, "Avatar": {"S": user.avatar}}
    hostile: dict[str, Any] = {**row, "Name": {"S": SCRIPT}}
    if not portrait:
        del hostile["Avatar"]
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=hostile)
    try:
        site.log_in(user.username)
        open_at_row(site, stack, user.username)
        expect(site.card(user.username).get_by_role("heading")).to_have_text(SCRIPT)
        expect(site.row(user.username).locator("td").nth(1)).to_have_text(SCRIPT)
        drawn = site.card(user.username).locator(".avatar")
        if portrait:
            expect(drawn).to_have_attribute("alt", f"Avatar of {SCRIPT}")
        else:
            expect(drawn).to_have_attribute("aria-label", f"{SCRIPT} has no avatar yet")
            expect(drawn).to_have_text("<S")
        expect_no_script_ran(site)
    finally:
        stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=row)  # pyright: ignore[reportArgumentType] - a literal of the right shape
    refused.record("shown as text")


def test_script_in_a_username(site: Site, stack: Stack, refused: Refused) -> None:
    """Nobody can log in with such a username, but a row may have it."""
    key = make_key(SCRIPT)
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=key | {"Name": {"S": "Hostile"}})
    try:
        refused.by_service(web.post(f"{stack.origin}/auth/login", json={"username": SCRIPT}), 404, "unknown-user")
        open_at_row(site, stack, SCRIPT)
        shown = site.table.locator("tr", has_text=SCRIPT)
        expect(shown.locator("td").first).to_have_text(SCRIPT)
        expect_no_script_ran(site)
    finally:
        stack.aws.dynamodb.delete_item(TableName=stack.resources.table, Key=key)
    refused.record("shown as text")


def show_object(site: Site, stack: Stack, user: User, **hostile: Any) -> None:
    """Put an object with this text and expect the page to show it as text."""
    key: Any = {"Bucket": stack.resources.bucket, "Key": f"avatars/{user.username}{hostile.pop('suffix', '')}"}
    stack.aws.s3.put_object(**key, Body=b"x", **hostile)
    try:
        # Objects are listed by name in descending order, and this name sorts before every id.
        site.open()
        shown = site.bucket.locator("tr", has_text=key["Key"])
        # A long value of metadata is shortened, and the whole value is its title.
        expect(shown.get_by_title(SCRIPT).or_(shown.get_by_text(SCRIPT))).to_be_visible()
        expect_no_script_ran(site)
    finally:
        stack.aws.s3.delete_object(**key)


def test_script_in_a_key(site: Site, stack: Stack, user: User, refused: Refused) -> None:
    show_object(site, stack, user, suffix=SCRIPT)
    refused.record("shown as text")


def test_script_in_metadata(site: Site, stack: Stack, user: User, refused: Refused) -> None:
    show_object(site, stack, user, Metadata={"note": SCRIPT})
    refused.record("shown as text")


def test_script_in_a_content_type(site: Site, stack: Stack, user: User, refused: Refused) -> None:
    show_object(site, stack, user, ContentType=f"text/html{SCRIPT}")
    refused.record("shown as text")


# The session cookie


def test_the_session_read_by_script(site: Site, user: User, refused: Refused) -> None:
    site.log_in(user.username)
    (session,) = site.page.context.cookies()
    assert session.get("httpOnly") is True
    assert session.get("sameSite") == "Lax"
    assert site.page.evaluate("document.cookie") == ""
    assert site.page.evaluate("localStorage.length + sessionStorage.length") == 0
    refused.record("HttpOnly")


def test_the_session_cookie_on_another_host_or_without_https(
    stack: Stack, user: User, tmp_path: Path, refused: Refused
) -> None:
    """Over HTTPS the cookie is Secure, and browsers do not let another host set a `__Host-` cookie."""
    origin = "https://pictures.example"
    with run_service(stack, "auth", tmp_path, ORIGIN=origin) as auth, web.Client(base_url=auth) as client:
        answer = client.post("/auth/login", json={"username": user.username}, headers={"Origin": origin})
        (session,) = SimpleCookie(answer.headers["Set-Cookie"]).values()
        assert session.key == "__Host-session"
        assert (session["path"], session["domain"], session["secure"], session["httponly"]) == ("/", "", True, True)
        assert (session["samesite"].lower(), session["max-age"]) == ("lax", "3600")
        whoami = client.get("/auth/me", headers={"Cookie": f"__Host-session={session.value}"})
        assert whoami.json() == {"username": user.username}
        # Another host, or a page without HTTPS, could set this cookie.
        refused.by_service(client.get("/auth/me", headers={"Cookie": f"session={session.value}"}), 401, "not-logged-in")
    refused.record("__Host-, Secure, no Domain")


def test_a_login_at_another_port_of_the_host(stack: Stack, user: User, tmp_path: Path, refused: Refused) -> None:
    """Cookies belong to a host and not to a port, so each of two systems gets both cookies and must use its own."""
    with contextlib.ExitStack() as running, web.Client() as browser:
        systems: dict[str, str] = {}
        for origin in ("http://localhost:8080", "http://localhost:8081"):
            folder = tmp_path / origin.rpartition(":")[2]
            folder.mkdir()
            systems[origin] = running.enter_context(run_service(stack, "auth", folder, ORIGIN=origin))
            browser.post(f"{systems[origin]}/auth/login", json={"username": user.username}).raise_for_status()
        first, second = systems.values()
        for url in (first, second):
            assert browser.get(f"{url}/auth/me").json() == {"username": user.username}
        browser.post(f"{second}/auth/logout", headers={"Origin": "http://localhost:8081"}).raise_for_status()
        refused.by_service(browser.get(f"{second}/auth/me"), 401, "not-logged-in")
        assert browser.get(f"{first}/auth/me").json() == {"username": user.username}


@pytest.mark.parametrize("call", ["presign", "confirm", "removal", "logout"])
def test_a_call_by_a_page_that_shows_another_user(
    stack: Stack, http: httpx2.Client, user: User, other_user: User, refused: Refused, untouched: Untouched, call: str
) -> None:
    """One tab shows a user while another tab logs in as another one: both have the cookie of the latter."""
    form = user.upload_unconfirmed("image/png", make_picture())
    untouched.except_object(form["key"])
    method, path, body = {
        "presign": ("POST", "/uploads/presign", DECLARED),
        "confirm": ("POST", "/uploads/confirm", {"key": form["key"]}),
        "removal": ("DELETE", "/uploads/avatar", None),
        "logout": ("POST", "/auth/logout", {}),
    }[call]
    http.post("/auth/login", json={"username": other_user.username}).raise_for_status()
    headers = {"Origin": stack.origin, "X-Username": user.username}
    refused.by_service(http.request(method, path, json=body, headers=headers), 409, "other-user")
    assert http.get("/auth/me", headers={"X-Username": other_user.username}).json() == {"username": other_user.username}
    refused.by_service(http.get("/auth/me", headers=headers), 409, "other-user")
