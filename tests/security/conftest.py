"""Attacks: each has a name, is refused in exactly one way, and leaves the bucket and the table unchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest
from botocore.exceptions import ClientError

from tests.security.in_process_service import InProcessService, run_in_process_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User


OUTCOME = "outcome"
"""The property of a test report that says how the attack was refused."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the attacks of this run by area and name, and how each was refused."""
    outcomes: dict[tuple[str, str], set[str]] = {}
    for report in (each for reports in terminalreporter.stats.values() for each in reports):
        if isinstance(report, pytest.TestReport) and (attack := find_attack(report.nodeid)):
            if report.failed:
                outcomes.setdefault(attack, set()).add("NOT REFUSED")
            elif report.when == "call":
                outcomes.setdefault(attack, set()).update(
                    str(value) for name, value in report.user_properties if name == OUTCOME
                )
    if outcomes:
        terminalreporter.section("attacks")
    for (area, name), found in sorted(outcomes.items()):
        terminalreporter.line(f"{area:<12} {name}: {'; '.join(sorted(found)) or 'no effect'}")


def find_attack(nodeid: str) -> tuple[str, str] | None:
    """Area and name of an attack: "form" and "a changed key" for `test_a_changed_key` in `test_form.py`."""
    found = re.search(r"tests/security/test_(\w+)\.py::(?:\w+::)*test_(\w+)", nodeid)
    return (found[1], found[2].replace("_", " ")) if found else None


@dataclass(frozen=True)
class Refused:
    """Records how an attack was refused. The methods assert one exact refusal and record it."""

    record: Callable[[str], None]
    """Record a refusal that the test asserted itself, in a few words."""

    def by_service(self, answer: httpx2.Response, status: int, slug: str) -> dict[str, Any]:
        """Assert that a service responded with this problem, and return it."""
        assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.text
        problem: dict[str, Any] = answer.json()
        assert (answer.status_code, problem["status"], problem["type"]) == (status, status, f"urn:problem:{slug}")
        assert problem["title"]
        assert problem["detail"]
        assert "Traceback" not in answer.text
        self.record(f"{status} {slug}")
        return problem

    def by_s3(self, answer: httpx2.Response, status: int, code: str) -> None:
        """Assert S3's status and error code, in XML as S3 responds to a POST."""
        found = re.search(r"<Code>(\w+)</Code>", answer.text)
        assert (answer.status_code, found and found[1]) == (status, code), answer.text
        self.record(f"S3 {status} {code}")

    def by_aws(self, call: Callable[[], object], *codes: str) -> None:
        """Assert that a boto3 call fails with one of these error codes."""
        with pytest.raises(ClientError) as caught:
            call()
        code = caught.value.response.get("Error", {}).get("Code", "")
        assert code in codes
        self.record(f"AWS {code}")


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Refused:
    return Refused(lambda outcome: request.node.user_properties.append((OUTCOME, outcome)))


@pytest.fixture(scope="session")
def running_service(stack: Stack, strategy: Literal["prefix", "tag"]) -> Iterator[InProcessService]:
    with run_in_process_service(stack, strategy) as service:
        yield service


@pytest.fixture
def in_process_service(running_service: InProcessService) -> Iterator[InProcessService]:
    yield running_service
    running_service.seconds_ahead = 0
    running_service.before_copy = lambda: None
    running_service.etags_collide = False
    running_service.copies = 0


@dataclass
class Untouched:
    """The bucket and the table before the attack. A test declares the changes that it expects."""

    keys: set[str] = field(default_factory=set[str])
    owners: set[str] = field(default_factory=set[str])

    def except_object(self, key: str) -> None:
        """Expect an object that was posted as its form allows and is not confirmed."""
        self.keys.add(key)

    def except_avatar(self, user: User) -> None:
        """Expect this user to confirm a valid upload. The test itself asserts the new avatar."""
        self.owners.add(user.username)


@pytest.fixture(autouse=True)
def untouched(stack: Stack, bucket: Bucket, user: User, other_user: User) -> Iterator[Untouched]:
    """Assert after the test that nothing changed except what the test declared. One of `user` and `other_user` is the
    victim and the other is the attacker.
    """
    expected = Untouched()
    users = {each.username: each.avatar or "" for each in (user, other_user)}
    keys, rows, portraits = _keys(bucket), _rows(stack), {key: _describe(bucket, key) for key in users.values()}
    yield expected
    replaced = {key for name, key in users.items() if name in expected.owners}
    assert {name: row for name, row in _rows(stack).items() if name not in expected.owners} == {
        name: row for name, row in rows.items() if name not in expected.owners
    }
    assert {key: _describe(bucket, key) for key in portraits if key not in replaced} == {
        key: seen for key, seen in portraits.items() if key not in replaced
    }
    own = {user.avatar for user in (user, other_user) if user.username in expected.owners}
    assert _keys(bucket) - keys - own <= expected.keys


def _keys(bucket: Bucket) -> set[str]:
    pages = bucket.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return {entry.get("Key", "") for page in pages for entry in page.get("Contents", [])}


def _rows(stack: Stack) -> dict[str, Any]:
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.resources.table, ConsistentRead=True)
    return {row["Username"].get("S", ""): row for page in pages for row in page["Items"]}


def _describe(bucket: Bucket, key: str) -> dict[str, Any]:
    head = bucket.head(key)
    tags = bucket.aws.s3.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    return {"tags": tags} | {name: head.get(name) for name in ("ETag", "ContentType", "Metadata", "CacheControl")}


@pytest.fixture
def servers(stack: Stack) -> list[str]:
    """The URLs of the services and of the gateway."""
    return [*stack.services.values(), stack.origin]
