"""The demo's faults: each is injected on request, and the upload survives it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.local.faults import FAULTS_PATH, Fault
from infra.local.processes import KILL_SIGNAL
from services.store.kinds import AVATAR
from tests import web
from tests.conftest import only_prefix, post_form
from tests.eventually import eventually
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from infra.local.processes import Process
    from infra.local.stack import Stack
    from tests.conftest import Bucket, User

pytestmark = only_prefix

PICTURE = make_picture()


@pytest.fixture
def choose(stack: Stack) -> Iterator[Callable[[Fault | None], None]]:
    """Choose a fault. The test leaves none behind."""

    def choose(fault: Fault | None) -> None:
        answer = web.post(stack.origin + FAULTS_PATH, json={"fault": fault}, headers={"Origin": stack.origin})
        assert (answer.status_code, answer.json()) == (200, {"fault": fault})

    yield choose
    choose(None)


def show_fault(stack: Stack) -> str | None:
    return web.get(stack.origin + FAULTS_PATH).raise_for_status().json()["fault"]


def test_s3_refuses_two_posts_as_it_does_when_it_is_busy(
    stack: Stack, user: User, choose: Callable[[Fault | None], None]
) -> None:
    form = user.presign("image/png", PICTURE).json()
    choose(Fault.S3_UNAVAILABLE)
    answers = [post_form(form, PICTURE) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 204]
    assert "<Code>SlowDown</Code>" in answers[0].text
    assert show_fault(stack) is None
    assert user.confirm(form).status_code == 200


def test_a_confirm_whose_response_is_lost_has_succeeded(
    stack: Stack, user: User, choose: Callable[[Fault | None], None]
) -> None:
    form = user.upload_unconfirmed("image/png", PICTURE)
    choose(Fault.LOST_RESPONSE)
    # A refused confirm has nothing to lose.
    assert user.confirm("pending/unknown").status_code == 404
    lost = user.confirm(form)
    assert (lost.status_code, lost.json()["type"]) == (504, "urn:problem:gateway-timeout")
    avatar = form["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    assert user.avatar == avatar
    assert show_fault(stack) is None
    repeated = user.confirm(form)
    assert (repeated.status_code, repeated.json()["avatar"]) == (200, avatar)


def test_a_lost_response_that_the_emulator_no_longer_has_is_not_lost(
    stack: Stack, user: User, choose: Callable[[Fault | None], None]
) -> None:
    """As after a reset, which lifts the fault in the emulator and not in the gateway."""
    form = user.upload_unconfirmed("image/png", PICTURE)
    choose(Fault.LOST_RESPONSE)
    web.post(stack.aws.endpoint + FAULTS_PATH, json={"fault": None}).raise_for_status()
    assert user.confirm(form).status_code == 200


@pytest.mark.parametrize("process_id", [1, 0, -1])
def test_the_emulator_kills_no_group_of_processes(stack: Stack, process_id: int) -> None:
    body = {"fault": Fault.KILL_AFTER_COPY, "process_ids": [process_id]}
    assert web.post(stack.aws.endpoint + FAULTS_PATH, json=body).status_code == 400
    assert show_fault(stack) is None


def find_uploads(stack: Stack) -> list[Process]:
    return [process for process in stack.processes.started if process.module == "services.uploads"]


def test_a_repeat_completes_a_confirm_whose_service_was_killed_after_the_copy(
    stack: Stack, user: User, bucket: Bucket, choose: Callable[[Fault | None], None]
) -> None:
    old = user.avatar
    form = user.upload_unconfirmed("image/png", PICTURE)
    avatar = form["key"].replace(AVATAR.pending_prefix, AVATAR.permanent_prefix)
    choose(Fault.KILL_AFTER_COPY)
    assert user.confirm(form).status_code == 503
    assert {old, form["key"], avatar} == set(bucket.keys(user.username))
    assert user.avatar == old
    assert show_fault(stack) is None

    killed = find_uploads(stack)
    assert [process.popen.wait() for process in killed] == [-KILL_SIGNAL] * 2
    stack.processes.check()
    for process in find_uploads(stack):
        assert process not in killed
        process.wait_until_ready()
    assert user.confirm(form).status_code == 200
    assert user.avatar == avatar
    eventually(lambda: bucket.keys(user.username) == [avatar])


@pytest.mark.parametrize(
    ("body", "origin", "status", "slug"),
    [
        ({"fault": "earthquake"}, "", 400, "invalid-request"),
        ({"fault": None, "process_ids": [1]}, "", 400, "invalid-request"),
        ("{", "", 400, "invalid-request"),
        ({"fault": "slow-network"}, "http://evil.example", 403, "foreign-origin"),
    ],
)
def test_a_refused_choice_changes_nothing(stack: Stack, body: Any, origin: str, status: int, slug: str) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": "application/json", "Origin": origin or stack.origin}
    answer = web.post(stack.origin + FAULTS_PATH, headers=headers, content=content)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:problem:{slug}")
    assert show_fault(stack) is None
