"""A confirm while any of its AWS calls fails: its response, and the state afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from bench.soak.proxy import END, UNANSWERED, Fault, Kind, When, is_possible
from bench.soak.sweeping import sweep
from tests.conftest import only_prefix
from tests.eventually import eventually
from tests.faults.conftest import (
    CALLS,
    REMOVAL_CALLS,
    StartService,
    Upload,
    begin_upload,
    check_done,
    check_remaining_objects,
    check_row_refers_to_object,
    check_swept,
    list_keys,
    list_owned,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    import httpx2

    from bench.soak.proxy import Planned, Proxy
    from infra.local.stack import Stack

TRIES = 2
"""How often a client tries a call that fails."""

WORKERS = 32
"""Number of threads, which mostly wait."""


@dataclass(frozen=True, slots=True)
class Outcome:
    upload: Upload
    planned: Planned
    done: bool
    """Whether the confirm's response was 200 despite the fault."""

    @property
    def fault(self) -> Fault:
        return self.planned.fault


def make_faults(calls: Sequence[str]) -> list[Fault]:
    """All possible faults of these calls. Slow ones come first and run while the others do."""
    kinds = sorted(set(Kind) - {Kind.HOLD}, key=lambda kind: (kind not in UNANSWERED, kind.value))
    return [
        Fault(call, when, kind, times=times)
        for kind in kinds
        for times in (None, 1)
        for when in When
        for call in calls
        if is_possible(call, (when, kind))
    ]


def test_a_confirm_succeeds_or_can_be_repeated_after_any_fault(
    stack: Stack, start_service: StartService, proxy: Proxy, tally: Counter[str], subtests: pytest.Subtests
) -> None:
    services = {call: start_service() for call in CALLS}

    def run(seed: int, fault: Fault) -> Outcome:
        with begin_upload(stack, services[fault.call], seed) as upload:
            planned = proxy.plan(replace(fault, about=upload.about(fault.call)))
            answer = upload.confirm()
            check_faulty(answer, upload, planned, stack)
            proxy.lift(planned)
            for _ in range(2):
                repeated = upload.confirm()
                assert (repeated.status_code, repeated.json()) == (200, upload.answer)
            check_done(stack, upload)
            return Outcome(upload, planned, done=answer.status_code == 200)

    ran: list[Outcome] = []
    with ThreadPoolExecutor(WORKERS) as threads:
        running = {fault: threads.submit(run, seed, fault) for seed, fault in enumerate(make_faults(CALLS))}
        for fault, outcome in running.items():
            with subtests.test(str(fault)):
                ran.append(outcome.result())
    # A fault that happens once is mostly recovered by the client's retry.
    recovered = {outcome.fault.call for outcome in ran if outcome.done and is_once(outcome.fault)}
    assert recovered == {*CALLS}
    tally["cases"] += len(ran)
    tally["faults struck"] += sum(outcome.planned.struck for outcome in ran)
    tally["answered 503"] += sum(not outcome.done for outcome in ran)
    check_remaining_objects(
        stack,
        {
            str(outcome.fault): (outcome.upload, {outcome.upload.old} if loses_the_old_avatar(outcome.fault) else set())
            for outcome in ran
        },
    )
    check_swept(stack, [outcome.upload.user for outcome in ran])


def test_a_removal_succeeds_or_can_be_repeated_after_any_fault(
    stack: Stack, start_service: StartService, proxy: Proxy, tally: Counter[str], subtests: pytest.Subtests
) -> None:
    services = {call: start_service() for call in REMOVAL_CALLS}

    def run(seed: int, fault: Fault) -> Outcome:
        with begin_upload(stack, services[fault.call], seed) as upload:
            planned = proxy.plan(replace(fault, about=upload.about(fault.call)))
            answer = upload.remove()
            planned.wait_for(END[fault.kind], max(planned.struck, 1))
            if answer.status_code != 204:
                check_unavailable(answer)
            elif fault.call != "DeleteObjects" and not fault.times and fault.kind is not Kind.DELAY:
                pytest.fail(f"The removal succeeded although {fault.call} did not")
            proxy.lift(planned)
            for _ in range(2):
                assert upload.remove().status_code == 204
            assert upload.current is None
            # The upload was presigned before.
            for _ in range(2):
                refused = upload.confirm()
                assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:removed")
            assert upload.current is None
            return Outcome(upload, planned, done=answer.status_code == 204)

    ran: list[Outcome] = []
    with ThreadPoolExecutor(WORKERS) as threads:
        running = {fault: threads.submit(run, seed, fault) for seed, fault in enumerate(make_faults(REMOVAL_CALLS))}
        for fault, outcome in running.items():
            with subtests.test(str(fault)):
                ran.append(outcome.result())
    assert {outcome.fault.call for outcome in ran if outcome.done and is_once(outcome.fault)} == {*REMOVAL_CALLS}
    tally["cases of a removal"] += len(ran)
    report = sweep(stack)
    assert not report.needs_attention, report.as_text()
    owned = list_owned(stack)
    assert {outcome.upload.user.username for outcome in ran}.isdisjoint(owned)


@only_prefix
@pytest.mark.parametrize("kind", [Kind.HALF, Kind.STALL])
def test_a_repeated_confirm_is_503_if_a_not_found_response_breaks_off(
    stack: Stack, start_service: StartService, proxy: Proxy, kind: Kind
) -> None:
    with begin_upload(stack, start_service(), 1) as upload:
        assert upload.confirm().status_code == 200
        eventually(lambda: not list_keys(stack, upload.form["key"]))
        planned = proxy.plan(Fault("GetObject", When.AFTER, kind, upload.about("GetObject"), times=None))
        check_unavailable(upload.confirm())
        proxy.lift(planned)
        assert upload.confirm().json() == upload.answer


def is_once(fault: Fault) -> bool:
    return fault.times is not None and fault.kind is not Kind.DELAY


def check_faulty(answer: httpx2.Response, upload: Upload, planned: Planned, stack: Stack) -> None:
    """Check the response under the fault, and the state right after it."""
    fault = planned.fault
    check_row_refers_to_object(stack, upload)
    # Calls after the response, and calls that reach AWS late, must meet the fault before it is lifted.
    follows = fault.call == "DeleteObjects" and not fault.times and fault.kind is not Kind.DELAY
    planned.wait_for(END[fault.kind], TRIES if follows else max(planned.struck, 1))
    harmless = fault.kind is Kind.DELAY or fault.call == "DeleteObjects"
    if answer.status_code == 200:
        assert harmless or fault.times
        assert answer.json() == upload.answer
        assert upload.current == upload.new
    else:
        assert not harmless
        check_unavailable(answer)
        # AWS carried out each try, although the client got no response.
        is_carried_out = fault.when is When.AFTER or fault.kind is Kind.LATE
        assert upload.current == (upload.new if fault.call == "UpdateItem" and is_carried_out else upload.old)


def check_unavailable(answer: httpx2.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].partition(";")[0] == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert answer.json()["type"] == "urn:problem:unavailable"


def loses_the_old_avatar(fault: Fault) -> bool:
    """Whether the fault may leave an object that no confirm will delete, since the only response that named it or the
    call that would have deleted it is lost.
    """
    if fault.kind is Kind.DELAY:
        return False
    if fault.call == "UpdateItem":
        return fault.kind is Kind.LATE or fault.when is When.AFTER
    return fault.call == "DeleteObjects" and fault.when is When.BEFORE and fault.times is None
