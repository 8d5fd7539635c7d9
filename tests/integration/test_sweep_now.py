"""The sweep that the local demo runs when it is asked to."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import uuid_utils

from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.ports import HOST, pick_free_ports
from infra.local.resources import create_resources
from infra.local.stack import make_program_environ, run_processes, start_gateway
from infra.local.sweep_endpoint import SWEEP_PATH
from infra.settings import Settings
from services.store.keys import UploadId
from services.uploads.sweep.report import MEANINGS, Outcome
from tests import web
from tests.conftest import only_prefix
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from infra.local.clients import Aws
    from infra.local.resources import Resources
    from infra.local.stack import Stack
    from tests.conftest import User

PICTURE = make_picture()
MARK = "Status=Pending"


@dataclass(frozen=True)
class Place:
    """A bucket and a table that no other test knows of, behind a gateway without services."""

    root: Aws
    resources: Resources
    http: httpx2.Client

    def put(self, username: str, tagging: str = "") -> str:
        """A picture of somebody's."""
        key = UploadId(str(uuid_utils.uuid7(nanoseconds=time.time_ns()))).avatar_key
        self.root.s3.put_object(
            Bucket=self.resources.bucket,
            Key=key,
            Body=PICTURE,
            ContentType="image/png",
            Metadata={"username": username},
            Tagging=tagging,
        )
        return key

    def point(self, username: str, avatar: str) -> None:
        row: Any = {"Username": {"S": username}, "Avatar": {"S": avatar}}
        self.root.dynamodb.put_item(TableName=self.resources.table, Item=row)

    def list_keys(self) -> set[str]:
        listed = self.root.s3.list_objects_v2(Bucket=self.resources.bucket)
        return {entry.get("Key", "") for entry in listed.get("Contents", [])}

    def is_marked(self, key: str) -> bool:
        return bool(self.root.s3.get_object_tagging(Bucket=self.resources.bucket, Key=key)["TagSet"])

    def sweep(self) -> dict[str, Any]:
        return self.http.post(SWEEP_PATH, json={}).raise_for_status().json()


@pytest.fixture(scope="module")
def gateway(embedded: Aws) -> Iterator[Place]:
    [port] = pick_free_ports(1)
    origin = f"http://localhost:{port}"
    resources = create_resources(embedded, origin, f"sweep-now-{uuid.uuid4().hex[:12]}")
    nowhere = {"auth": f"http://{HOST}:9"}
    sweep = make_program_environ("sweep", nowhere, embedded, resources, origin, Settings())
    with run_processes() as processes, web.Client(base_url=origin) as http:
        start_gateway(processes, nowhere, embedded, origin, port, sweep).wait_until_ready()
        yield Place(embedded, resources, http)


@pytest.fixture
def place(gateway: Place) -> Iterator[Place]:
    """Empty, before and after."""
    yield gateway
    for key in gateway.list_keys():
        gateway.root.s3.delete_object(Bucket=gateway.resources.bucket, Key=key)
    for row in gateway.root.dynamodb.scan(TableName=gateway.resources.table).get("Items", []):
        key: Any = {"Username": row["Username"]}
        gateway.root.dynamodb.delete_item(TableName=gateway.resources.table, Key=key)


@pytest.fixture
def avatar(place: Place) -> str:
    """Ada's, which makes the table one that may be believed."""
    key = place.put("ada")
    place.point("ada", key)
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


def test_an_orphan_is_left_while_it_is_young_and_goes_when_a_day_has_passed(place: Place, avatar: str) -> None:
    orphan = place.put("ada")
    report = place.sweep()
    assert report["outcomes"] == [entry(Outcome.LIVE, count=1), entry(Outcome.YOUNG, orphan)]
    assert place.list_keys() == {avatar, orphan}

    pass_day(place.root)
    young = place.put("ada")
    later = place.sweep()
    assert later["outcomes"] == [
        entry(Outcome.DELETED, orphan),
        entry(Outcome.LIVE, count=1),
        entry(Outcome.YOUNG, young),
    ]
    assert (later["rows"], later["needs_attention"]) == (1, False)
    assert place.list_keys() == {avatar, young}
    # Both moments are those of the bucket's clock.
    assert later["now"][:10] > report["now"][:10]
    assert later["now"] < web.get(place.root.endpoint + LIFECYCLE_PATH).json()["now"]


def test_a_live_one_that_is_marked_is_restored(place: Place, avatar: str) -> None:
    marked = place.put("bob", MARK)
    place.point("bob", marked)
    assert place.sweep()["outcomes"] == [entry(Outcome.RESTORED, marked), entry(Outcome.LIVE, count=1)]
    assert not place.is_marked(marked)
    assert place.list_keys() == {avatar, marked}


def test_a_row_whose_object_is_missing_is_an_answer_and_no_failure(place: Place) -> None:
    missing = "avatars/00000000-0000-7000-8000-000000000000"
    place.point("ada", missing)
    report = place.sweep()
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
def test_what_is_refused_sweeps_nothing(
    place: Place, method: str, headers: dict[str, str], body: bytes, status: int, slug: str
) -> None:
    marked = place.put("bob", MARK)
    place.point("bob", marked)
    answer = place.http.request(method, SWEEP_PATH, headers=headers, content=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:problem:{slug}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers.get("Allow") == ("POST" if status == 405 else None)
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert place.is_marked(marked)


@pytest.mark.usefixtures("avatar")
def test_two_at_once_take_turns(place: Place) -> None:
    orphans = [place.put("ada") for _ in range(5)]
    pass_day(place.root)
    with ThreadPoolExecutor(2) as executor:
        reports = [future.result() for future in [executor.submit(place.sweep) for _ in range(2)]]
    first, second = sorted(reports, key=lambda report: report["now"])
    assert first["outcomes"] == [entry(Outcome.DELETED, *orphans), entry(Outcome.LIVE, count=1)]
    assert second["outcomes"] == [entry(Outcome.LIVE, count=1)]


@only_prefix
def test_the_whole_system_sweeps_with_the_permissions_that_it_takes(stack: Stack, user: User) -> None:
    where: Any = {"Bucket": stack.resources.bucket, "Key": user.avatar}
    stack.aws.s3.put_object_tagging(**where, Tagging={"TagSet": [{"Key": "Status", "Value": "Pending"}]})
    answer = web.post(stack.origin + SWEEP_PATH, json={}, headers={"Origin": stack.origin})
    assert answer.status_code == 200
    report = answer.json()
    assert report["rows"] >= 3
    assert not {"failed", "skipped"} & {found["outcome"] for found in report["outcomes"]}
    assert stack.aws.s3.get_object_tagging(**where)["TagSet"] == []
