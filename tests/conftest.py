"""The running system, and new users of it for each test."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import os
import ssl
import uuid
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import hypothesis
import pytest
from testcontainers.core.network import Network

from infra.local.ports import pick_free_ports
from infra.local.stack import Options, Stack, make_root_clients, run_processes, start_emulator, start_system
from infra.seed.people import PORTRAITS, Person, invent_people
from infra.seed.seeds import make_row
from services.store.keys import PENDING_TAG, Upload, UploadId
from services.store.kinds import AVATAR, Kind
from services.store.table import USERNAME, Value, make_key, read_value
from services.uploads.bucket import compute_sha256
from services.uploads.user_pictures import make_picture_url
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

_buckets_with_users = set[str]()
"""The buckets of the systems in which tests created users."""

_tls = ssl.create_default_context()
"""One context for all clients: creating one takes longer than an upload. The tests use plain HTTP and never need it."""

ENGINE_SECONDS = 600

CHOSEN = pytest.StashKey[tuple[Target, ...]]()
"""The AWS targets of this run, for the tests that can run on several."""

COVERED = pytest.StashKey[list[str]]()
"""Lines about what the tests covered, where the tests' names do not say it."""


@pytest.fixture(scope="session")
def covered(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Add a line about what a test covered. pytest prints these lines at the end of the run."""
    return pytestconfig.stash[COVERED].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["covered"] = session.config.stash[COVERED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the lines of a pytest-xdist worker."""
    node.config.stash[COVERED] += getattr(node, "workeroutput", {}).get("covered", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash[COVERED]:
        terminalreporter.section("covered")
        for line in lines:
            terminalreporter.line(line)
    terminalreporter.section("seconds of each folder, with its fixtures, added up over all processes")
    for folder, seconds in sorted(_sum_durations(terminalreporter).items()):
        terminalreporter.line(f"{seconds:7.0f}  {folder}")


def _sum_durations(terminalreporter: pytest.TerminalReporter) -> dict[str, float]:
    seconds = defaultdict[str, float](float)
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if type(report) is pytest.TestReport:  # not one of a subtest, which its test's duration includes
            seconds["/".join(report.nodeid.split("/")[:2])] += report.duration
    return seconds


@pytest.fixture(scope="session", params=["prefix", "tag"])
def strategy(request: pytest.FixtureRequest) -> Literal["prefix", "tag"]:
    """Each test that uses the running system runs once with each strategy."""
    return request.param


POSTED_PREFIXES = {"prefix": AVATAR.pending_prefix, "tag": AVATAR.permanent_prefix}
"""The prefix of the key that a form posts to, by strategy."""

only_prefix = pytest.mark.parametrize("strategy", ["prefix"], indirect=True, scope="session")
only_tag = pytest.mark.parametrize("strategy", ["tag"], indirect=True, scope="session")
"""For tests of behaviour that only one strategy has, or that is the same with both."""


@pytest.fixture(scope="session")
def embedded() -> Iterator[Aws]:
    """The emulator that the demo uses, started once for the whole run."""
    with run_processes() as processes:
        aws = make_root_clients(pick_free_ports(1)[0])
        start_emulator(processes, aws, None)
        yield aws


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    if coming := os.environ.get("ENGINE_COMING"):
        # Another process is starting the engine and removes this file when the engine is ready.
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
    """The network that LocalStack and the services share."""
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
    """Tests that are marked `every_aws` run once on each chosen target."""
    return getattr(request, "param", Target.EMBEDDED)


@pytest.fixture(scope="session")
def aws(request: pytest.FixtureRequest, target: Target) -> Aws:
    """Clients with all permissions on the target."""
    if target.value.startswith("given"):
        return find_given(os.environ)
    if target is Target.LOCALSTACK:
        return localstack_aws(request.getfixturevalue("localstack"))
    return request.getfixturevalue(target.value)


class StartStack(Protocol):
    """Start all parts of the demo on free ports. A second call with the same arguments returns the same system."""

    def __call__(
        self,
        aws: Aws,
        strategy: Literal["prefix", "tag"],
        purpose: str = "shared",
        hostname: str = "localhost",
        pages: Path | None = None,
        origins: tuple[str, ...] = (),
        only: Literal["uploads"] | None = None,
    ) -> Stack: ...


@pytest.fixture(scope="session")
def stacks() -> list[Stack]:
    """All systems that `start_stack` has started."""
    return []


@pytest.fixture(scope="session")
def start_stack(stacks: list[Stack]) -> Iterator[StartStack]:
    with contextlib.ExitStack() as running:

        @functools.cache
        def start(
            aws: Aws,
            strategy: Literal["prefix", "tag"],
            purpose: str = "shared",  # noqa: ARG001 - a part of the cache's key
            hostname: str = "localhost",
            pages: Path | None = None,
            origins: tuple[str, ...] = (),
            only: Literal["uploads"] | None = None,
        ) -> Stack:
            options = Options(
                port=0,
                pending=strategy,
                presigns_per_minute=0,
                confirms_per_minute=0,
                logins_per_minute=0,
                hostname=hostname,
                pages=pages,
                origins=origins,
                only=only,
                name=f"three-phase-upload-{uuid.uuid4().hex[:12]}",
            )
            processes = running.enter_context(run_processes())
            stack = start_system(aws, processes, options, lambda _part, _where: None)
            stacks.append(stack)
            return stack

        yield start


@pytest.fixture(scope="module", autouse=True)
def remove_test_users(stacks: list[Stack]) -> Iterator[None]:
    """Remove the users of a file's tests after the file: a sweep and many tests read the whole bucket and table."""
    yield
    for stack in stacks:
        if stack.resources.bucket in _buckets_with_users:
            _buckets_with_users.remove(stack.resources.bucket)
            remove_users(stack)


@pytest.fixture(scope="session")
def stack(aws: Aws, strategy: Literal["prefix", "tag"], start_stack: StartStack) -> Stack:
    return start_stack(aws, strategy)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--aws", choices=CHOICES, help="the AWS targets of the tests that can run on several")


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
    deselected = [item for item in items if not _runs(item, config.stash[CHOSEN])]
    if deselected:
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]

    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduler:
    return Scheduler(config, log)


def _runs(item: pytest.Item, chosen: Collection[Target]) -> bool:
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    if "target" not in parameters:
        return True
    if item.get_closest_marker("one_aws"):
        return parameters["target"] is Target.EMBEDDED
    needs = {trait for mark in item.iter_markers("needs") for trait in mark.args}
    if parameters.get("strategy") == "tag":
        needs.add(Trait.FORM_TAGGING)
    return runs_on(parameters["target"], chosen, needs)


@pytest.fixture
def bucket(stack: Stack) -> Bucket:
    return Bucket(stack.aws, stack.resources.bucket)


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx2.Client]:
    """A client without a cookie or a token."""
    with web.Client(base_url=stack.origin) as client:
        yield client


@pytest.fixture
def user(stack: Stack) -> Iterator[User]:
    """A new user with an avatar, logged in."""
    with make_user(stack) as fresh:
        yield fresh


@pytest.fixture
def other_user(stack: Stack) -> Iterator[User]:
    with make_user(stack) as fresh:
        yield fresh


def remove_users(stack: Stack) -> None:
    """Remove all rows and objects except those of the users that the system was seeded with."""
    aws, bucket, table = stack.aws, stack.resources.bucket, stack.resources.table
    seeded = {person.username for person in invent_people(Options().users)}
    kept = set[str]()
    for page in aws.dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        for row in page["Items"]:
            if (username := row[USERNAME].get("S", "")) in seeded:
                kept.add(read_value(AVATAR, row).key or "")
            else:
                aws.dynamodb.delete_item(TableName=table, Key=make_key(username))
    for page in aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [entry.get("Key", "") for entry in page.get("Contents", [])]
        if others := [key for key in keys if key not in kept]:
            aws.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in others], "Quiet": True})


def make_user(stack: Stack, *, portrait: bool = True) -> User:
    _buckets_with_users.add(stack.resources.bucket)
    number = next(_numbers)
    person = Person(f"Tester{number:04}", f"Tess Number {number}", PORTRAITS[number % 3] if portrait else None)
    row = make_row(stack.aws.s3, stack.resources.bucket, person)
    stack.aws.dynamodb.put_item(TableName=stack.resources.table, Item=row)
    user = User(stack, person.username, person.name, web.Client(base_url=stack.origin, verify=_tls))
    answer = user.http.post("/auth/login", json={"username": user.username}).raise_for_status()
    # Programs send the Bearer header. The cookie is for browsers; the tests of the cookie set it themselves.
    user.http.cookies.clear()
    user.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return user


@dataclass(frozen=True)
class Bucket:
    """The bucket, accessed with all permissions."""

    aws: Aws
    name: str

    def keys(self, username: str) -> list[str]:
        """The keys of the objects whose metadata names this user."""
        pages = self.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        keys = [entry.get("Key", "") for page in pages for entry in page.get("Contents", [])]
        return [key for key in keys if self.owner(key) == username]

    def owner(self, key: str) -> str | None:
        try:
            return self.head(key)["Metadata"].get("username")
        except self.aws.s3.exceptions.ClientError as error:
            # It was deleted after it was listed, for example by the deletions after a confirm's response.
            if error.response.get("Error", {}).get("Code") == "404":
                return None
            raise

    def post_unchecked(self, form: dict[str, Any], file: bytes) -> None:
        """Store a file as a POST with this form would, at an S3 that does not compare the digest of a form."""
        fields: dict[str, str] = form["fields"]
        prefix = "x-amz-meta-"
        metadata = {name.removeprefix(prefix): fields[name] for name in fields if name.startswith(prefix)}
        tagging = "=".join(PENDING_TAG) if "tagging" in fields else ""
        self.aws.s3.put_object(
            Bucket=self.name,
            Key=form["key"],
            Body=file,
            ContentType=fields["Content-Type"],
            Metadata=metadata,
            Tagging=tagging,
        )

    def head(self, key: str) -> Any:
        return self.aws.s3.head_object(Bucket=self.name, Key=key)

    def read(self, key: str) -> bytes:
        file = io.BytesIO()
        self.aws.s3.download_fileobj(self.name, key, file)
        return file.getvalue()


SOME_DIGEST = compute_sha256(b"some file")
DECLARED = {"content_type": "image/png", "size": 100, "sha256": SOME_DIGEST}
"""A presign's body. No file of the tests has this digest."""


@dataclass(frozen=True)
class User:
    """A user who uploads. Each phase returns the response, whatever its status code."""

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
        return self.find_value(AVATAR).key

    def find_value(self, kind: Kind) -> Value:
        """What the row has of this kind now."""
        table, key = self.stack.resources.table, make_key(self.username)
        row = self.stack.aws.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)
        return read_value(kind, row.get("Item", {}))

    def presign(self, content_type: str, file: bytes, kind: Kind = AVATAR) -> httpx2.Response:
        return self.declare(content_type, len(file), compute_sha256(file), kind)

    def declare(
        self, content_type: str = "image/png", size: Any = 100, sha256: Any = SOME_DIGEST, kind: Kind = AVATAR
    ) -> httpx2.Response:
        """Presign a file that is never posted. An avatar is presigned as by a client that knows no kinds."""
        wanted = {"content_type": content_type, "size": size, "sha256": sha256}
        return self.http.post("/uploads/presign", json=wanted if kind == AVATAR else wanted | {"kind": kind.name})

    def confirm(self, form: dict[str, Any] | str, **more: Any) -> httpx2.Response:
        """Confirm as the page does, with a presign's response, or with a key alone."""
        wanted = {"key": form} if isinstance(form, str) else {k: form[k] for k in form.keys() & {"key", "upload_token"}}
        return self.http.post("/uploads/confirm", json=wanted | more)

    def remove(self, kind: Kind = AVATAR) -> httpx2.Response:
        return self.http.delete(f"/uploads/{kind.name}")

    def make_confirmation(self, key: str | None, kind: Kind = AVATAR) -> dict[str, str]:
        """The body of the response to a confirm that makes the object with this key permanent."""
        if key is None:
            raise AssertionError(f"{self.username} has no {kind.name}")
        upload = Upload(kind, UploadId(key.removeprefix(kind.permanent_prefix)))
        url = make_picture_url(self.stack.origin, self.username, upload)
        confirmation = {"username": self.username, "kind": kind.name, "key": key, "url": url}
        return confirmation | ({"avatar": key} if kind == AVATAR else {})

    def upload_unconfirmed(self, content_type: str, file: bytes, kind: Kind = AVATAR) -> dict[str, Any]:
        """Presign and post a file, without the confirm. Returns the presign's response."""
        form: dict[str, Any] = self.presign(content_type, file, kind).raise_for_status().json()
        post_form(form, file).raise_for_status()
        return form


def post_form(form: dict[str, Any], file: bytes, **changed: str | None) -> httpx2.Response:
    """Post a file with a form, without credentials. `changed`: fields with other values; None removes a field."""
    fields = {name: value for name, value in {**form["fields"], **changed}.items() if value is not None}
    return web.post(form["url"], data=fields, files={"file": ("picture", file)}, verify=_tls)
