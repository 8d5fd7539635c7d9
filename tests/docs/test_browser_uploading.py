"""The browser clients of docs/uploading.md, run as printed: the option `--pages` serves them on the system's origin."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pytest
from playwright.sync_api import expect

from infra.local.gateway import PAGES_PATH
from services.pictures.formats import CONTENT_TYPES
from services.uploads.picture import UNREADABLE as REFUSAL
from tests.browsing import PHOTOGRAPH
from tests.conftest import only_prefix
from tests.docs.snippets import find_snippet
from tests.npm import install_packages
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from infra.local.clients import Aws
    from infra.local.stack import Stack
    from tests.browsing import BrowserErrors
    from tests.conftest import Bucket, StartStack, User

PACKAGES = Path(__file__).with_name("uploading")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each version of Uppy, and esbuild."""
    return install_packages(PACKAGES, tmp_path_factory.mktemp("npm"))


@pytest.fixture(scope="session")
def bundle(packages: Path) -> Callable[[str], str]:
    """Bundle the documented script with a version of Uppy."""

    def bundle(version: str) -> str:
        folder = packages / version
        (folder / "upload.js").write_text(find_snippet("Uppy", "js"))
        # The first command installs the newest versions. The tests have those of package-lock.json.
        _install, command = find_snippet("Uppy", "sh").splitlines()
        subprocess.run(["sh", "-ec", command], cwd=folder, capture_output=True, check=True)  # noqa: S603, S607 - see above
        return (folder / "pages/upload.js").read_text()

    return bundle


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack, pages: Path) -> Stack:
    """A system that serves the clients."""
    return start_stack(aws, strategy, "pages", pages=pages)


class OpenClient(Protocol):
    """Open the client of a section, with its script or the bundle of it, logged in as this user."""

    def __call__(self, user: User, heading: str, script: str) -> None: ...


@pytest.fixture
def open_client(page: Page, pages: Path) -> OpenClient:
    def open_client(user: User, heading: str, script: str) -> None:
        (pages / "index.html").write_text(find_snippet(heading, "html"))
        (pages / "upload.js").write_text(script)
        origin = user.stack.origin
        # The browser requests it on its own, and the demo has none at this path.
        page.route(f"{origin}/favicon.ico", lambda route: route.fulfill(status=204))
        page.context.request.post(f"{origin}/auth/login", data={"username": user.username})
        page.goto(f"{origin}{PAGES_PATH}/")

    return open_client


def expect_upload(page: Page, user: User, bucket: Bucket, before: str | None) -> None:
    expect(page.get_by_role("status")).to_have_text("This is your avatar now.")
    avatar = user.avatar
    assert avatar is not None
    assert avatar != before
    assert bucket.read(avatar) == PHOTOGRAPH.read_bytes()


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff and no picture")
    return file


@pytest.mark.parametrize("version", ["uppy5", "uppy6"])
def test_the_uppy_client_uploads_and_shows_a_refused_confirm(
    page: Page,
    user: User,
    bucket: Bucket,
    open_client: OpenClient,
    bundle: Callable[[str], str],
    version: str,
    damaged: Path,
    browser_errors: BrowserErrors,
) -> None:
    before = user.avatar
    open_client(user, "Uppy", bundle(version))
    browser_errors.expect("422", REFUSAL)
    page.get_by_label("Picture").set_input_files(damaged)
    expect(page.get_by_role("status")).to_contain_text(REFUSAL)
    assert user.avatar == before

    page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
    expect_upload(page, user, bucket, before)
    assert page.get_by_role("progressbar").get_attribute("value") == "100"


def test_the_form_client_uploads_and_shows_a_refused_confirm(
    page: Page, user: User, bucket: Bucket, open_client: OpenClient, damaged: Path, browser_errors: BrowserErrors
) -> None:
    before = user.avatar
    open_client(user, "A form and fetch", find_snippet("A form and fetch", "js"))
    browser_errors.expect("422")
    page.get_by_label("Picture").set_input_files(damaged)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_contain_text(REFUSAL)
    assert user.avatar == before

    page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
    page.get_by_role("button", name="Upload").click()
    expect_upload(page, user, bucket, before)


@only_prefix
@pytest.mark.parametrize(
    ("content_type", "body"),
    [("application/json", '{"message": "Service Unavailable"}'), ("text/html", "<h1>Service Unavailable</h1>")],
)
@pytest.mark.parametrize("call", ["presign", "confirm"])
def test_the_form_client_explains_a_response_of_api_gateway_or_a_load_balancer(
    page: Page,
    user: User,
    open_client: OpenClient,
    browser_errors: BrowserErrors,
    content_type: str,
    body: str,
    call: str,
) -> None:
    before = user.avatar
    open_client(user, "A form and fetch", find_snippet("A form and fetch", "js"))
    page.route(f"**/uploads/{call}", lambda route: route.fulfill(status=503, content_type=content_type, body=body))
    browser_errors.expect("503")
    page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_have_text("The service responded 503. Try again in a moment.")
    assert user.avatar == before


def test_both_clients_make_their_calls_alike() -> None:
    calls = {
        heading: re.search(r"^async function call\(.+?^}$", find_snippet(heading, "js"), re.MULTILINE | re.DOTALL)
        for heading in ("Uppy", "A form and fetch")
    }
    sources = [found and found[0] for found in calls.values()]
    assert sources[0]
    assert sources[0] == sources[1]


@only_prefix
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_form_client_recognizes_each_format_by_its_first_bytes(
    page: Page, user: User, bucket: Bucket, open_client: OpenClient, content_type: str
) -> None:
    open_client(user, "A form and fetch", find_snippet("A form and fetch", "js"))
    page.get_by_label("Picture").set_input_files(
        {"name": "picture", "mimeType": "", "buffer": make_picture(content_type)}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_have_text("This is your avatar now.")
    assert user.avatar is not None
    assert bucket.head(user.avatar)["ContentType"] == content_type


@only_prefix
def test_the_form_client_refuses_a_file_of_no_format(page: Page, user: User, open_client: OpenClient) -> None:
    before = user.avatar
    open_client(user, "A form and fetch", find_snippet("A form and fetch", "js"))
    page.get_by_label("Picture").set_input_files(
        {"name": "picture.png", "mimeType": "image/png", "buffer": b"no picture at all"}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_have_text("Choose one of image/png, image/jpeg, image/webp, image/gif.")
    assert user.avatar == before
