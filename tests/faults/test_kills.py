"""A confirm whose process dies at any of its calls to AWS: what that leaves, and that a repeat completes it."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bench.soak.proxy import Event, Fault, Kind, When
from tests import web
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.faults.conftest import (
    CALLS,
    Upload,
    begin_upload,
    check_done,
    check_left,
    check_not_dangling,
    check_swept,
    list_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from bench.soak.proxy import Proxy
    from infra.local.stack import Stack
    from tests.faults.replica import Replica

STOPS = [(call, when) for call in CALLS for when in When]
"""Where a confirm may come to its end; all but the first two calls are made one after the other."""


def test_a_killed_confirm_leaves_nothing_broken_and_a_repeat_completes_it(
    stack: Stack,
    replica: Replica,
    proxy: Proxy,
    strategy: str,
    covered: Callable[[str], None],
    subtests: pytest.Subtests,
) -> None:
    killed: dict[str, tuple[Upload, set[str]]] = {}
    with ThreadPoolExecutor(1) as thread:
        for seed, (call, when) in enumerate(STOPS):
            process = replica.start()
            with subtests.test(f"{call} {when.value}"), begin_upload(stack, replica.url, seed) as upload:
                planned = proxy.plan(Fault(call, when, Kind.HOLD, upload.about(call)))
                confirming = thread.submit(upload.confirm)
                planned.wait_for(Event.HELD)
                process.kill()
                process.join()
                check_killed(stack, upload, call, when, confirming.exception() is None)
                proxy.lift(planned)
                replica.start()
                for _ in range(2):
                    repeated = upload.confirm()
                    assert (repeated.status_code, repeated.json()) == (200, upload.answer)
                check_done(stack, upload)
                left = {upload.old} if loses_the_old_avatar(call, when) else set[str]()
                killed[f"{call} {when.value}"] = (upload, left)
    check_left(stack, killed)
    check_swept(stack, [upload.user for upload, _ in killed.values()])
    covered(f"kills ({strategy}): {len(killed)}")


def check_killed(stack: Stack, upload: Upload, call: str, when: When, is_answered: bool) -> None:  # noqa: FBT001
    """The state right after: all before the stop is done, and nothing of what comes after it."""
    check_not_dangling(stack, upload)
    reached = STOPS.index((call, when))
    assert is_answered == (call == "DeleteObjects")
    assert upload.user.avatar == (upload.new if reached >= STOPS.index(("UpdateItem", When.AFTER)) else upload.old)
    expected = {upload.old, upload.form["key"]}
    if reached >= STOPS.index(("CopyObject", When.AFTER)):
        expected.add(upload.new)
    if reached >= STOPS.index(("DeleteObjects", When.AFTER)):
        expected = {upload.new}
    assert list_keys(stack) & upload.keys == expected


def loses_the_old_avatar(call: str, when: When) -> bool:
    """Who knew that it has to be deleted was killed."""
    return (call, when) in {("UpdateItem", When.AFTER), ("DeleteObjects", When.BEFORE)}


def test_a_process_that_is_told_to_stop_completes_the_confirm_first(
    stack: Stack, replica: Replica, proxy: Proxy
) -> None:
    process = replica.start()
    with begin_upload(stack, replica.url, 1) as upload, ThreadPoolExecutor(1) as thread:
        planned = proxy.plan(Fault("CopyObject", When.AFTER, Kind.HOLD, upload.about("CopyObject")))
        confirming = thread.submit(upload.confirm)
        planned.wait_for(Event.HELD)
        process.terminate()
        # It takes nothing new, and says so to whoever asks for its health.
        eventually(lambda: web.get(f"{replica.url}/healthz").status_code == 503)
        refused = upload.confirm()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["type"] == "urn:problem:unavailable"
        proxy.lift(planned)
        answer = confirming.result()
        assert (answer.status_code, answer.json()) == (200, upload.answer)
        # In the end it dies of the signal, as one that had not waited would.
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == -signal.SIGTERM
        check_done(stack, upload)
        # What follows the answer is done as well: the process has ended, and nobody else would.
        assert list_keys(stack) & upload.keys == {upload.new}
    check_swept(stack, [upload.user])
