"""The browser clients of docs/uploading.md, served unchanged at the system's origin."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from playwright.sync_api import expect

from services.pictures.formats import CONTENT_TYPES
from services.uploads.picture import UNREADABLE as REFUSAL
from tests.browsing import PHOTOGRAPH
from tests.conftest import only_prefix
from tests.docs.snippets import find_snippet
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browsing import BrowserErrors
    from tests.conftest import Bucket, User

PACKAGES = Path(__file__).with_name("uploading")
INSTALL_SECONDS = 600


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with each version of Uppy, and esbuild."""
    folder = tmp_path_factory.mktemp("npm")
    shutil.copytree(PACKAGES, folder, dirs_exist_ok=True)
    if not (npm := shutil.which("npm")):
        skip_or_fail("There is no npm to install Uppy with")
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    result = subprocess.run(  # noqa: S603 - npm with the packages in package-lock.json
        install, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if result.returncode:
        skip_or_fail(f"Uppy could not be installed: {result.stderr}")
    return folder


def skip_or_fail(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def bundle(packages: Path) -> Callable[[str], str]:
    """Bundle the documented script with a version of Uppy."""

    def bundle(version: str) -> str:
        script = packages / version / "upload.js"
        script.write_text(find_snippet("Uppy", "js"))
        return subprocess.run(  # noqa: S603 - esbuild with the documented script
            [packages / "node_modules/.bin/esbuild", script, "--bundle", "--format=esm"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    return bundle


def open_client(page: Page, user: User, heading: str, script: str) -> None:
    """Open the client of a section, logged in as this user."""
    origin = user.stack.origin
    # Chromium does not consider a page that `route` fulfils as local, but the bucket is (Local Network Access).
    page.context.grant_permissions(["local-network-access"])
    page.context.request.post(f"{origin}/auth/login", data={"username": user.username})
    page.route(
        f"{origin}/example/",
        lambda route: route.fulfill(content_type="text/html; charset=utf-8", body=find_snippet(heading, "html")),
    )
    page.route(f"{origin}/example/upload.js", lambda route: route.fulfill(content_type="text/javascript", body=script))
    page.goto(f"{origin}/example/")


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
    bundle: Callable[[str], str],
    version: str,
    damaged: Path,
    browser_errors: BrowserErrors,
) -> None:
    before = user.avatar
    open_client(page, user, "Uppy", bundle(version))
    browser_errors.expect("422", REFUSAL)
    page.get_by_label("Picture").set_input_files(damaged)
    expect(page.get_by_role("status")).to_contain_text(REFUSAL)
    assert user.avatar == before

    page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
    expect_upload(page, user, bucket, before)
    assert page.get_by_role("progressbar").get_attribute("value") == "100"


def test_the_form_client_uploads_and_shows_a_refused_confirm(
    page: Page, user: User, bucket: Bucket, damaged: Path, browser_errors: BrowserErrors
) -> None:
    before = user.avatar
    open_client(page, user, "A form and fetch", find_snippet("A form and fetch", "js"))
    browser_errors.expect("422")
    page.get_by_label("Picture").set_input_files(damaged)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_contain_text(REFUSAL)
    assert user.avatar == before

    page.get_by_label("Picture").set_input_files(PHOTOGRAPH)
    page.get_by_role("button", name="Upload").click()
    expect_upload(page, user, bucket, before)


@only_prefix
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_form_client_recognizes_each_format_by_its_first_bytes(
    page: Page, user: User, bucket: Bucket, content_type: str
) -> None:
    open_client(page, user, "A form and fetch", find_snippet("A form and fetch", "js"))
    page.get_by_label("Picture").set_input_files(
        {"name": "picture", "mimeType": "", "buffer": make_picture(content_type)}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_have_text("This is your avatar now.")
    assert user.avatar is not None
    assert bucket.head(user.avatar)["ContentType"] == content_type


@only_prefix
def test_the_form_client_refuses_a_file_of_no_format(page: Page, user: User) -> None:
    before = user.avatar
    open_client(page, user, "A form and fetch", find_snippet("A form and fetch", "js"))
    page.get_by_label("Picture").set_input_files(
        {"name": "picture.png", "mimeType": "image/png", "buffer": b"no picture at all"}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("status")).to_have_text("Choose one of image/png, image/jpeg, image/webp, image/gif.")
    assert user.avatar == before
