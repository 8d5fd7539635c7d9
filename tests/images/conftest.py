"""The images, built once for the whole run, and containers of them. What is started here is removed here."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from infra.requirements import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]

DOCKER = os.environ.get("DOCKER", "docker")
"""The client, for a machine where the first one on the path can't build."""

BUILD_SECONDS = 420
START_SECONDS = 60

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--memory", "512m")
"""As little as a task on Fargate is given."""

# The auth service asks for its public key before it serves.
KMS = """
import base64, http.server, json
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
key = ec.generate_private_key(ec.SECP256R1()).public_key()
answer = json.dumps({"PublicKey": base64.b64encode(key.public_bytes(
    Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()}).encode()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
http.server.HTTPServer(("127.0.0.1", 4566), Handler).serve_forever()
"""

AWS = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "made",
    "AWS_SECRET_ACCESS_KEY": "up",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
}
COMMON = AWS | {"ORIGIN": "https://avatars.example", "TABLE": "users"}
BEHIND = COMMON | {"BUCKET": "pictures", "JWKS_URL": "http://127.0.0.1:1/jwks.json"}
ENVIRON = {"auth": COMMON | {"SIGNING_KEYS": "alias/signing"}, "uploads": BEHIND, "frontend": BEHIND}
"""By service, the least it can be told."""


def docker(*arguments: str, timeout: float = 60, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(  # noqa: S603 - the client that the person who runs this has chosen
        [DOCKER, *arguments],
        env=os.environ | {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert not check or done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


@dataclass(frozen=True, slots=True)
class Image:
    service: str
    tag: str

    def run(self, *command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """A command in a container of its own, whatever its exit status."""
        name = f"three-phase-upload-{uuid.uuid4().hex}"
        try:
            return docker("run", "--rm", "--name", name, *HARDENED, *options, self.tag, *command, check=False)
        finally:
            docker("rm", "--force", "--volumes", name, check=False)  # where the client was not waited for


@dataclass(frozen=True, slots=True)
class Container:
    """A service that has been started."""

    name: str
    url: str

    def healthz(self) -> httpx2.Response:
        """Its first answer.

        Raises:
            AssertionError: with its log; it has ended, or does not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return httpx2.get(f"{self.url}/healthz", timeout=5)
            except httpx2.TransportError:
                assert self.inspect("{{.State.Running}}") == "true", self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.1)

    def inspect(self, template: str) -> str:
        return docker("inspect", "--format", template, self.name).stdout.strip()

    def log(self) -> str:
        done = docker("logs", self.name)
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def engine() -> None:
    try:
        done = docker("info", "--format", "{{.ServerVersion}}", check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = f"There is no container engine: {error}"
    else:
        if done.returncode == 0:
            return
        reason = f"No container engine answers: {(done.stderr or done.stdout).strip().splitlines()[-1]}"
    pytest.skip(reason)


@pytest.fixture(scope="session", params=SERVICES)
def image(engine: None, request: pytest.FixtureRequest) -> Iterator[Image]:  # noqa: ARG001 - it must be there
    service: str = request.param
    built = Image(service, f"three-phase-upload-{service}:test-{uuid.uuid4().hex}")
    arguments = [f"SERVICE={service}", "VERSION=1.2.3", "SOURCE=https://source.example"]
    options = [part for argument in arguments for part in ("--build-arg", argument)]
    try:
        docker("build", *options, "--tag", built.tag, str(ROOT), timeout=BUILD_SECONDS)
        yield built
    finally:
        docker("rmi", "--force", built.tag, check=False)


only_uploads = pytest.mark.parametrize("image", ["uploads"], indirect=True, scope="session")


@pytest.fixture
def start(image: Image) -> Iterator[Callable[[], Container]]:
    """Start the image's service, as a task does, beside a KMS that knows one key."""
    names: list[str] = []

    def run(*arguments: str) -> str:
        names.append(f"three-phase-upload-{uuid.uuid4().hex}")
        docker("run", "--detach", "--name", names[-1], *HARDENED, *arguments)
        return names[-1]

    def start() -> Container:
        # As in a task, the two share their network; the ports are therefore the first one's.
        kms = run("--publish", "127.0.0.1::8000", image.tag, "python", "-c", KMS)
        port = docker("port", kms, "8000/tcp").stdout.split()[0].rpartition(":")[2]
        settings = [part for name, value in ENVIRON[image.service].items() for part in ("--env", f"{name}={value}")]
        return Container(run("--network", f"container:{kms}", *settings, image.tag), f"http://127.0.0.1:{port}")

    yield start
    for name in reversed(names):
        docker("rm", "--force", "--volumes", name, check=False)
