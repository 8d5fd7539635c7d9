"""The demo's route that runs a sweep at once."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import uuid_utils

from infra.local.command_endpoint import SWEEP_PATH
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.ports import HOST, pick_free_ports
from infra.local.resources import create_resources
from infra.local.stack import make_program_environ, run_processes, start_gateway
from infra.settings import Settings
from services.uploads.bucket import compute_sha256
from services.uploads.sweep.report import MEANINGS, Outcome
from tests import web
from tests.conftest import only_prefix
from tests.pictures import make_picture
from tests.rows import make_upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.clients import Aws
    from infra.local.resources import Resources
    from infra.local.stack import Stack
    from tests.conftest import User

PICTURE = make_picture()
PENDING_TAGGING = "Status=Pending"


@dataclass(frozen=True)
class Sandbox:
    """A bucket and a table for these tests, behind a gateway without services."""

    root: Aws
    resources: Resources
    http: httpx2.Client

    def put(self, username: str, tagging: str = "") -> str:
        """Put a picture of this user and return its key."""
        key = make_upload(str(uuid_utils.uuid7(nanoseconds=time.time_ns()))).permanent_key
        self.root.s3.put_object(
            Bucket=self.resources.bucket,
            Key=key,
            Body=PICTURE,
            ContentType="image/png",
            Metadata={"username": username, "sha256": compute_sha256(PICTURE)},
            Tagging=tagging,
        )
        return key

    def set_avatar(self, username: str, avatar: str) -> None:
        row: Any = {"Username": {"S": username}, "Avatar": {"S": avatar}}
        self.root.dynamodb.put_item(TableName=self.resources.table, Item=row)

    def list_keys(self) -> set[str]:
        listed = self.root.s3.list_objects_v2(Bucket=self.resources.bucket)
        return {entry.get("Key", "") for entry in listed.get("Contents", [])}

    def is_pending(self, key: str) -> bool:
        return bool(self.root.s3.get_object_tagging(Bucket=self.resources.bucket, Key=key)["TagSet"])

    def sweep(self) -> dict[str, Any]:
        return self.http.post(SWEEP_PATH, json={}).raise_for_status().json()


@pytest.fixture(scope="module")
def gateway(embedded: Aws) -> Iterator[Sandbox]:
    [port] = pick_free_ports(1)
    origin = f"http://localhost:{port}"
    resources = create_resources(embedded, origin, f"sweep-now-{uuid.uuid4().hex[:12]}")
    no_services = {"auth": f"http://{HOST}:9"}
    sweep = make_program_environ("sweep", no_services, embedded, resources, origin, Settings())
    with run_processes() as processes, web.Client(base_url=origin) as http:
        start_gateway(processes, no_services, embedded, origin, port, commands={SWEEP_PATH: sweep}).wait_until_ready()
        yield Sandbox(embedded, resources, http)


@pytest.fixture
def sandbox(gateway: Sandbox) -> Iterator[Sandbox]:
    """A sandbox that is empty before and after each test."""
    yield gateway
    for key in gateway.list_keys():
        gateway.root.s3.delete_object(Bucket=gateway.resources.bucket, Key=key)
    for row in gateway.root.dynamodb.scan(TableName=gateway.resources.table).get("Items", []):
        key: Any = {"Username": row["Username"]}
        gateway.root.dynamodb.delete_item(TableName=gateway.resources.table, Key=key)


@pytest.fixture
def avatar(sandbox: Sandbox) -> str:
    """Ada's avatar. The sweep deletes nothing if no row refers to an object."""
    key = sandbox.put("ada")
    sandbox.set_avatar("ada", key)
    return key


def pass_day(root: Aws) -> None:
    web.post(root.endpoint + LIFECYCLE_PATH, json={"days": 1}).raise_for_status()


def entry(outcome: Outcome, *names: str, count: int | None = None) -> dict[str, Any]:
    return {
        "outcome": outcome.value,
        "count": len(names) if count is None else count,
        "meaning": MEANINGS[outcome],
        "names": list(names),
    }


def test_a_new_orphan_is_kept_and_deleted_a_day_later(sandbox: Sandbox, avatar: str) -> None:
    orphan = sandbox.put("ada")
    report = sandbox.sweep()
    assert report["outcomes"] == [entry(Outcome.LIVE, count=1), entry(Outcome.YOUNG, orphan)]
    assert sandbox.list_keys() == {avatar, orphan}

    pass_day(sandbox.root)
    young = sandbox.put("ada")
    later = sandbox.sweep()
    assert later["outcomes"] == [
        entry(Outcome.DELETED, orphan),
        entry(Outcome.LIVE, count=1),
        entry(Outcome.YOUNG, young),
    ]
    assert (later["rows"], later["needs_attention"]) == (1, False)
    assert sandbox.list_keys() == {avatar, young}
    # Both times are of the bucket's clock.
    assert later["now"][:10] > report["now"][:10]
    assert later["now"] < web.get(sandbox.root.endpoint + LIFECYCLE_PATH).json()["now"]


def test_an_avatar_with_the_pending_tag_is_restored(sandbox: Sandbox, avatar: str) -> None:
    pending = sandbox.put("bob", PENDING_TAGGING)
    sandbox.set_avatar("bob", pending)
    assert sandbox.sweep()["outcomes"] == [entry(Outcome.RESTORED, pending), entry(Outcome.LIVE, count=1)]
    assert not sandbox.is_pending(pending)
    assert sandbox.list_keys() == {avatar, pending}


def test_a_row_whose_object_is_missing_is_reported_with_status_200(sandbox: Sandbox) -> None:
    missing = "avatars/00000000-0000-7000-8000-000000000000"
    sandbox.set_avatar("ada", missing)
    report = sandbox.sweep()
    assert report["outcomes"] == [entry(Outcome.DANGLING, f"ada -> {missing}")]
    assert report["needs_attention"]


@pytest.mark.parametrize(
    ("method", "headers", "body", "status", "slug"),
    [
        ("GET", {}, b"", 405, "method-not-allowed"),
        ("OPTIONS", {"Origin": "http://evil.example"}, b"", 405, "method-not-allowed"),
        ("DELETE", {"Content-Type": "application/json"}, b"", 405, "method-not-allowed"),
        ("POST", {}, b"", 415, "unsupported-media-type"),
        ("POST", {"Content-Type": "text/plain"}, b"{}", 415, "unsupported-media-type"),
        ("POST", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1", 415, "unsupported-media-type"),
        ("POST", {"Content-Type": "application/json", "Origin": "http://evil.example"}, b"", 403, "foreign-origin"),
        ("POST", {"Content-Type": "application/json", "Origin": "null"}, b"", 403, "foreign-origin"),
        ("POST", {"Content-Type": "application/json"}, b'{"dry_run": true}', 400, "invalid-request"),
        ("POST", {"Content-Type": "application/json"}, b"{", 400, "invalid-request"),
        ("POST", {"Content-Type": "application/json"}, b"\xff", 400, "invalid-request"),
        ("POST", {"Content-Type": "application/json"}, b" " * 100_000, 400, "invalid-request"),
    ],
)
def test_a_refused_request_sweeps_nothing(
    sandbox: Sandbox, method: str, headers: dict[str, str], body: bytes, status: int, slug: str
) -> None:
    pending = sandbox.put("bob", PENDING_TAGGING)
    sandbox.set_avatar("bob", pending)
    answer = sandbox.http.request(method, SWEEP_PATH, headers=headers, content=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:problem:{slug}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert sandbox.is_pending(pending)


@pytest.mark.usefixtures("avatar")
def test_two_concurrent_requests_sweep_one_after_the_other(sandbox: Sandbox) -> None:
    orphans = [sandbox.put("ada") for _ in range(5)]
    pass_day(sandbox.root)
    with ThreadPoolExecutor(2) as executor:
        reports = [future.result() for future in [executor.submit(sandbox.sweep) for _ in range(2)]]
    first, second = sorted(reports, key=lambda report: report["now"])
    assert first["outcomes"] == [entry(Outcome.DELETED, *orphans), entry(Outcome.LIVE, count=1)]
    assert second["outcomes"] == [entry(Outcome.LIVE, count=1)]


@only_prefix
def test_the_running_system_sweeps_with_the_sweeps_permissions(stack: Stack, user: User) -> None:
    where: Any = {"Bucket": stack.resources.bucket, "Key": user.avatar}
    stack.aws.s3.put_object_tagging(**where, Tagging={"TagSet": [{"Key": "Status", "Value": "Pending"}]})
    answer = web.post(stack.origin + SWEEP_PATH, json={}, headers={"Origin": stack.origin})
    assert answer.status_code == 200
    report = answer.json()
    assert report["rows"] >= 3
    assert not {"failed", "skipped"} & {found["outcome"] for found in report["outcomes"]}
    assert stack.aws.s3.get_object_tagging(**where)["TagSet"] == []
