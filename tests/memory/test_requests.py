"""No part of a request stays in memory after its response, whatever clients send."""

from __future__ import annotations

import gc
import logging
import tracemalloc
from itertools import count, islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import boto3
import pytest
from botocore.credentials import Credentials

from services.auth import app as auth
from services.auth.settings import Settings as AuthSettings
from services.frontend import app as frontend
from services.frontend.settings import Settings as FrontendSettings
from services.uploads import app as uploads
from services.uploads.settings import Settings as UploadsSettings
from services.web.gate import MAX_PARAMETERS, MAX_PATH_LENGTH, MAX_QUERY_BYTES, Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from litestar import Litestar

ORIGIN = "https://pictures.example"
JWKS_URL = "http://127.0.0.1:1/jwks"  # nothing listens there
MAX_GROWTH = {"auth": 2_000_000, "uploads": 8_000_000, "frontend": 11_000_000}
"""Bytes, for each service. The URLs that the gate lets through may stay in Litestar's caches, which have 1,024 entries.
Routes of uploads and frontend read the query."""
REQUESTS = 150
"""Distinct requests to each route, of each size."""
NUMBERS = count()
"""Every request of every test is different, since Litestar's caches are common to all applications of the process."""
Size = tuple[int, int]
LONGEST = (MAX_PATH_LENGTH, MAX_QUERY_BYTES)
TOO_LONG = (20_000, 20_000)


OPTIONS: dict[str, Any] = {
    "region_name": "eu-central-1",
    "aws_access_key_id": "invented",
    "aws_secret_access_key": "invented",
}


def throttle(client: Any) -> Any:
    """Make every call of a client fail without the network."""
    error = {"Error": {"Code": "ThrottlingException", "Message": ""}, "ResponseMetadata": {}}

    def respond(**_: object) -> tuple[Any, Any]:
        return SimpleNamespace(status_code=400), error

    client.meta.events.register("before-call", respond)
    return client


def find_credentials() -> Credentials:
    return Credentials("invented", "invented")


def create_apps() -> dict[str, Litestar]:
    s3, dynamodb = throttle(boto3.client("s3", **OPTIONS)), throttle(boto3.client("dynamodb", **OPTIONS))
    kms = throttle(boto3.client("kms", **OPTIONS))
    return {
        "auth": auth.create_app(
            AuthSettings(origin=ORIGIN, table="users", signing_keys="one"), dynamodb=dynamodb, kms=kms
        ),
        "uploads": uploads.create_app(
            UploadsSettings(origin=ORIGIN, table="users", bucket="pictures", jwks_url=JWKS_URL),
            s3=s3,
            dynamodb=dynamodb,
            credentials=find_credentials,
        ),
        "frontend": frontend.create_app(
            FrontendSettings(origin=ORIGIN, table="users", bucket="pictures", jwks_url=JWKS_URL),
            s3=s3,
            dynamodb=dynamodb,
            credentials=find_credentials,
        ),
    }


@pytest.fixture(autouse=True)
def _without_logs() -> Iterator[None]:
    """Pytest keeps log records, which contain what they are about."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def find_routes(application: Litestar) -> set[tuple[str, str]]:
    """Method and path of every route, with those of the documents and the static files."""
    return {
        (method, getattr(route, "path_format", route.path))
        for route in application.routes
        for method in getattr(route, "methods", ("GET",))
    }


def make_text(number: int, length: int) -> str:
    return f"{number:x}-".ljust(length, "x")


def make_scope(method: str, path: str, number: int, size: Size) -> dict[str, Any]:
    path_length, query_length = size
    prefix, brace, rest = path.partition("{")
    if brace:
        suffix = rest.partition("}")[2]
        path = prefix + make_text(number, path_length - len(prefix + suffix)) + suffix
    value = make_text(number, query_length // (MAX_PARAMETERS + 1))
    query = "&".join(f"{name}={value}" for name in ["cursor", "users", "limit", *range(MAX_PARAMETERS - 3)])
    headers = {
        "host": f"{number}.example",
        "content-type": "application/json",
        "cookie": "; ".join(f'{name}="{make_text(number, 8000)}"' for name in ("__Host-session", "a", "b", "c")),
        "accept": make_text(number, 2000),
        "accept-language": make_text(number, 2000),
        "if-none-match": make_text(number, 2000),
        "x-request-id": make_text(number, 2000),
        "x-client-address": make_text(number, 2000),
        "origin": make_text(number, 2000),
        make_text(number, 2000): make_text(number, 2000),
    }
    if number % 2:
        headers["authorization"] = f"Bearer {make_text(number, 2000)}"
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "state": {},
    }


async def ask(application: Any, scope: dict[str, Any], body: bytes) -> int:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await application(scope, receive, send)
    return statuses[0]


@pytest.mark.parametrize("size", [LONGEST, TOO_LONG], ids=["accepted", "too long"])
@pytest.mark.parametrize("service", ["auth", "uploads", "frontend"])
def test_memory_does_not_grow_with_distinct_requests(service: str, size: Size) -> None:
    application = create_apps()[service]
    gate = Gate(cast("Any", application))

    async def ask_all(times: int) -> None:
        for method, path in sorted(find_routes(application)):
            for number in islice(NUMBERS, times):
                body = b'{"username": "%s"}' % make_text(number, 250).encode() if method == "POST" else b""
                assert await ask(gate, make_scope(method, path, number, size), body) != 500

    async def measure() -> int:
        await ask_all(5)
        gc.collect()
        tracemalloc.start()
        try:
            await ask_all(REQUESTS)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    growth = anyio.run(measure)
    assert growth < MAX_GROWTH[service]
