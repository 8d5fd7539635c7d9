"""A confirm whose process is killed at any of its AWS calls: the state afterwards, and its completion by a repeat."""

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
    check_remaining_objects,
    check_row_refers_to_object,
    check_swept,
    list_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from bench.soak.proxy import Proxy
    from infra.local.stack import Stack
    from tests.faults.service_process import ServiceProcess

STOPS = [(call, when) for call in CALLS for when in When]
"""The points at which a confirm is killed. All calls but the first two are made one after another."""


def test_a_repeated_confirm_completes_a_killed_one(
    stack: Stack,
    service_process: ServiceProcess,
    proxy: Proxy,
    strategy: str,
    covered: Callable[[str], None],
    subtests: pytest.Subtests,
) -> None:
    killed: dict[str, tuple[Upload, set[str]]] = {}
    with ThreadPoolExecutor(1) as thread:
        for seed, (call, when) in enumerate(STOPS):
            process = service_process.start()
            with subtests.test(f"{call} {when.value}"), begin_upload(stack, service_process.url, seed) as upload:
                planned = proxy.plan(Fault(call, when, Kind.HOLD, upload.about(call)))
                confirming = thread.submit(upload.confirm)
                planned.wait_for(Event.HELD)
                process.kill()
                process.join()
                check_killed(stack, upload, call, when, confirming.exception() is None)
                proxy.lift(planned)
                service_process.start()
                for _ in range(2):
                    repeated = upload.confirm()
                    assert (repeated.status_code, repeated.json()) == (200, upload.answer)
                check_done(stack, upload)
                left = {upload.old} if loses_the_old_avatar(call, when) else set[str]()
                killed[f"{call} {when.value}"] = (upload, left)
    check_remaining_objects(stack, killed)
    check_swept(stack, [upload.user for upload, _ in killed.values()])
    covered(f"kills ({strategy}): {len(killed)}")


def check_killed(stack: Stack, upload: Upload, call: str, when: When, is_answered: bool) -> None:  # noqa: FBT001
    """Check the state after the kill: all steps before that point are done, and none after it."""
    check_row_refers_to_object(stack, upload)
    reached = STOPS.index((call, when))
    assert is_answered == (call == "DeleteObjects")
    assert upload.current == (upload.new if reached >= STOPS.index(("UpdateItem", When.AFTER)) else upload.old)
    expected = {upload.old, upload.form["key"]}
    if reached >= STOPS.index(("CopyObject", When.AFTER)):
        expected.add(upload.new)
    if reached >= STOPS.index(("DeleteObjects", When.AFTER)):
        expected = {upload.new}
    assert list_keys(stack) & upload.keys == expected


def loses_the_old_avatar(call: str, when: When) -> bool:
    """Whether only the killed process knew that the old avatar has to be deleted."""
    return (call, when) in {("UpdateItem", When.AFTER), ("DeleteObjects", When.BEFORE)}


def test_a_process_completes_its_confirm_after_sigterm(
    stack: Stack, service_process: ServiceProcess, proxy: Proxy
) -> None:
    process = service_process.start()
    with begin_upload(stack, service_process.url, 1) as upload, ThreadPoolExecutor(1) as thread:
        planned = proxy.plan(Fault("CopyObject", When.AFTER, Kind.HOLD, upload.about("CopyObject")))
        confirming = thread.submit(upload.confirm)
        planned.wait_for(Event.HELD)
        process.terminate()
        # It refuses new requests, and its health check fails.
        eventually(lambda: web.get(f"{service_process.url}/healthz").status_code == 503)
        refused = upload.confirm()
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["type"] == "urn:problem:unavailable"
        proxy.lift(planned)
        answer = confirming.result()
        assert (answer.status_code, answer.json()) == (200, upload.answer)
        # Its exit status is that of the signal.
        process.join(PATIENCE_SECONDS)
        assert process.exitcode == -signal.SIGTERM
        check_done(stack, upload)
        # The deletions after the response are done too.
        assert list_keys(stack) & upload.keys == {upload.new}
    check_swept(stack, [upload.user])
