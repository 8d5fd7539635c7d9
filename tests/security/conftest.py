"""Attacks: each has a name, is refused in exactly one way, and leaves bucket and table as they were."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from infra.local.stack import Stack
    from tests.conftest import Bucket, User


OUTCOME = "outcome"
"""Of an attack: the property of its reports that says how it was refused."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which attacks were tried in this run, by area and name, and how each was answered."""
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
    for (area, name), said in sorted(outcomes.items()):
        terminalreporter.line(f"{area:<12} {name}: {'; '.join(sorted(said)) or 'of no effect'}")


def find_attack(nodeid: str) -> tuple[str, str] | None:
    """Area and name: `test_form.py` and `test_another_key` are "form" and "another key"."""
    found = re.search(r"tests/security/test_(\w+)\.py::(?:\w+::)*test_(\w+)", nodeid)
    return (found[1], found[2].replace("_", " ")) if found else None


@dataclass(frozen=True)
class Refused:
    """Each method asserts one exact refusal and notes it."""

    note: Callable[[str], None]

    def by_service(self, answer: httpx2.Response, status: int, slug: str) -> dict[str, Any]:
        """With this problem, which is answered."""
        assert answer.headers["Content-Type"].startswith("application/problem+json"), answer.text
        problem: dict[str, Any] = answer.json()
        assert (answer.status_code, problem["status"], problem["type"]) == (status, status, f"urn:problem:{slug}")
        assert problem["title"]
        assert problem["detail"]
        assert "Traceback" not in answer.text
        self.note(f"{status} {slug}")
        return problem

    def by_s3(self, answer: httpx2.Response, status: int, code: str) -> None:
        """With this status and code, in XML as S3 answers a POST."""
        found = re.search(r"<Code>(\w+)</Code>", answer.text)
        assert (answer.status_code, found and found[1]) == (status, code), answer.text
        self.note(f"S3 {status} {code}")

    def by_aws(self, call: Callable[[], object], *codes: str) -> None:
        """A call with boto3, with one of these codes."""
        with pytest.raises(ClientError) as caught:
            call()
        code = caught.value.response.get("Error", {}).get("Code", "")
        assert code in codes
        self.note(f"AWS {code}")

    def otherwise(self, how: str) -> None:
        """What was asserted by other means, in a few words: "the cookie is not sent"."""
        self.note(how)


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Refused:
    return Refused(lambda outcome: request.node.user_properties.append((OUTCOME, outcome)))


@dataclass
class Untouched:
    """The bucket and the table as they were before the attack. An attack announces what it may leave there."""

    keys: set[str] = field(default_factory=set[str])
    owners: set[str] = field(default_factory=set[str])

    def but_for_object(self, key: str) -> None:
        """An object that was posted as its form allows, and is not confirmed."""
        self.keys.add(key)

    def but_for_avatar(self, user: User) -> None:
        """Somebody confirms a good upload of his own; that the rest of it is right is for the test to say."""
        self.owners.add(user.username)


@pytest.fixture(autouse=True)
def untouched(stack: Stack, bucket: Bucket, user: User, other_user: User) -> Iterator[Untouched]:
    """What may change is the attacker's to say; `user` is the victim or the attacker, and `other_user` is the other."""
    expected = Untouched()
    users = {each.username: each.avatar or "" for each in (user, other_user)}
    keys, rows, portraits = _keys(bucket), _rows(stack), {key: _look(bucket, key) for key in users.values()}
    yield expected
    moved = {key for name, key in users.items() if name in expected.owners}
    assert {name: row for name, row in _rows(stack).items() if name not in expected.owners} == {
        name: row for name, row in rows.items() if name not in expected.owners
    }
    assert {key: _look(bucket, key) for key in portraits if key not in moved} == {
        key: seen for key, seen in portraits.items() if key not in moved
    }
    own = {user.avatar for user in (user, other_user) if user.username in expected.owners}
    assert _keys(bucket) - keys - own <= expected.keys


def _keys(bucket: Bucket) -> set[str]:
    pages = bucket.aws.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return {entry.get("Key", "") for page in pages for entry in page.get("Contents", [])}


def _rows(stack: Stack) -> dict[str, Any]:
    pages = stack.aws.dynamodb.get_paginator("scan").paginate(TableName=stack.resources.table, ConsistentRead=True)
    return {row["Username"].get("S", ""): row for page in pages for row in page["Items"]}


def _look(bucket: Bucket, key: str) -> dict[str, Any]:
    head = bucket.head(key)
    tags = bucket.aws.s3.get_object_tagging(Bucket=bucket.name, Key=key)["TagSet"]
    return {"tags": tags} | {name: head.get(name) for name in ("ETag", "ContentType", "Metadata", "CacheControl")}
