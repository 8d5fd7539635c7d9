"""The running system, and users of it that no other test knows of."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import os
import ssl
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import hypothesis
import pytest
from testcontainers.core.network import Network

from infra.local.ports import pick_free_ports
from infra.local.seeds import make_row
from infra.local.stack import Options, Stack, make_root_clients, run_processes, start_emulator, start_system
from infra.seed.people import PORTRAITS, Person, invent_people
from tests import web
from tests.containers.emulators import localstack_aws, run_localstack, run_ministack
from tests.containers.engine import NoEngineError, use_engine
from tests.eventually import eventually
from tests.given import find_given, recognize
from tests.isolation import isolate
from tests.targets import CHOICES, Target, Trait, runs_on
from tests.workers import Scheduler, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import httpx2
    from testcontainers.community.localstack import LocalStackContainer

    from infra.local.clients import Aws
    from tests.containers.engine import Engine

pytest_plugins = ["tests.browsing"]

hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("patient")

_numbers = itertools.count(1)

_crowded = set[str]()
"""The buckets of systems that users were made in."""

_tls = ssl.create_default_context()
"""One for all clients, since it takes longer to make than an upload does; there is no TLS here to use it."""

ENGINE_SECONDS = 600

CHOSEN = pytest.StashKey[tuple[Target, ...]]()
"""Which AWS the tests of this run are for that can run on several."""

COVERED = pytest.StashKey[list[str]]()
"""Lines that say what was covered, where a test alone would not."""


@pytest.fixture(scope="session")
def covered(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Say in one line what was covered; it is shown at the end of the run."""
    return pytestconfig.stash[COVERED].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["covered"] = session.config.stash[COVERED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What a worker has said."""
    node.config.stash[COVERED] += getattr(node, "workeroutput", {}).get("covered", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash[COVERED]:
        terminalreporter.section("covered")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session", params=["prefix", "tag"])
def strategy(request: pytest.FixtureRequest) -> Literal["prefix", "tag"]:
    """What uses the running system runs once under each."""
    return request.param


WAITS_UNDER = {"prefix": "pending/", "tag": "avatars/"}
"""By strategy, where an upload awaits its confirm."""

only_prefix = pytest.mark.parametrize("strategy", ["prefix"], indirect=True, scope="session")
only_tag = pytest.mark.parametrize("strategy", ["tag"], indirect=True, scope="session")
"""For what only one of them has."""


@pytest.fixture(scope="session")
def embedded() -> Iterator[Aws]:
    """The emulator of the demo, once for the whole run."""
    with run_processes() as processes:
        aws = make_root_clients(pick_free_ports(1)[0])
        start_emulator(processes, aws, None)
        yield aws


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    if coming := os.environ.get("ENGINE_COMING"):
        # Something brings it up meanwhile, and removes this file when it has.
        eventually(lambda: not Path(coming).exists(), ENGINE_SECONDS)
    try:
        with use_engine() as engine:
            yield engine
    except NoEngineError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def network(engine: Engine) -> Iterator[Network]:
    """That LocalStack and the services share."""
    with Network(docker_network_kw={"labels": engine.labels}) as network:
        yield network


@pytest.fixture(scope="session")
def localstack(engine: Engine, network: Network) -> Iterator[LocalStackContainer]:
    with run_localstack(engine, network) as container:
        yield container


@pytest.fixture(scope="session")
def ministack(engine: Engine) -> Iterator[Aws]:
    with run_ministack(engine) as aws:
        yield aws


@pytest.fixture(scope="session")
def target(request: pytest.FixtureRequest) -> Target:
    """Those that are marked `every_aws` run once under each that was chosen."""
    return getattr(request, "param", Target.EMBEDDED)


@pytest.fixture(scope="session")
def aws(request: pytest.FixtureRequest, target: Target) -> Aws:
    """Clients that may do everything there."""
    if target.value.startswith("given"):
        return find_given(os.environ)
    if target is Target.LOCALSTACK:
        return localstack_aws(request.getfixturevalue("localstack"))
    return request.getfixturevalue(target.value)


class StartStack(Protocol):
    """All parts of the demo, on free ports; those that are asked for again are running still."""

    def __call__(self, aws: Aws, strategy: Literal["prefix", "tag"], whose: str = "everybody's") -> Stack: ...


@pytest.fixture(scope="session")
def stacks() -> list[Stack]:
    """All that `start_stack` has started."""
    return []


@pytest.fixture(scope="session")
def start_stack(stacks: list[Stack]) -> Iterator[StartStack]:
    with contextlib.ExitStack() as running:

        @functools.cache
        def start(aws: Aws, strategy: Literal["prefix", "tag"], whose: str = "everybody's") -> Stack:  # noqa: ARG001
            name = f"three-phase-upload-{uuid.uuid4().hex[:12]}"
            options = Options(port=0, pending=strategy, presigns_per_minute=0, logins_per_minute=0, name=name)
            processes = running.enter_context(run_processes())
            stack = start_system(aws, processes, options, lambda _part, _where: None)
            stacks.append(stack)
            return stack

        yield start


@pytest.fixture(scope="module", autouse=True)
def clear(stacks: list[Stack]) -> Iterator[None]:
    """The users of one file's tests go with it: a sweep looks at all there is, and so do many tests."""
    yield
    for stack in stacks:
        if stack.resources.bucket in _crowded:
            _crowded.remove(stack.resources.bucket)
            remove_users(stack)


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack) -> Stack:
    return start_stack(aws, strategy)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--aws", choices=CHOICES, help="which AWS the tests run on that can run on several")


def pytest_configure(config: pytest.Config) -> None:
    isolate(os.environ)
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if option := config.getoption("--aws"):
        chosen = CHOICES[option]
    else:
        chosen = (recognize(endpoint),) if endpoint else CHOICES["all"]
    config.stash[CHOSEN] = chosen
    config.stash[COVERED] = []


def pytest_report_header(config: pytest.Config) -> str:
    return f"AWS: {', '.join(target.value for target in config.stash[CHOSEN])}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames and metafunc.definition.get_closest_marker("every_aws"):
        targets = dict.fromkeys([Target.EMBEDDED, *metafunc.config.stash[CHOSEN]])
        metafunc.parametrize("target", targets, indirect=True, scope="session", ids=lambda target: target.value)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if not _runs(item, config.stash[CHOSEN])]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]

    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    return Scheduler(config, log)


def _runs(item: pytest.Item, chosen: Collection[Target]) -> bool:
    called_with: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if "target" not in called_with:
        return True
    if item.get_closest_marker("one_aws"):
        return called_with["target"] is Target.EMBEDDED
    needs = {trait for mark in item.iter_markers("needs") for trait in mark.args}
    if called_with.get("strategy") == "tag":
        needs.add(Trait.FORM_TAGGING)
    return runs_on(called_with["target"], chosen, needs)


@pytest.fixture
def bucket(stack: Stack) -> Bucket:
    return Bucket(stack.aws, stack.resources.bucket)


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx2.Client]:
    """Nobody in particular: no cookie, no token."""
    with web.Client(base_url=stack.origin) as client:
        yield client


@pytest.fixture
def user(stack: Stack) -> Iterator[User]:
    """A fresh user with a portrait, logged in."""
    with make_user(stack) as fresh:
        yield fresh


@pytest.fixture
def other_user(stack: Stack) -> Iterator[User]:
    with make_user(stack) as fresh:
        yield fresh


def remove_users(stack: Stack) -> None:
    """All rows and objects but those of the users that the system began with."""
    aws, bucket, table = stack.aws, stack.resources.bucket, stack.resources.table
    seeded = {person.username for person in invent_people(Options().users)}
    kept = set[str]()
    for page in aws.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for row in page["Items"]:
            if row["Username"].get("S") in seeded:
                kept.add(row.get("Avatar", {}).get("S", ""))
            else:
                aws.dynamodb.delete_item(TableName=table, Key={"Username": row["Username"]})
    for page in aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [entry.get("Key", "") for entry in page.get("Contents", [])]
        if gone := [key for key in keys if key not in kept]:
            aws.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in gone], "Quiet": True})


def make_user(stack: Stack, *, portrait: bool = True) -> User:
    _crowded.add(stack.resources.bucket)
    number = next(_numbers)
    person = Person(f"Tester{number:04}", f"Tess Number {number}", PORTRAITS[number % 3] if portrait else None)
    row = make_row(stack.aws, stack.resources.bucket, person)
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=row)
    user = User(stack, person.username, person.name, web.Client(base_url=stack.origin, verify=_tls))
    answer = user.http.post("/auth/login", json={"username": user.username}).raise_for_status()
    # Programs use the Bearer header; the cookie is the browser's, and the tests of it set it themselves.
    user.http.cookies.clear()
    user.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return user


@dataclass(frozen=True)
class Bucket:
    """The bucket as somebody sees it who may do everything."""

    aws: Aws
    name: str

    def keys(self, username: str) -> list[str]:
        """Of the objects that are bound to this user."""
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [entry.get("Key", "") for page in pages for entry in page.get("Contents", [])]
        return [key for key in keys if self.owner(key) == username]

    def owner(self, key: str) -> str | None:
        try:
            return self.head(key)["Metadata"].get("username")
        except self.aws.s3.exceptions.ClientError as error:
            # Deleted since it was listed, as what follows a confirm's answer does.
            if error.response.get("Error", {}).get("Code") == "404":
                return None
            raise

    def head(self, key: str) -> Any:
        return self.aws.s3.head_object(Bucket=self.name, Key=key)

    def read(self, key: str) -> bytes:
        file = io.BytesIO()
        self.aws.s3.download_fileobj(self.name, key, file)
        return file.getvalue()


@dataclass(frozen=True)
class User:
    """Somebody who uploads. Each phase answers with the response as it came, good or bad."""

    stack: Stack
    username: str
    name: str
    http: httpx2.Client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @property
    def avatar(self) -> str | None:
        """What the row points at now."""
        key: Any = {"Username": {"S": self.username}}
        row = self.stack.aws.dynamodb.get_item(TableName=self.stack.resources.table, Key=key, ConsistentRead=True).get(
            "Item", {}
        )
        return row.get("Avatar", {}).get("S")

    def presign(self, content_type: str, size: int, **more: Any) -> httpx2.Response:
        return self.http.post("/uploads/presign", json={"content_type": content_type, "size": size, **more})

    def confirm(self, form: dict[str, Any] | str, **more: Any) -> httpx2.Response:
        """As the page does it, from a presign's answer; or with just this key."""
        wanted = {"key": form} if isinstance(form, str) else {k: form[k] for k in form.keys() & {"key", "upload_token"}}
        return self.http.post("/uploads/confirm", json=wanted | more)

    def put_up(self, content_type: str, file: bytes) -> dict[str, Any]:
        """The first two phases of a good upload; the presign's answer."""
        form: dict[str, Any] = self.presign(content_type, len(file)).raise_for_status().json()
        post_form(form, file).raise_for_status()
        return form


def post_form(form: dict[str, Any], file: bytes, **changed: str | None) -> httpx2.Response:
    """The second phase, without anybody's credentials. `changed`: fields to set instead, or to leave out if None."""
    fields = {name: value for name, value in {**form["fields"], **changed}.items() if value is not None}
    return web.post(form["url"], data=fields, files={"file": ("picture", file)}, verify=_tls)
