"""The clients of docs/uploading.md for FilePond, Dropzone, axios and a mobile app, run as printed."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from infra.local.gateway import PAGES_PATH
from services.uploads.picture import UNREADABLE as REFUSAL
from tests.browsing import PHOTOGRAPH, only_chromium
from tests.conftest import only_prefix
from tests.docs.snippets import PAGE as DOCUMENT
from tests.docs.snippets import find_snippet, find_snippets
from tests.npm import install_packages

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors
    from tests.conftest import Bucket, StartStack, User

pytestmark = only_prefix

PACKAGES = Path(__file__).with_name("uploading")
PAGE = '<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Avatar</title>{}<p role="status"></p>'
SHOWN = "labelFileProcessingError: (error) => error.body"
"""Option of FilePond with which it shows the reason."""


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages, and esbuild."""
    return install_packages(PACKAGES, tmp_path_factory.mktemp("npm"))


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack, pages: Path) -> Stack:
    """A system that serves the clients."""
    return start_stack(aws, strategy, "more-pages", pages=pages)


def bundle(packages: Path, name: str, script: str, *options: str) -> str:
    (packages / name).write_text(script)
    command = ["node_modules/.bin/esbuild", name, "--bundle", "--format=esm", *options]
    return subprocess.run(command, cwd=packages, capture_output=True, text=True, check=True).stdout  # noqa: S603 - the pinned esbuild


@dataclass(frozen=True)
class Client:
    heading: str
    element: str
    chooser: str
    done: str
    """Text of the page after the confirm."""


CLIENTS = [
    Client("FilePond", '<input type="file">', "input[type=file]", "Upload complete"),
    Client("Dropzone", "<div></div>", ".dz-hidden-input", "This is your avatar now."),
]


@pytest.fixture(params=CLIENTS, ids=lambda client: client.heading)
def client(request: pytest.FixtureRequest, page: Page, user: User, pages: Path, packages: Path) -> Client:
    """Open the page of this client, logged in as the test's user."""
    client: Client = request.param
    script = find_snippet(client.heading, "js")
    if client.heading == "FilePond":
        assert SHOWN in find_text(client.heading)
        script = script.replace("  server: {", f"  {SHOWN},\n  server: {{")
    (pages / "index.html").write_text(PAGE.format(client.element) + '<script type="module" src="upload.js"></script>')
    (pages / "upload.js").write_text(bundle(packages, "client.js", find_functions() + script))
    page.context.request.post(f"{user.stack.origin}/auth/login", data={"username": user.username})
    page.goto(f"{user.stack.origin}{PAGES_PATH}/")
    return client


def find_text(heading: str) -> str:
    return DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def find_functions() -> str:
    """The functions of the form's script, without its event listener."""
    return find_snippet("A form and fetch", "js").partition("form.addEventListener")[0]


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff and no picture")
    return file


@only_chromium
def test_the_client_uploads_and_shows_a_refused_confirm(
    page: Page, user: User, bucket: Bucket, damaged: Path, browser_errors: BrowserErrors, client: Client
) -> None:
    before = user.avatar
    browser_errors.expect("422")
    page.locator(client.chooser).set_input_files(damaged)
    expect(page.get_by_text(REFUSAL).first).to_be_attached()
    assert user.avatar == before

    page.reload()
    page.locator(client.chooser).set_input_files(PHOTOGRAPH)
    expect(page.get_by_text(client.done).first).to_be_attached()
    assert user.avatar not in {None, before}
    assert bucket.read(str(user.avatar)) == PHOTOGRAPH.read_bytes()


def log_in(user: User) -> str:
    response = user.http.post(f"{user.stack.origin}/auth/login", json={"username": user.username})
    return response.json()["access_token"]


def declare(picture: bytes) -> dict[str, Any]:
    digest = base64.b64encode(hashlib.sha256(picture).digest()).decode()
    return {"content_type": "image/jpeg", "size": len(picture), "sha256": digest}


def test_the_axios_client_uploads_with_a_default_access_token(
    user: User, bucket: Bucket, packages: Path, tmp_path: Path
) -> None:
    before = user.avatar
    program = f"""{find_snippet("axios", "js")}
import {{ readFile }} from "node:fs/promises";
const [origin, token, file, declared] = process.argv.slice(2);
axios.defaults.baseURL = origin;
axios.defaults.headers.common.Authorization = `Bearer ${{token}}`;
console.log((await upload(new Blob([await readFile(file)]), JSON.parse(declared))).key);
"""
    script = tmp_path / "axios.mjs"
    script.write_text(bundle(packages, "axios.js", program, "--platform=node", "--banner:js=" + REQUIRE))
    declared = json.dumps(declare(PHOTOGRAPH.read_bytes()))
    command = ["node", str(script), user.stack.origin, log_in(user), str(PHOTOGRAPH), declared]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the document's program
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == user.avatar != before
    assert bucket.read(str(user.avatar)) == PHOTOGRAPH.read_bytes()


REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
"""Packages that esbuild bundles for Node call `require` for Node's own modules."""


def test_the_mobile_apps_requests_upload_as_printed(user: User, bucket: Bucket) -> None:
    presign, post, confirm = (block.replace("\n", "\r\n").encode() for block in find_snippets("A mobile app", "http"))
    before, picture = user.avatar, PHOTOGRAPH.read_bytes()
    origin, declared = user.stack.origin, declare(picture)
    values = {"TOKEN": log_in(user), "SIZE": str(declared["size"]), "SHA256": declared["sha256"]}
    form: dict[str, Any] = json.loads(send(origin, presign, values))
    pinned: dict[str, str] = form["fields"]
    url: str = form["url"]

    head, start, rest = post.partition(b"--part\r\n")
    field, boundary, file = rest.partition(b"--part\r\n")
    fields = b"".join(
        start + field.replace(b"NAME", name.encode()).replace(b"VALUE", value.encode())
        for name, value in pinned.items()
    )
    request = head.replace(b"/BUCKET", urlsplit(url).path.encode()) + fields + boundary
    assert send(url, request + file.replace(b"BYTES", picture), {}) == b""

    confirmed = json.loads(send(origin, confirm, {**values, "KEY": form["key"]}))
    assert confirmed["key"] == user.avatar != before
    assert bucket.read(str(user.avatar)) == picture


def send(url: str, request: bytes, values: dict[str, str]) -> bytes:
    """Send the printed request with these values to the host of the URL, and return the body of the response."""
    head, separator, body = request.partition(b"\r\n\r\n")
    for name, value in values.items():
        body = body.replace(name.encode(), value.encode())
    host = urlsplit(url).netloc
    lines = head.decode().replace("LENGTH", str(len(body))).replace("TOKEN", values.get("TOKEN", "")).split("\r\n")
    lines = [f"Host: {host}" if line.startswith("Host:") else line for line in lines]
    connection = http.client.HTTPConnection(host)
    connection.connect()
    connection.sock.sendall("\r\n".join(lines).encode() + separator + body)
    response = http.client.HTTPResponse(connection.sock, method="POST")
    response.begin()
    content = response.read()
    connection.close()
    assert response.status in {200, 204}, content
    return content
