"""An uploads service that calls AWS through the proxy, and checks of the bucket and the table."""

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
from services.store.kinds import KINDS, Kind
from services.uploads.settings import Settings
from tests.conftest import User, make_user
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.faults.service import make_app, time_out_unanswered_calls
from tests.faults.service_process import ServiceProcess
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator, Mapping
    from pathlib import Path

    import httpx2

    from infra.local.stack import Stack

CALLS = ("GetObject", "GetItem", "CopyObject", "UpdateItem", "DeleteObjects")
"""The AWS calls of a confirm, in order. The first two are concurrent, and the last one follows the response."""


REMOVAL_CALLS = ("GetItem", "UpdateItem", "DeleteObjects")
"""The AWS calls of a removal, in order. The last one follows the response."""


@pytest.fixture(scope="session")
def tally(strategy: str, covered: Callable[[str], None]) -> Iterator[Counter[str]]:
    """The number of faults under one strategy, and their outcomes."""
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
    """Each call starts another uploads service behind the proxy, in this process, and returns its URL. Each service has
    its own AWS clients, since a client stops retrying after too many faults.
    """
    settings = read_settings(Settings, make_service_environ(stack, strategy, proxy, f"http://{HOST}:8000"))
    with contextlib.ExitStack() as running:

        def start() -> str:
            aws = replace(stack.aws, endpoint=proxy.url).with_credentials(stack.resources.credentials["uploads"])
            time_out_unanswered_calls(aws, proxy)
            return running.enter_context(serve(make_app(settings, aws)))

        yield start


@contextlib.contextmanager
def serve(application: Any) -> Generator[str, None, None]:
    """Serve an ASGI application in a thread and yield its URL."""
    config = uvicorn.Config(
        application,
        host=HOST,
        port=0,
        log_config=None,
        access_log=False,
        # Longer than clients keep idle connections, so that none sends a request on a connection that is being closed.
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
def service_process(
    stack: Stack, strategy: Literal["prefix", "tag"], proxy: Proxy, tmp_path: Path
) -> Iterator[ServiceProcess]:
    url = f"http://{HOST}:{pick_free_ports(1)[0]}"
    service_process = ServiceProcess(url, make_service_environ(stack, strategy, proxy, url), tmp_path / "uploads.log")
    try:
        yield service_process
    finally:
        service_process.stop()


def make_service_environ(stack: Stack, strategy: Literal["prefix", "tag"], proxy: Proxy, url: str) -> dict[str, str]:
    services = {**stack.services, "uploads": url}
    aws = replace(stack.aws, endpoint=proxy.url)
    settings = configuration.Settings(pending=strategy, presigns_per_minute=0, confirms_per_minute=0)
    return make_environ("uploads", services, aws, stack.resources, stack.origin, settings)


@dataclass(frozen=True)
class Upload:
    """An upload that is posted and not confirmed."""

    user: User
    """The user, whose client calls the service under test."""
    form: dict[str, Any]
    picture: bytes
    kind: Kind
    old: str
    """The key that the row refers to before the confirm."""

    @property
    def new(self) -> str:
        return self.form["key"].replace(self.kind.pending_prefix, self.kind.permanent_prefix)

    @property
    def current(self) -> str | None:
        """The key that the row refers to now."""
        return self.user.find_value(self.kind).key

    @property
    def upload_id(self) -> str:
        return self.new.removeprefix(self.kind.permanent_prefix)

    @property
    def keys(self) -> set[str]:
        """The keys of the old picture, the new picture and the posted object."""
        return {self.old, self.new, self.form["key"]}

    def about(self, call: str) -> str:
        """A text that only this upload's call of this name contains."""
        upload_id = self.upload_id
        return {"GetItem": self.user.username, "UpdateItem": self.user.username, "DeleteObjects": self.old}.get(
            call, upload_id
        )

    def confirm(self) -> httpx2.Response:
        return self.user.confirm(self.form)

    def remove(self) -> httpx2.Response:
        return self.user.remove(self.kind)

    @property
    def answer(self) -> dict[str, str]:
        """The response of a successful confirm."""
        return self.user.make_confirmation(self.new, self.kind)


@contextlib.contextmanager
def begin_upload(stack: Stack, url: str, seed: int) -> Generator[Upload, None, None]:
    """Presign and post a picture of a new user who has one of the same kind, at the service with this URL. The seed
    chooses the kind.
    """
    kind = [*KINDS.values()][seed % len(KINDS)]
    with make_user(stack, portrait=False) as user:
        old = user.upload_unconfirmed("image/png", make_picture(), kind)
        user.confirm(old).raise_for_status()
        eventually(lambda: list_keys(stack, old["key"]) == set() or "upload_token" in old)
        user.http.base_url = url
        picture = make_picture(size=(24, 24), seed=seed)
        form = user.upload_unconfirmed("image/png", picture, kind)
        yield Upload(user, form, picture, kind, user.find_value(kind).key or "")


def check_row_refers_to_object(stack: Stack, upload: Upload) -> None:
    """I1: the row refers to an existing object."""
    current = upload.current or "none"
    assert list_keys(stack, current) == {current}


def check_done(stack: Stack, upload: Upload) -> None:
    """Assert that the row refers to the posted bytes and that no lifecycle rule will delete them."""
    assert upload.current == upload.new
    stored = stack.aws.s3.get_object(Bucket=stack.resources.bucket, Key=upload.new)
    assert stored["Body"].read() == upload.picture
    assert "TagCount" not in stored
    assert "Expiration" not in stored


def check_remaining_objects(stack: Stack, left: Mapping[str, tuple[Upload, set[str]]]) -> None:
    """Assert that each upload's picture exists, with at most these other keys. `left`: upload and keys by fault."""

    def find_strays() -> dict[str, set[str]]:
        there = list_keys(stack)
        strays = {name: (upload.keys & there) - {upload.new, *more} for name, (upload, more) in left.items()}
        return {name: keys for name, keys in strays.items() if keys}

    with contextlib.suppress(AssertionError):  # the next assertion has a better message
        eventually(lambda: not find_strays())
    assert find_strays() == {}
    owned = list_owned(stack)
    for name, (upload, more) in left.items():
        assert {upload.new} <= owned[upload.user.username] <= {upload.new, *more}, name


def list_keys(stack: Stack, prefix: str = "") -> set[str]:
    pages = stack.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=stack.resources.bucket, Prefix=prefix)
    return {entry.get("Key", "") for page in pages for entry in page.get("Contents", [])}


def list_owned(stack: Stack) -> dict[str, set[str]]:
    """The keys of the objects whose metadata names a user, by user."""
    owned: dict[str, set[str]] = {}
    for key in list_keys(stack):
        head = stack.aws.s3.head_object(Bucket=stack.resources.bucket, Key=key)
        owned.setdefault(head["Metadata"].get("username", ""), set()).add(key)
    return owned


def check_swept(stack: Stack, users: Collection[User]) -> None:
    """Assert that after a sweep each of these users has one object, to which the row refers."""
    report = sweep(stack)
    assert not report.needs_attention, report.as_text()
    owned = list_owned(stack)
    for user in users:
        keys = [user.find_value(kind).key for kind in KINDS.values()]
        assert owned[user.username] == {key for key in keys if key}
