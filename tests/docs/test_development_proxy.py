"""The development proxy of docs/your-app.md: Vite with the documented configuration, in front of the demo."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import httpx2
import pytest
from playwright.sync_api import expect

from infra.local.ports import pick_free_ports
from tests import web
from tests.browsing import PHOTOGRAPH, only_chromium
from tests.conftest import DECLARED, only_prefix
from tests.docs.port_mapping import DOCUMENTED
from tests.docs.snippets import find_snippet, skip_or_fail
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.conftest import Bucket, StartStack, User

pytestmark = only_prefix

PACKAGES = Path(__file__).with_name("your_app")
INSTALL_SECONDS = 600
DOCUMENTED_PORT = "port: 3000"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Vite."""
    folder = tmp_path_factory.mktemp("vite")
    shutil.copytree(PACKAGES, folder, dirs_exist_ok=True)
    if not (npm := shutil.which("npm")):
        skip_or_fail("There is no npm to install Vite with")
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    result = subprocess.run(  # noqa: S603 - npm with the packages in package-lock.json
        install, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if result.returncode:
        skip_or_fail(f"Vite could not be installed: {result.stderr}")
    return folder


@pytest.fixture(scope="session")
def port() -> int:
    [port] = pick_free_ports(1)
    return port


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack, port: int) -> Stack:
    return start_stack(aws, strategy, "proxy", origins=(f"http://localhost:{port}",), only="uploads")


@pytest.fixture
def proxy(stack: Stack, user: User, packages: Path, port: int) -> Iterator[str]:
    """The origin of Vite's server, with the documented page for this test's user."""
    config = find_snippet("A development proxy", "js", "your-app.md")
    assert DOCUMENTED_PORT in config
    (packages / "vite.config.mjs").write_text(
        config.replace(DOCUMENTED, stack.origin).replace(DOCUMENTED_PORT, f"port: {port}")
    )
    heading = "A page at another origin"
    (packages / "index.html").write_text(
        find_snippet(heading, "html", "your-app.md").replace("<title>", "<link rel=icon href=data:,><title>")
    )
    script = find_snippet(heading, "js", "your-app.md")
    (packages / "upload.js").write_text(script.replace(DOCUMENTED, "").replace("Shirley90", user.username))
    origin = f"http://localhost:{port}"
    with subprocess.Popen(  # noqa: S603 - Vite of package-lock.json
        [shutil.which("node") or "node", "node_modules/vite/bin/vite.js"], cwd=packages, stdout=subprocess.DEVNULL
    ) as vite:
        try:
            eventually(lambda: is_ready(origin))
            yield origin
        finally:
            vite.terminate()


def is_ready(origin: str) -> bool:
    with suppress(httpx2.TransportError):
        return web.get(origin).is_success
    return False


@only_chromium
def test_the_page_uploads_through_the_proxy(page: Page, user: User, bucket: Bucket, proxy: str) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(proxy)
    page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_have_text("This is your avatar now.")
    assert user.avatar is not None
    assert bucket.read(user.avatar) == PHOTOGRAPH.read_bytes()
    assert {f"{proxy}/auth/login", f"{proxy}/uploads/presign", f"{proxy}/uploads/confirm"} <= set(requests)


def test_the_session_cookie_works_through_the_proxy(user: User, proxy: str) -> None:
    with web.Client(base_url=proxy, headers={"Origin": proxy}) as client:
        client.post("/auth/login", json={"username": user.username}).raise_for_status()
        assert client.post("/uploads/presign", json=DECLARED).status_code == 200
