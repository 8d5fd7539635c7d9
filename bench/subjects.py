"""Who is measured at the first call, and what is not like for like."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.installs import install_peer
from bench.load import Request
from bench.servers import ORIGIN, Server, make_module_command, start_peer, start_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.servers import CannedAws
    from infra.local.processes import Processes

OURS = "ours"

JSON = ("Content-Type", "application/json")
SHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
DECLARED = Request("POST", "/presign", '{"content_type":"image/jpeg","size":45755}', (JSON,))
NO_BODY = Request("GET", "/")
COMPANION = "/s3/params?filename=cat.jpg&type=image%2Fjpeg"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject is started, and whom it may ask."""

    processes: Processes
    aws: CannedAws
    auth: str
    token: str

    @property
    def bearer(self) -> tuple[str, str]:
        return ("Authorization", f"Bearer {self.token}")


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    title: str
    differs: str
    """From ours, which verifies a token, logs a line, and pins the user and the file's digest."""
    begin: Callable[[Place], tuple[Server, Request]]
    is_ceiling: bool = False


def begin_ours(place: Place, *, metrics: bool = True, form: str | None = None) -> tuple[Server, Request]:
    server = start_service(place.processes, place.aws, "uploads", place.auth, metrics=metrics, form=form)
    body = f'{{"content_type":"image/jpeg","size":45755,"sha256":"{SHA256}"}}'
    return server, Request("POST", "/uploads/presign", body, (JSON, place.bearer))


def _begin_python(module: str, request: Request, health: str = "/health") -> Callable[[Place], tuple[Server, Request]]:
    def begin(place: Place) -> tuple[Server, Request]:
        command = make_module_command(f"bench.peers.{module}")
        return start_peer(place.processes, module, command, health, None), request

    return begin


def _begin_node(name: str, request: Request, health: str = "/health") -> Callable[[Place], tuple[Server, Request]]:
    def begin(place: Place) -> tuple[Server, Request]:
        return start_peer(place.processes, name, ["node", str(install_peer(name))], health, None), request

    return begin


def _begin_verifying_node(place: Place) -> tuple[Server, Request]:
    environ = {"JWKS_URL": f"{place.auth}/auth/.well-known/jwks.json", "ISSUER": f"{ORIGIN}/auth", "AUDIENCE": ORIGIN}
    command = ["node", str(install_peer("node-http"))]
    server = start_peer(place.processes, "node-http-verified", command, "/health", None, environ)
    return server, Request("POST", "/presign", DECLARED.body, (JSON, place.bearer))


def _begin_django(place: Place) -> tuple[Server, Request]:
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread"]
    # Each thread makes itself a client first, which takes long.
    options = ["--threads", "4", "--log-level", "warning", "bench.peers.django_s3_file_field:application"]
    server = start_peer(place.processes, "django", [*command, *options], "/health", place.aws)
    body = '{"field_id":"pictures.Picture.file","file_name":"cat.jpg","file_size":45755,"content_type":"image/jpeg"}'
    return server, Request("POST", "/api/upload-initialize/", body, (JSON,))


NO_AUTH = "no authentication, no log, no digest"

SUBJECTS: Sequence[Subject] = (
    Subject(OURS, "**ours**", "as deployed: a line of log and a line of metrics each", begin_ours),
    Subject(
        "ours-no-metrics",
        "**ours**, `METRICS=false`",
        "a line of log each",
        lambda place: begin_ours(place, metrics=False),
    ),
    Subject(
        "ours-asgi",
        "ours, as an ASGI application under Litestar's router",
        "a form that was [not chosen](../decisions/0015-every-route-is-a-handler.md)",
        lambda place: begin_ours(place, form="asgi"),
    ),
    Subject(
        "ours-bare",
        "ours, without Litestar",
        "the other form that was not chosen: no problem details",
        lambda place: begin_ours(place, form="bare"),
    ),
    Subject("litestar", "Litestar, boto3", NO_AUTH, _begin_python("litestar_boto3", DECLARED)),
    Subject("fastapi", "FastAPI, boto3", NO_AUTH, _begin_python("fastapi_boto3", DECLARED)),
    Subject("express", "Express, AWS SDK v3", NO_AUTH, _begin_node("express", DECLARED)),
    Subject("node-http", "bare `node:http`, AWS SDK v2", NO_AUTH, _begin_node("node-http", DECLARED)),
    Subject(
        "node-http-verified",
        "bare `node:http`, AWS SDK v2, token verified",
        "a log line and a metrics line each; no digest, no problem details",
        _begin_verifying_node,
    ),
    Subject(
        "companion",
        "Uppy Companion 6.2.1",
        "`GET /s3/params`: no authentication, any size; writes a line of log of its own",
        _begin_node("companion", Request("GET", COMPANION), COMPANION),
    ),
    Subject(
        "django",
        "django-s3-file-field, gunicorn",
        "`upload-initialize`: no authentication; begins a multipart upload, so that each is a call to AWS as well",
        _begin_django,
    ),
    Subject(
        "litestar-constant",
        "Litestar, a constant",
        "a ceiling: no work",
        _begin_python("litestar_constant", NO_BODY, "/"),
        is_ceiling=True,
    ),
    Subject(
        "asgi-constant",
        "ASGI, a constant",
        "a ceiling: no work, no framework",
        _begin_python("asgi_constant", NO_BODY, "/"),
        is_ceiling=True,
    ),
)

BY_NAME: Mapping[str, Subject] = {subject.name: subject for subject in SUBJECTS}
