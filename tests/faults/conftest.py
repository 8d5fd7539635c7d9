"""An uploads service of the tests' own that reaches AWS through the proxy, and what is left in bucket and table."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import pytest
import uvicorn

from bench.soak.proxy import Proxy, run_proxy
from bench.soak.sweeping import sweep
from infra import settings as configuration
from infra.local.ports import HOST, pick_free_ports
from infra.local.stack import make_environ
from services.settings.environment import read_settings
from services.uploads.settings import Settings
from tests.conftest import User, make_user
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.faults.replica import Replica
from tests.faults.service import give_up_where_unanswered, make_patient_app
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Mapping
    from pathlib import Path

    import httpx2

    from infra.local.stack import Stack

CALLS = ("GetObject", "GetItem", "CopyObject", "UpdateItem", "DeleteObjects")
"""Of a confirm, in their order; the first two go out together, the last one follows the answer."""


@pytest.fixture(scope="session")
def tally(strategy: str, covered: Callable[[str], None]) -> Iterator[Counter[str]]:
    """How many faults were tried under one strategy, and what came of them."""
    counted = Counter[str]()
    yield counted
    if counted:
        covered(f"faults ({strategy}): {', '.join(f'{number} {what}' for what, number in counted.items())}")


@pytest.fixture(scope="session")
def proxy(stack: Stack) -> Iterator[Proxy]:
    with run_proxy(stack.aws.endpoint) as running:
        yield running


StartService = Callable[[], str]


@pytest.fixture
def start_service(stack: Stack, strategy: Literal["prefix", "tag"], proxy: Proxy) -> Iterator[StartService]:
    """Each call starts one more uploads service behind the proxy, in this process, and returns its URL. It has AWS
    clients of its own, since those stop to retry once they have met too many faults.
    """
    settings = read_settings(Settings, _environ(stack, strategy, proxy, f"http://{HOST}:8000"))
    with contextlib.ExitStack() as running:

        def start() -> str:
            aws = replace(stack.aws, endpoint=proxy.url).with_credentials(stack.resources.credentials["uploads"])
            give_up_where_unanswered(aws, proxy)
            return running.enter_context(serve(make_patient_app(settings, aws)))

        yield start


@contextlib.contextmanager
def serve(application: Any) -> Generator[str, None, None]:
    """The URL of an ASGI application that is served in a thread."""
    config = uvicorn.Config(
        application,
        host=HOST,
        port=0,
        log_config=None,
        access_log=False,
        # Longer than a client keeps an idle one, or it would send a call on one that is being closed.
        timeout_keep_alive=PATIENCE_SECONDS,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://{HOST}:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def replica(stack: Stack, strategy: Literal["prefix", "tag"], proxy: Proxy, tmp_path: Path) -> Iterator[Replica]:
    url = f"http://{HOST}:{pick_free_ports(1)[0]}"
    replica = Replica(url, _environ(stack, strategy, proxy, url), tmp_path / "uploads.log")
    try:
        yield replica
    finally:
        replica.stop()


def _environ(stack: Stack, strategy: Literal["prefix", "tag"], proxy: Proxy, url: str) -> dict[str, str]:
    services = {**stack.services, "uploads": url}
    aws = replace(stack.aws, endpoint=proxy.url)
    settings = configuration.Settings(pending=strategy, presigns_per_minute=0)
    return make_environ("uploads", services, aws, stack.resources, stack.origin, settings)


@dataclass(frozen=True)
class Upload:
    """An upload that is posted and waits for its confirm."""

    user: User
    """Who talks to a service of the tests' own."""
    form: dict[str, Any]
    picture: bytes
    old: str
    """The avatar until then."""

    @property
    def new(self) -> str:
        return self.form["key"].replace("pending/", "avatars/")

    @property
    def keys(self) -> set[str]:
        """All that this upload has to do with."""
        return {self.old, self.new, self.form["key"]}

    def about(self, call: str) -> str:
        """What tells such a call of this upload from that of another one."""
        upload_id = self.new.removeprefix("avatars/")
        return {"GetItem": self.user.username, "UpdateItem": self.user.username, "DeleteObjects": self.old}.get(
            call, upload_id
        )

    def confirm(self) -> httpx2.Response:
        return self.user.confirm(self.form)

    @property
    def answer(self) -> dict[str, str]:
        """What a good confirm answers."""
        return {"username": self.user.username, "avatar": self.new}


@contextlib.contextmanager
def begin_upload(stack: Stack, url: str, seed: int) -> Generator[Upload, None, None]:
    """Of a fresh user with a portrait, by way of the service at this URL."""
    with make_user(stack) as user:
        user.http.base_url = url
        picture = make_picture(size=(24, 24), seed=seed)
        form = user.put_up("image/png", picture)
        yield Upload(user, form, picture, user.avatar or "")


def check_not_dangling(stack: Stack, upload: Upload) -> None:
    """I1: the row points at an object that is there."""
    avatar = upload.user.avatar or "none"
    assert list_keys(stack, avatar) == {avatar}


def check_done(stack: Stack, upload: Upload) -> None:
    """The row points at the posted bytes, which nothing is going to delete."""
    assert upload.user.avatar == upload.new
    stored = stack.aws.s3.get_object(Bucket=stack.resources.bucket, Key=upload.new)
    assert stored["Body"].read() == upload.picture
    assert "TagCount" not in stored
    assert "Expiration" not in stored


def check_left(stack: Stack, left: Mapping[str, tuple[Upload, set[str]]]) -> None:
    """By what befell it, each upload's avatar is there, and at most these keys besides, which nothing references."""

    def find_strays() -> dict[str, set[str]]:
        there = list_keys(stack)
        strays = {name: (upload.keys & there) - {upload.new, *more} for name, (upload, more) in left.items()}
        return {name: keys for name, keys in strays.items() if keys}

    with contextlib.suppress(AssertionError):  # what is said next says more
        eventually(lambda: not find_strays())
    assert find_strays() == {}
    owned = list_owned(stack)
    for name, (upload, more) in left.items():
        assert {upload.new} <= owned[upload.user.username] <= {upload.new, *more}, name


def list_keys(stack: Stack, prefix: str = "") -> set[str]:
    pages = stack.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.resources.bucket, Prefix=prefix)
    return {entry.get("Key", "") for page in pages for entry in page.get("Contents", [])}


def list_owned(stack: Stack) -> dict[str, set[str]]:
    """The objects that are bound to each user."""
    owned: dict[str, set[str]] = {}
    for key in list_keys(stack):
        head = stack.aws.s3.head_object(Bucket=stack.resources.bucket, Key=key)
        owned.setdefault(head["Metadata"].get("username", ""), set()).add(key)
    return owned


def check_swept(stack: Stack, users: Collection[User]) -> None:
    """Nothing is left of these users after a sweep but one avatar each."""
    report = sweep(stack)
    assert not report.needs_attention, report.as_text()
    owned = list_owned(stack)
    for user in users:
        assert owned[user.username] == {user.avatar}
