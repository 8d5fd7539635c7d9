"""A page logs its user in with an OpenID Connect provider, in Chromium, and uploads a picture with the access token."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import jwt
import pytest
from playwright.sync_api import expect

from infra.local.gateway import PAGES_PATH
from infra.local.ports import pick_free_ports
from infra.local.stack import Options, run_processes, start_system
from services.store.keys import make_username
from services.store.table import Row, make_key, read_row, write_row
from tests import web
from tests.browsing import PHOTOGRAPH, only_chromium
from tests.conftest import DECLARED
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.npm import install_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import httpx2
    from playwright.sync_api import Browser, Page

    from infra.local.clients import Aws
    from infra.local.stack import Stack

pytestmark = only_chromium

HERE = Path(__file__).parent
AUDIENCE = "https://pictures.example"
PAGE = f"{PAGES_PATH}/"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_packages(HERE / "provider", tmp_path_factory.mktemp("provider"))


@pytest.fixture(scope="module")
def issuer() -> str:
    return f"http://localhost:{pick_free_ports(1)[0]}"


@pytest.fixture(scope="module")
def pages(packages: Path, issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(HERE / "page", folder, dirs_exist_ok=True)
    shutil.copy(packages / "node_modules/oauth4webapi/build/index.js", folder / "oauth4webapi.js")
    (folder / "settings.js").write_text(f'export const ISSUER = "{issuer}", AUDIENCE = "{AUDIENCE}";\n')
    return folder


@pytest.fixture(scope="module")
def stack(aws: Aws, pages: Path, issuer: str) -> Iterator[Stack]:
    """A system that accepts the provider's tokens. It starts before the provider."""
    options = Options(
        port=0,
        pages=pages,
        issuer=issuer,
        audience=AUDIENCE,
        presigns_per_minute=0,
        name=f"three-phase-upload-{uuid.uuid4().hex[:12]}",
    )
    with run_processes() as processes:
        yield start_system(aws, processes, options, lambda _part, _where: None)


@dataclass(frozen=True)
class Provider:
    process: subprocess.Popen[str]

    def publish(self, algorithm: str, *keys: str) -> None:
        """Let it publish these keys, and sign with the first one."""
        assert self.process.stdin
        assert self.process.stdout
        line = " ".join([algorithm, *keys])
        print(line, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline().strip() == line


@contextlib.contextmanager
def run_provider(folder: Path, *arguments: str) -> Generator[Provider]:
    command = ["node", str(folder / "provider.mjs"), *arguments]
    with subprocess.Popen(  # noqa: S603 - the program beside this file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield Provider(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def provider(packages: Path, stack: Stack, issuer: str) -> Iterator[Provider]:
    with run_provider(packages, issuer.rpartition(":")[2], stack.origin, AUDIENCE) as provider:
        provider.publish("RS256", "one")
        yield provider


@pytest.fixture
def page(browser: Browser, stack: Stack, provider: Provider) -> Iterator[Page]:
    del provider
    with browser.new_context() as context:
        page = context.new_page()
        # The provider's own form imports a font.
        page.route("https://fonts.googleapis.com/**", lambda route: route.fulfill(content_type="text/css", body=""))
        page.goto(f"{stack.origin}{PAGE}")
        yield page


def log_in(page: Page, name: str) -> str:
    """Log in at the provider, agree to what the page asks for, and return the access token."""
    page.get_by_role("button", name="Log in").click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("output")).to_have_text("Logged in")
    return page.evaluate("token")


def add_row(stack: Stack, name: str) -> Callable[[], Row]:
    """Add a row of this user, and return a function that reads it."""
    aws, table, username = stack.aws, stack.resources.table, make_username(name)
    aws.dynamodb.put_item(TableName=table, Item=write_row(Row(username, "Somebody")))

    def read() -> Row:
        found = aws.dynamodb.get_item(TableName=table, Key=make_key(username), ConsistentRead=True)
        return read_row(found.get("Item", {}))

    return read


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
@pytest.mark.parametrize("name", ["auth0|6475f2a1c0ffee0011223344", "ada@example.com"])
def test_a_page_logs_in_and_uploads(page: Page, provider: Provider, stack: Stack, algorithm: str, name: str) -> None:
    provider.publish(algorithm, f"key for {name}".replace(" ", "-"))
    read = add_row(stack, name)
    token = eventually_accepted(stack, log_in(page, name))
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == (name, AUDIENCE)
    assert jwt.get_unverified_header(token)["alg"] == algorithm

    page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
    expect(page.locator("output")).to_contain_text("avatars/")
    confirmed = json.loads(page.locator("output").inner_text())
    assert confirmed["username"] == make_username(name)
    assert read().avatar == confirmed["avatar"]
    head = stack.aws.s3.head_object(Bucket=stack.resources.bucket, Key=confirmed["avatar"])
    assert head["Metadata"]["username"] == make_username(name)
    of_frontend = f"{stack.origin}/users/{quote(make_username(name), safe='')}/avatar"
    for url in (confirmed["url"], of_frontend):
        assert web.get(url, follow_redirects=True).content == PHOTOGRAPH.read_bytes()
    logs = "".join(file.read_text() for file in stack.processes.logs.glob("*.log"))
    assert make_username(name) in logs
    assert "ada@example.com" not in logs


def test_the_demos_page_offers_no_login(page: Page, stack: Stack) -> None:
    page.goto(stack.origin)
    expect(page.locator("[data-user]").first).to_be_visible()
    expect(page.get_by_role("button", name="Log in as")).to_have_count(0)


def test_the_keys_are_rotated_while_requests_run(page: Page, provider: Provider, stack: Stack) -> None:
    """The provider publishes the next key, signs with it, and then removes the former one."""
    provider.publish("ES256", "former", "next")
    add_row(stack, "rotating")
    former = eventually_accepted(stack, log_in(page, "rotating"))
    with keep_presigning(stack, former) as statuses:
        provider.publish("ES256", "next", "former")
        page.context.clear_cookies()
        page.goto(f"{stack.origin}{PAGE}")
        new = log_in(page, "rotating")
        assert jwt.get_unverified_header(new)["kid"] == "ES256 next"
        assert presign(stack, new).status_code == 200  # at once, since the key was published before
        provider.publish("ES256", "next")
        seen = len(statuses)
        eventually(lambda: len(statuses) > seen + 10)
    assert set(statuses) == {200}


def presign(stack: Stack, token: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return web.post(f"{stack.origin}/uploads/presign", json=DECLARED, headers=headers)


def eventually_accepted(stack: Stack, token: str) -> str:
    """The token, once the services have fetched a key that was published in the last ten seconds."""
    eventually(lambda: presign(stack, token).status_code == 200)
    return token


@contextlib.contextmanager
def keep_presigning(stack: Stack, token: str) -> Generator[list[int]]:
    """The status codes of presigns that are sent one after another until the end."""
    statuses: list[int] = []
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            statuses.append(presign(stack, token).status_code)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        thread.join(PATIENCE_SECONDS)
