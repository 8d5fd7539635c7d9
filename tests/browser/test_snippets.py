"""Each call can be copied for curl, fetch and Python, and makes the same call then."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browsing import PHOTOGRAPH, Site, only_chromium
from tests.conftest import POSTED_PREFIXES, only_prefix
from tests.eventually import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from infra.local.stack import Stack
    from tests.browsing import OpenPage
    from tests.conftest import Bucket, User

pytestmark = only_prefix

CLIPBOARD: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}


def copy(site: Site, call: int, language: str) -> str:
    """Copy the call, which is the text in the clipboard then."""
    site.calls.nth(call).get_by_role("button", name=f"Copy as {language}").click()
    expect(site.calls.nth(call).locator(".copy [role=status]")).to_contain_text("Copied.")
    return site.page.evaluate("navigator.clipboard.readText()")


def save(site: Site, folder: Path) -> Path:
    """Save the posted file under the name that the copied calls use."""
    with site.page.expect_download() as download:
        site.calls.nth(1).get_by_role("button", name="Save the file").click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def run(command: list[str], folder: Path, token: str) -> str:
    finished = subprocess.run(  # noqa: S603 - a program of the page
        command,
        cwd=folder,
        env=os.environ | {"ACCESS_TOKEN": token, "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@only_chromium
@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_copied_calls_do_what_the_page_did(
    open_page: OpenPage, stack: Stack, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    """The posted file differs from the chosen one, since the editor has cropped it."""
    site = Site(open_page(**CLIPBOARD), stack.origin)
    site.open()
    site.log_in(user.username)
    old = user.avatar
    site.choose_flow("skip")
    chosen = tmp_path / "it's a (cat).jpg"
    chosen.write_bytes(PHOTOGRAPH.read_bytes())
    site.page.locator("#choose").set_input_files(chosen)
    site.editor.get_by_role("button", name="Upload").click()
    site.expect_entry("left-out")
    for call in (0, 1):
        site.calls.nth(call).locator("summary").click()

    (pending,) = set(bucket.keys(user.username)) - {old}
    file = save(site, tmp_path)
    assert file.read_bytes() == bucket.read(pending)
    assert file.read_bytes() != PHOTOGRAPH.read_bytes()
    token = user.http.headers["Authorization"].removeprefix("Bearer ")
    for language, suffix, command in (("curl", "sh", ["sh"]), ("Python", "py", [sys.executable])):
        presign, post = (tmp_path / f"{name}.{suffix}" for name in ("presign", "post"))
        presign.write_text(copy(site, 0, language))
        assert re.search(rf'"key": ?"{POSTED_PREFIXES["prefix"]}', run([*command, str(presign)], tmp_path, token))
        stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=pending)
        post.write_text(copy(site, 1, language))
        assert "204" in run([*command, str(post)], tmp_path, token)
        assert bucket.read(pending) == file.read_bytes()

    answers: list[int] = []
    site.page.on("response", lambda answer: answers.append(answer.status) if answer.request.method == "POST" else None)
    source = copy(site, 0, "fetch")
    site.page.evaluate(f"async () => {{ {source} }}")
    stack.aws.s3.delete_object(Bucket=stack.resources.bucket, Key=pending)
    source = copy(site, 1, "fetch")
    with site.page.expect_file_chooser() as chooser:
        site.page.evaluate(f"() => {{ window.posting = (async () => {{ {source} }})(); }}")
    chooser.value.set_files(file)
    site.page.evaluate("window.posting")
    assert answers == [200, 204]
    assert bucket.read(pending) == file.read_bytes()


def test_a_call_is_copied_without_the_clipboard_api(site: Site, user: User) -> None:
    """Browsers have the API only on HTTPS and localhost."""
    site.log_in(user.username)
    site.input("skip").set_input_files(PHOTOGRAPH)
    site.expect_entry("left-out")
    site.page.evaluate(
        """() => {
            Object.defineProperty(navigator, "clipboard", { value: undefined });
            window.copied = new Promise((resolve) => {
                addEventListener("copy", ({ clipboardData }) => resolve(clipboardData.getData("text/plain")));
            });
        }"""
    )
    site.calls.first.locator("summary").click()
    site.calls.first.get_by_role("button", name="Copy as curl").click()
    expect(site.calls.first.locator(".copy [role=status]")).to_contain_text("Copied.")
    assert site.page.evaluate("window.copied").startswith(f"curl -i -X POST '{site.origin}/uploads/presign'")
