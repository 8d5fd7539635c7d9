"""Every call to AWS while each response is cut off or unreadable. A confirm's calls are in `test_faults.py`."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import uuid_utils

from bench.soak.proxy import CUT, Fault, Kind, Planned, Proxy, When
from bench.soak.sweeping import open_sweeper
from infra import settings as configuration
from infra.local.ports import HOST
from infra.local.stack import make_environ
from services.auth import app as auth
from services.auth.settings import Settings as AuthSettings
from services.frontend import app as frontend
from services.frontend.settings import Settings as FrontendSettings
from services.settings.environment import read_settings
from services.store.clients import AWS_ERRORS, is_transient
from services.store.kinds import AVATAR
from services.uploads.sweep.report import Outcome
from tests import web
from tests.conftest import User, make_user, only_prefix
from tests.faults.conftest import list_keys, serve
from tests.faults.test_faults import check_unavailable
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from infra.local.clients import Aws
    from infra.local.stack import Stack

pytestmark = only_prefix

EFFECTS = {
    **{kind.value: (When.AFTER, kind) for kind in sorted(CUT, key=lambda kind: kind.value)},
    **{kind.value: (When.BEFORE, kind) for kind in (Kind.EMPTY_200, Kind.UNREADABLE_200)},
}

LOGIN = "/auth/login"

REQUESTS = {
    "GetItem": [LOGIN, "/users/{username}/avatar"],
    "Sign": [LOGIN],
    "Scan": ["/users", "/inspector/users", "/"],
    "ListObjectsV2": ["/inspector/objects", "/"],
    "GetObject": ["/inspector/objects?limit=3"],
    "BatchGetItem": ["/inspector/objects?limit=3"],
    "HeadObject": ["/inspector/users?limit=3"],
}
"""For each call of auth and frontend, the requests that make it."""


@pytest.fixture(scope="module")
def proxied(stack: Stack, proxy: Proxy) -> Stack:
    return replace(stack, aws=replace(stack.aws, endpoint=proxy.url))


@pytest.fixture(scope="module")
def user(stack: Stack) -> Iterator[User]:
    with make_user(stack) as created:
        yield created


@pytest.fixture(scope="module")
def services(proxied: Stack) -> Iterator[dict[str, str]]:
    """The URLs of auth and frontend, in this process, which call AWS through the proxy."""
    with contextlib.ExitStack() as running:

        def prepare(name: str) -> tuple[Aws, dict[str, str]]:
            aws = proxied.aws.with_credentials(proxied.resources.credentials[name])
            urls = {**proxied.services, name: f"http://{HOST}:8000"}
            settings = configuration.Settings(logins_per_minute=0)
            return aws, make_environ(name, urls, aws, proxied.resources, proxied.origin, settings)

        aws, environ = prepare("auth")
        login = auth.create_app(read_settings(AuthSettings, environ), dynamodb=aws.dynamodb, kms=aws.kms)
        aws, environ = prepare("frontend")
        page = frontend.create_app(
            read_settings(FrontendSettings, environ), s3=aws.s3, dynamodb=aws.dynamodb, credentials=aws.find_credentials
        )
        yield {"auth": running.enter_context(serve(login)), "frontend": running.enter_context(serve(page))}


@contextlib.contextmanager
def inject(proxy: Proxy, call: str, effect: tuple[When, Kind]) -> Generator[Planned, None, None]:
    planned = proxy.plan(Fault(call, *effect, times=None))
    try:
        yield planned
    finally:
        proxy.lift(planned)


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
def test_a_sweep_deletes_nothing_while_a_call_has_no_whole_response(
    stack: Stack, proxied: Stack, proxy: Proxy, user: User, effect: tuple[When, Kind]
) -> None:
    orphan = f"{AVATAR.permanent_prefix}{uuid_utils.uuid7()}"
    stack.aws.s3.put_object(
        Bucket=stack.resources.bucket, Key=orphan, Body=make_picture(), Metadata={"username": user.username}
    )
    before = list_keys(stack)
    with open_sweeper(proxied) as sweeper:
        for call in ("Scan", "ListObjectsV2"):
            with inject(proxy, call, effect), pytest.raises(AWS_ERRORS) as caught:
                sweeper.sweep()
            assert is_transient(caught.value)
        for call in ("HeadObject", "GetObjectTagging", "GetItem"):
            with inject(proxy, call, effect):
                report = sweeper.sweep()
            assert orphan in report.names[Outcome.FAILED]
        assert list_keys(stack) == before
        with inject(proxy, "DeleteObjects", effect):
            report = sweeper.sweep()
        assert orphan in report.names[Outcome.FAILED]
        sweeper.sweep()
    assert before - list_keys(stack) >= {orphan}
    assert user.avatar in list_keys(stack)


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=EFFECTS)
@pytest.mark.parametrize(("call", "paths"), REQUESTS.items(), ids=REQUESTS)
def test_a_request_is_503_while_a_call_has_no_whole_response(
    services: dict[str, str], proxy: Proxy, user: User, call: str, paths: list[str], effect: tuple[When, Kind]
) -> None:
    with web.Client() as client, inject(proxy, call, effect):
        for path in paths:
            if path == LOGIN:
                answer = client.post(services["auth"] + path, json={"username": user.username})
            else:
                answer = client.get(services["frontend"] + path.format(username=user.username))
            check_unavailable(answer)
