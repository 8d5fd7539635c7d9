"""The OpenAPI document passes two linters, and the clients of docs/your-app.md are generated from it, type-checked and
run, as printed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.documents.openapi import merge_documents
from infra.openapi import describe_services
from services.web.examples import ORIGIN, USERNAME
from tests.docs.edge import run_edge
from tests.docs.snippets import find_snippet, find_snippets
from tests.eventually import PATIENCE_SECONDS
from tests.npm import install_packages
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Bucket, User

PAGE = "your-app.md"
PACKAGES = Path(__file__).with_name("generated")
LINTERS = {
    "redocly": ("npx", "redocly", "lint", "--config=redocly.yaml"),
    "spectral": ("npx", "spectral", "lint", "--ruleset=spectral.yaml", "--fail-severity=hint"),
}
# An unused exemption is an error in both languages, so each line below must be one.
MISUSES_OF_FETCH = """
import type { components, paths } from "./schema";
import createClient from "openapi-fetch";
const client = createClient<paths>();
const sha256 = "";
// @ts-expect-error - a content type that is not allowed
await client.POST("/uploads/presign", { body: { content_type: "image/svg+xml", size: 1, sha256 } });
// @ts-expect-error - a member is missing
await client.POST("/uploads/presign", { body: { content_type: "image/png", size: 1 } });
// @ts-expect-error - there is no such member
await client.POST("/uploads/presign", { body: { content_type: "image/png", size: 1, sha256, color: "red" } });
// @ts-expect-error - there is no such operation
await client.POST("/uploads/avatar");
declare const problem: components["schemas"]["PresignProblem"];
// @ts-expect-error - a problem of the confirm
problem.type === "urn:problem:superseded";
problem.type === "urn:problem:too-large";
"""
MISUSES_OF_FUNCTIONS = """
import { presign, type PresignError } from "./generated";
const sha256 = "";
// @ts-expect-error - a content type that is not allowed
await presign({ body: { content_type: "image/svg+xml", size: 1, sha256 } });
// @ts-expect-error - a member is missing
await presign({ body: { content_type: "image/png", size: 1 } });
// @ts-expect-error - there is no such member
await presign({ body: { content_type: "image/png", size: 1, sha256, color: "red" } });
declare const problem: PresignError;
// @ts-expect-error - a problem of the confirm
problem.type === "urn:problem:superseded";
problem.type === "urn:problem:too-large";
"""
MISUSES_IN_PYTHON = """
from avatars.models import PresignProblem, PresignRequest
PresignRequest("image/svg+xml", 1, "")  # pyright: ignore[reportArgumentType]
PresignRequest("image/png", 1)  # pyright: ignore[reportCallIssue]
PresignRequest("image/png", 1, "", color="red")  # pyright: ignore[reportCallIssue]
def explain(problem: PresignProblem) -> bool:
    if problem.type_ == "urn:problem:superseded":  # pyright: ignore[reportUnnecessaryComparison]
        return False
    return problem.type_ == "urn:problem:too-large"
"""


@dataclass(frozen=True)
class Generator:
    """A program that generates clients, and the section of the document about it."""

    heading: str
    language: str
    file: str
    misuses: str

    def list_commands(self) -> list[str]:
        """The commands of all clients in this language that follow the installation, except that which runs it."""
        blocks = find_snippets(self.heading, "sh", PAGE)
        if len(blocks) == 1:  # the same commands as in the section before
            blocks += find_snippets("openapi-fetch", "sh", PAGE)[1:]
        lines = "".join(blocks).splitlines()
        return [line for line in lines if not re.match(r"(npm|pip) install|node |python ", line)]


GENERATORS = {
    "openapi-fetch": Generator("openapi-fetch", "ts", "upload.ts", MISUSES_OF_FETCH),
    "openapi-ts": Generator("@hey-api/openapi-ts", "ts", "upload.ts", MISUSES_OF_FUNCTIONS),
    "openapi-python-client": Generator("openapi-python-client", "python", "upload.py", MISUSES_IN_PYTHON),
}


@dataclass(frozen=True)
class Client:
    """A generated client with its program, in a folder."""

    generator: Generator
    folder: Path

    @property
    def is_python(self) -> bool:
        return self.generator.language == "python"

    def upload(self, origin: str, username: str, file: Path) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "upload.py"] if self.is_python else ["node", "upload.mjs"]
        return run(self.folder, *program, origin, username, str(file))

    def check_types(self, more: str) -> subprocess.CompletedProcess[str]:
        """Check the types of the program and of one more file."""
        files = [self.generator.file, more]
        if self.is_python:
            settings = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": True, "include": files}
            (self.folder / "pyrightconfig.json").write_text(json.dumps(settings))
            return run(self.folder, "npx", "pyright", f"--pythonpath={sys.executable}")
        [command] = [line for line in self.generator.list_commands() if " tsc " in line]
        return run(self.folder, "sh", "-ec", f"{command} {more}")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(  # noqa: S603 - the documented commands, and linters
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the linters, the generators and the document."""
    return install_packages(PACKAGES, tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="session")
def document() -> dict[str, Any]:
    return merge_documents([*describe_services(ORIGIN).values()])


@pytest.fixture(scope="session")
def make_client(packages: Path, document: dict[str, Any]) -> Callable[[str], Client]:
    """Generate a client with the documented commands, once. A test of its own checks the types, which takes longest."""
    made: dict[str, Client] = {}

    def make(name: str) -> Client:
        if name not in made:
            generator, folder = GENERATORS[name], packages / name
            folder.mkdir()
            (folder / "openapi.json").write_text(json.dumps(document))
            (folder / generator.file).write_text(find_snippet(generator.heading, generator.language, PAGE))
            for config in find_snippets(generator.heading, "yaml", PAGE):
                (folder / "config.yaml").write_text(config)
            for command in generator.list_commands():
                if " tsc " in command:
                    continue
                result = run(folder, "sh", "-ec", command)
                assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
            made[name] = Client(generator, folder)
        return made[name]

    return make


@pytest.fixture(params=GENERATORS)
def client(request: pytest.FixtureRequest, make_client: Callable[[str], Client]) -> Client:
    return make_client(request.param)


@pytest.mark.parametrize("linter", LINTERS)
def test_the_document_passes_the_linter(packages: Path, document: dict[str, Any], linter: str) -> None:
    (packages / "openapi.json").write_text(json.dumps(document))
    result = run(packages, *LINTERS[linter], "openapi.json")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("linter", LINTERS)
def test_the_linter_finds_an_operation_without_an_id(packages: Path, document: dict[str, Any], linter: str) -> None:
    damaged = json.loads(json.dumps(document))
    del damaged["paths"]["/uploads/presign"]["post"]["operationId"]
    (packages / "damaged.json").write_text(json.dumps(damaged))
    result = run(packages, *LINTERS[linter], "damaged.json")
    assert result.returncode == 1
    assert "operation-operationId" in result.stdout + result.stderr


def test_a_generated_client_uploads(client: Client, user: User, bucket: Bucket, tmp_path: Path) -> None:
    before = user.avatar
    picture = tmp_path / "photo.jpg"
    picture.write_bytes(make_picture("image/jpeg"))
    result = client.upload(user.stack.origin, user.username, picture)
    assert result.returncode == 0, result.stderr
    assert user.avatar != before
    assert result.stdout.strip() == user.avatar
    assert bucket.read(result.stdout.strip()) == picture.read_bytes()


def test_a_generated_client_explains_a_problem(client: Client, user: User, tmp_path: Path) -> None:
    before = user.avatar
    damaged = tmp_path / "photo.jpg"
    damaged.write_bytes(b"\xff\xd8\xff and no picture")
    result = client.upload(user.stack.origin, user.username, damaged)
    assert result.returncode == 1
    assert "Choose another picture." in result.stderr
    assert user.avatar == before


def test_a_generated_client_gets_a_response_of_api_gateway(client: Client) -> None:
    with run_edge() as origin:
        result = client.upload(origin, USERNAME, client.folder / "openapi.json")
    assert result.returncode == 1
    assert ("KeyError: 'type'" if client.is_python else "Try again in a moment.") in result.stderr


def test_the_types_of_a_generated_client_accept_the_program_and_find_each_misuse(client: Client) -> None:
    misuses = client.generator.file.replace("upload", "misuses")
    (client.folder / misuses).write_text(client.generator.misuses)
    result = client.check_types(misuses)
    assert result.returncode == 0, result.stdout
