"""Clients in their default settings that ask for HTTP/2 with `Upgrade: h2c`, which no server here speaks.

Each request is served as HTTP/1.1 with its body: by the services, the gateway and the embedded emulator.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx2
import pytest

from tests.conftest import SOME_DIGEST, only_prefix
from tests.pictures import make_picture

if TYPE_CHECKING:
    from tests.conftest import User

pytestmark = [pytest.mark.one_aws, only_prefix]

PROGRAM = Path(__file__).with_name("Upload.java")


def run(command: str, *arguments: str) -> list[str]:
    """The lines that a command prints."""
    program = shutil.which(command)
    if program is None:
        skip_or_fail(f"{command} is not installed.")
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - see above
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def skip_or_fail(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def write_bodies(user: User, folder: Path) -> list[tuple[str, Path, str]]:
    """The URL, the body and the content type of a login and a presign, at the gateway and at the service, and of a form
    post to the bucket.
    """
    stack = user.stack
    (login := folder / "login").write_text(json.dumps({"username": user.username}))
    (presign := folder / "presign").write_text(
        json.dumps({"content_type": "image/png", "size": 100, "sha256": SOME_DIGEST})
    )
    picture = make_picture()
    form = user.presign("image/png", picture).raise_for_status().json()
    post = httpx2.Request("POST", form["url"], data=form["fields"], files={"file": ("picture", picture)})
    (body := folder / "form").write_bytes(post.read())
    return [
        (f"{stack.origin}/auth/login", login, "application/json"),
        (f"{stack.services['auth']}/auth/login", login, "application/json"),
        (f"{stack.origin}/uploads/presign", presign, "application/json"),
        (f"{stack.services['uploads']}/uploads/presign", presign, "application/json"),
        (form["url"], body, post.headers["Content-Type"]),
    ]


def test_the_jdk_s_client_needs_no_settings(user: User, tmp_path: Path) -> None:
    requests = [str(part) for request in write_bodies(user, tmp_path) for part in request]
    assert run("java", str(PROGRAM), user.http.headers["Authorization"], *requests) == ["200"] * 8 + ["204"]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_curl_asks_for_http2_in_vain(user: User, chunked: bool, tmp_path: Path) -> None:  # noqa: FBT001
    for url, body, content_type in write_bodies(user, tmp_path):
        is_form = content_type.startswith("multipart")
        token = [] if is_form else ["--header", f"Authorization: {user.http.headers['Authorization']}"]
        framing = ["--header", "Transfer-Encoding: chunked"] if chunked and not is_form else []
        (status,) = run(
            *("curl", "--http2", "--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code}"),
            *("--data-binary", f"@{body}", "--header", f"Content-Type: {content_type}", *token, *framing, url),
        )
        assert status == ("204" if is_form else "200"), url
