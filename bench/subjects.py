"""The subjects that are measured at presign, and how each differs from our service."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.installs import build_go_peer, install_peer
from bench.load import Request
from bench.servers import ORIGIN, Server, make_module_command, start_peer, start_service
from services.auth.settings import JWKS_PATH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.servers import FakeAwsServer
    from infra.local.processes import Processes

OURS = "ours"

JSON = ("Content-Type", "application/json")
SHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
DECLARED = Request("POST", "/presign", '{"content_type":"image/jpeg","size":45755}', (JSON,))
OURS_DECLARED = f'{{"content_type":"image/jpeg","size":45755,"sha256":"{SHA256}"}}'
NO_BODY = Request("GET", "/")
COMPANION = "/s3/params?filename=cat.jpg&type=image%2Fjpeg"


@dataclass(frozen=True, slots=True)
class Setup:
    """What every subject needs: the processes, the fake AWS, the auth service's origin and an access token."""

    processes: Processes
    aws: FakeAwsServer
    auth: str
    token: str

    @property
    def bearer(self) -> tuple[str, str]:
        return ("Authorization", f"Bearer {self.token}")


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    title: str
    difference: str
    """How it differs from ours, which verifies a token, writes a log line, and pins the user and the file's digest."""
    start: Callable[[Setup], tuple[Server, Request]]
    is_upper_bound: bool = False


def start_ours(setup: Setup, *, metrics: bool = True, form: str | None = None) -> tuple[Server, Request]:
    server = start_service(setup.processes, setup.aws, "uploads", setup.auth, metrics=metrics, form=form)
    return server, make_our_presign(setup)


def make_our_presign(setup: Setup) -> Request:
    return Request("POST", "/uploads/presign", OURS_DECLARED, (JSON, setup.bearer))


def _start_python(module: str, request: Request, health: str = "/health") -> Callable[[Setup], tuple[Server, Request]]:
    def start(setup: Setup) -> tuple[Server, Request]:
        command = make_module_command(f"bench.peers.{module}")
        return start_peer(setup.processes, module, command, health, None), request

    return start


def _start_node(name: str, request: Request, health: str = "/health") -> Callable[[Setup], tuple[Server, Request]]:
    def start(setup: Setup) -> tuple[Server, Request]:
        return start_peer(setup.processes, name, ["node", str(install_peer(name))], health, None), request

    return start


def _start_verifying_node(setup: Setup) -> tuple[Server, Request]:
    command = ["node", str(install_peer("node-http"))]
    server = start_peer(setup.processes, "node-http-verified", command, "/health", None, _make_verifier_environ(setup))
    return server, Request("POST", "/presign", DECLARED.body, (JSON, setup.bearer))


def _start_go(remember: Literal["true", "false"]) -> Callable[[Setup], tuple[Server, Request]]:
    def start(setup: Setup) -> tuple[Server, Request]:
        # One core, as for every subject. Without this Go starts a thread for each of the machine's.
        environ = _make_verifier_environ(setup) | {"REMEMBER": remember, "GOMAXPROCS": "1"}
        server = start_peer(setup.processes, f"go-{remember}", [str(build_go_peer())], "/health", None, environ)
        return server, Request("POST", "/presign", OURS_DECLARED, (JSON, setup.bearer))

    return start


def _make_verifier_environ(setup: Setup) -> dict[str, str]:
    return {"JWKS_URL": setup.auth + JWKS_PATH, "ISSUER": f"{ORIGIN}/auth", "AUDIENCE": ORIGIN}


def _start_django(setup: Setup) -> tuple[Server, Request]:
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread"]
    # Each thread first creates a client of its own, which is slow.
    options = ["--threads", "4", "--log-level", "warning", "bench.peers.django_s3_file_field:application"]
    server = start_peer(setup.processes, "django", [*command, *options], "/health", setup.aws)
    body = '{"field_id":"pictures.Picture.file","file_name":"cat.jpg","file_size":45755,"content_type":"image/jpeg"}'
    return server, Request("POST", "/api/upload-initialize/", body, (JSON,))


NO_AUTH = "no authentication, no log, no digest"

SUBJECTS: Sequence[Subject] = (
    Subject(OURS, "**ours**", "as deployed: a log line and a metrics line for each request", start_ours),
    Subject(
        "ours-no-metrics",
        "**ours**, `METRICS=false`",
        "a log line for each request",
        lambda setup: start_ours(setup, metrics=False),
    ),
    Subject(
        "ours-asgi",
        "ours, as an ASGI application under Litestar's router",
        "an implementation that was [not chosen](../decisions/0015-every-route-is-a-handler.md)",
        lambda setup: start_ours(setup, form="asgi"),
    ),
    Subject(
        "ours-bare",
        "ours, without Litestar",
        "the other implementation that was not chosen: no problem details",
        lambda setup: start_ours(setup, form="bare"),
    ),
    Subject("litestar", "Litestar, boto3", NO_AUTH, _start_python("litestar_boto3", DECLARED)),
    Subject("fastapi", "FastAPI, boto3", NO_AUTH, _start_python("fastapi_boto3", DECLARED)),
    Subject("express", "Express, AWS SDK v3", NO_AUTH, _start_node("express", DECLARED)),
    Subject("node-http", "bare `node:http`, AWS SDK v2", NO_AUTH, _start_node("node-http", DECLARED)),
    Subject(
        "node-http-verified",
        "bare `node:http`, AWS SDK v2, token verified",
        "a log line and a metrics line for each request; no digest, no problem details",
        _start_verifying_node,
    ),
    Subject(
        "go",
        "Go's `net/http`, AWS SDK for Go v2",
        "the same form, a token verified once and then remembered, a log line and a metrics line; no problem details",
        _start_go("true"),
    ),
    Subject(
        "go-verified",
        "Go's `net/http`, AWS SDK for Go v2, each token verified",
        "as the one above, but a token is verified again in each request",
        _start_go("false"),
    ),
    Subject(
        "companion",
        "Uppy Companion 6.2.1",
        "`GET /s3/params`: no authentication, any size; writes a log line of its own",
        _start_node("companion", Request("GET", COMPANION), COMPANION),
    ),
    Subject(
        "django",
        "django-s3-file-field, gunicorn",
        "`upload-initialize`: no authentication; begins a multipart upload, which is a call to AWS",
        _start_django,
    ),
    Subject(
        "litestar-constant",
        "Litestar, a constant response",
        "upper bound: no work",
        _start_python("litestar_constant", NO_BODY, "/"),
        is_upper_bound=True,
    ),
    Subject(
        "asgi-constant",
        "ASGI, a constant response",
        "upper bound: no work, no framework",
        _start_python("asgi_constant", NO_BODY, "/"),
        is_upper_bound=True,
    ),
)

BY_NAME: Mapping[str, Subject] = {subject.name: subject for subject in SUBJECTS}
