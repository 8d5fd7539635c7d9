"""The programs of docs/uploading.md, run as printed. `test_browser_uploading.py` runs those for browsers."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.seed.people import PICTURES, SEEDED_USERS, invent_people
from services.pictures.formats import CONTENT_TYPES
from services.settings.limits import MAX_BYTES
from tests.conftest import User, only_prefix
from tests.containers.engine import is_here
from tests.containers.images import BUILD_SECONDS, Image
from tests.docs.edge import run_edge
from tests.docs.port_mapping import map_documented_address
from tests.docs.snippets import PAGE, find_snippet, find_snippets, skip_or_fail
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket
    from tests.containers.engine import Engine

ROOT = Path(__file__).parents[2]
UPLOADED = PICTURES / "cat.jpg"
NO_PICTURE = b"\xff\xd8\xff and no picture"
"""The first bytes are those of a JPEG file, so that each program declares it."""


@dataclass(frozen=True)
class Program:
    """The blocks of a section: an installation, a program to save, and a command that runs it."""

    install: str
    name: str
    """Name of the program's file: the first word of its first line."""
    source: str
    command: str

    def save(self, folder: Path) -> None:
        """Save the program in a folder that contains what the command names."""
        pictures = folder / PICTURES.relative_to(ROOT)
        shutil.copytree(PICTURES, pictures, ignore=shutil.ignore_patterns("*.md"))
        (folder / self.name).write_text(self.source)

    def replace_arguments(self, user: User, file: Path) -> list[str]:
        """The words of the command, for another user and another file."""
        interpreter, script, origin, _username, _file, *others = shlex.split(self.command)
        return [interpreter, script, origin, user.username, str(file), *others]

    @property
    def username(self) -> str:
        return shlex.split(self.command)[3]


def read_program(heading: str, language: str) -> Program:
    install, *others, command = find_snippets(heading, "sh")
    (source,) = others or [find_snippet(heading, language)]
    return Program(install, source.split(maxsplit=2)[1], source, command)


PROGRAMS = {
    heading: read_program(heading, language) for heading, language in {"curl": "sh", "Python": "python"}.items()
}


@dataclass(frozen=True)
class Shell:
    """A folder in which the program is saved, and the environment in which the documented address is the system's."""

    folder: Path
    environ: Mapping[str, str]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the documented command
            command,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Program:
    return PROGRAMS[request.param]


@pytest.fixture
def mapping(stack: Stack) -> Iterator[Mapping[str, str]]:
    with map_documented_address(stack.origin) as environ:
        yield environ


@pytest.fixture
def shell(program: Program, mapping: Mapping[str, str], tmp_path: Path) -> Shell:
    if missing := [tool for tool in ("curl", "openssl") if program.name == "upload.sh" and not shutil.which(tool)]:
        skip_or_fail(f"{' and '.join(missing)} not installed.")
    program.save(tmp_path)
    # `python` is the interpreter of the tests, which has requests.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return Shell(tmp_path, {**os.environ, **mapping, "PATH": path})


@pytest.fixture
def demo_user(program: Program, stack: Stack, http: httpx2.Client) -> User:
    """The user in the printed command, whom the demo and every system of the tests are seeded with."""
    names = {person.username: person.name for person in invent_people(SEEDED_USERS)}
    return User(stack, program.username, names[program.username], http)


def expect_upload(output: str, user: User, bucket: Bucket, before: str | None, content: bytes) -> None:
    avatar = user.avatar
    assert avatar is not None
    assert avatar != before
    assert avatar in output
    assert bucket.read(avatar) == content
    eventually(lambda: bucket.keys(user.username) == [avatar])


def test_a_documented_command_runs_as_printed(program: Program, shell: Shell, demo_user: User, bucket: Bucket) -> None:
    before = demo_user.avatar
    result = shell.run("sh", "-ec", program.command)
    assert result.returncode == 0, result.stderr
    expect_upload(result.stdout, demo_user, bucket, before, UPLOADED.read_bytes())


@only_prefix
def test_a_documented_program_is_installed_and_runs_on_a_slim_image(
    program: Program, engine: Engine, mapping: Mapping[str, str], demo_user: User, bucket: Bucket, tmp_path: Path
) -> None:
    """The image has neither curl nor requests, nor a table of MIME types."""
    if not is_here(engine.client):
        skip_or_fail("The engine's containers cannot use the network of this machine.")
    program.save(tmp_path)
    (tmp_path / "Dockerfile").write_text(
        "FROM python:3.13-slim\n"
        "RUN test ! -e /etc/mime.types && apt-get update\n"
        f"RUN {program.install}"
        "WORKDIR /repository\n"
        "COPY . .\n"
    )
    image = Image(engine, program.name, f"three-phase-upload-{program.name}:{engine.run}")
    engine.build(tmp_path, image.tag, {}, BUILD_SECONDS)
    before = demo_user.avatar
    result = image.run({}, "sh", "-ec", program.command, network_mode="host", environment=mapping)
    assert result.status == 0, result.err
    expect_upload(result.out, demo_user, bucket, before, UPLOADED.read_bytes())


def test_a_documented_program_uploads_a_file_with_any_name(
    program: Program, shell: Shell, user: User, bucket: Bucket, tmp_path: Path
) -> None:
    before = user.avatar
    file = tmp_path / "a cat, sitting; so"
    shutil.copyfile(UPLOADED, file)
    result = shell.run(*program.replace_arguments(user, file))
    assert result.returncode == 0, result.stderr
    expect_upload(result.stdout, user, bucket, before, UPLOADED.read_bytes())


@only_prefix
@pytest.mark.parametrize("program", ["Python"], indirect=True)
@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_python_program_recognizes_each_format_by_its_first_bytes(
    program: Program, shell: Shell, user: User, bucket: Bucket, content_type: str, tmp_path: Path
) -> None:
    file = tmp_path / "picture"
    file.write_bytes(make_picture(content_type))
    result = shell.run(*program.replace_arguments(user, file))
    assert result.returncode == 0, result.stderr
    assert user.avatar is not None
    assert bucket.head(user.avatar)["ContentType"] == content_type


@only_prefix
@pytest.mark.parametrize("program", ["Python"], indirect=True)
def test_the_python_program_refuses_a_file_of_no_format(
    program: Program, shell: Shell, user: User, tmp_path: Path
) -> None:
    file = tmp_path / "picture.png"
    file.write_text("no picture at all")
    result = shell.run(*program.replace_arguments(user, file))
    assert result.returncode == 1
    assert result.stderr == f"{file} is none of image/png, image/jpeg, image/webp, image/gif\n"


def test_a_documented_program_reports_a_refused_confirm(
    program: Program, shell: Shell, user: User, tmp_path: Path
) -> None:
    before = user.avatar
    file = tmp_path / "photo.jpg"
    file.write_bytes(NO_PICTURE)
    result = shell.run(*program.replace_arguments(user, file))
    assert result.returncode != 0
    assert "urn:problem:unreadable-picture" in result.stderr
    assert result.stdout == ""
    assert user.avatar == before


def test_a_documented_program_reports_a_refused_presign(
    program: Program, shell: Shell, user: User, tmp_path: Path
) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(NO_PICTURE.ljust(MAX_BYTES + 1, b"\0"))
    result = shell.run(*program.replace_arguments(user, file))
    assert result.returncode != 0
    assert "urn:problem:too-large" in result.stderr


@only_prefix
def test_a_documented_program_reports_a_response_of_api_gateway(
    program: Program, shell: Shell, user: User, tmp_path: Path
) -> None:
    file = tmp_path / UPLOADED.relative_to(ROOT)
    with run_edge() as origin, map_documented_address(origin) as environ:
        elsewhere = replace(shell, environ={**shell.environ, **environ})
        result = elsewhere.run(*program.replace_arguments(user, file))
    assert result.returncode != 0
    assert "Service Unavailable" in result.stderr


def test_the_table_of_failures_has_every_problem_of_an_upload_once() -> None:
    reference = (ROOT / "docs/reference.md").read_text()
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (.+?) \|", reference, flags=re.MULTILINE)
    calls = ("POST /auth/login", "/uploads/", "every call")
    problems = [(status, slug) for slug, status, used in rows if any(call in used for call in calls)]
    table = PAGE.partition("| failure | what to do |\n")[2].partition("\n\n")[0]
    listed: list[tuple[str, str]] = []
    for line in table.splitlines()[1:]:
        status = ""
        for number, slug in re.findall(r"\b(\d{3})\b|`([a-z-]+)`", line.split("|")[1]):
            status = number or status
            if slug:
                listed.append((status, slug))
    assert sorted(listed) == sorted(problems)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^):]+)\)", PAGE))))
def test_a_link_of_the_page_has_a_target(link: str) -> None:
    path, _, anchor = link.partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / (path or "uploading.md")).read_text(), flags=re.MULTILINE)
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}
