"""The programs of docs/uploading.md, run unchanged. `test_browser_uploading.py` runs those for browsers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browsing import PHOTOGRAPH
from tests.docs.snippets import PAGE, find_snippet
from tests.eventually import PATIENCE_SECONDS, eventually

if TYPE_CHECKING:
    from tests.conftest import Bucket, User

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Program:
    heading: str
    language: str
    interpreter: str
    more: tuple[str, ...] = ()
    """Further arguments after the origin, the username and the file."""

    def run(self, user: User, file: Path) -> subprocess.CompletedProcess[str]:
        program = file.with_name("program")
        program.write_text(find_snippet(self.heading, self.language))
        arguments = [user.stack.origin, user.username, str(file), *self.more]
        return subprocess.run(  # noqa: S603 - the documented program
            [self.interpreter, str(program), *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


PROGRAMS = {
    "curl": Program("curl", "sh", shutil.which("sh") or "sh", ("image/jpeg",)),
    "Python": Program("Python", "python", sys.executable),
}


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Program:
    return PROGRAMS[request.param]


def test_a_documented_program_uploads_the_avatar(program: Program, user: User, bucket: Bucket, tmp_path: Path) -> None:
    before = user.avatar
    file = tmp_path / "a cat, sitting; so.jpg"
    shutil.copyfile(PHOTOGRAPH, file)
    result = program.run(user, file)
    assert result.returncode == 0, result.stderr
    avatar = user.avatar
    assert avatar is not None
    assert avatar != before
    assert avatar in result.stdout
    assert bucket.read(avatar) == PHOTOGRAPH.read_bytes()
    eventually(lambda: bucket.keys(user.username) == [avatar])


def test_a_documented_program_reports_a_refused_confirm(program: Program, user: User, tmp_path: Path) -> None:
    before = user.avatar
    file = tmp_path / "photo.jpg"
    file.write_text("no picture at all")
    result = program.run(user, file)
    assert result.returncode != 0
    assert "urn:problem:not-a-picture" in result.stderr
    assert result.stdout == ""
    assert user.avatar == before


def test_a_documented_program_reports_a_refused_presign(program: Program, user: User, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.touch()
    result = program.run(user, file)
    assert result.returncode != 0
    assert "urn:problem:empty-file" in result.stderr


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^):]+)\)", PAGE))))
def test_a_link_of_the_page_has_a_target(link: str) -> None:
    path, _, anchor = link.partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / path).read_text(), flags=re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
