"""`uv run endurance` puts the running system under a steady load, and shows whether a process grows.

It counts every response that is not as expected. At the end it checks that the table refers to each user's last
confirmed avatar, and that the bucket holds these avatars alone.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.endurance.load import PRESIGN_WORKERS, UPLOAD_WORKERS, Load
from bench.endurance.usage import Usage, describe_growth, read_usage
from bench.interrupts import INTERRUPTED, handle_signals
from bench.soak.snapshots import read_rows, take_snapshot
from bench.spread import find_percentile
from infra.local.ports import PortInUseError
from infra.local.processes import STOP_SECONDS, ProcessError
from infra.local.stack import Options, run_stack
from infra.seed.people import invent_people
from services.settings.limits import PENDING
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from bench.endurance.load import Counts
    from bench.soak.invariants import Snapshot
    from infra.local.processes import Process
    from infra.local.stack import Stack
    from services.settings.limits import PendingStrategy

SAMPLES = 60
"""Number of times that the processes are measured: once a minute in an hour."""

POLL_SECONDS = 0.5
"""Interval at which the end of the load is noticed."""

ARENAS = {"MALLOC_ARENA_MAX": "2"}
"""The C library's setting that the services' images have."""


@dataclass(frozen=True, slots=True)
class Plan:
    seconds: float
    presigns: int
    confirms: int
    users: int
    pending: PendingStrategy

    def __str__(self) -> str:
        return (
            f"{self.pending}, {self.presigns:,} presigns and {self.confirms:,} uploads of {self.users:,} users"
            f" in {self.seconds:,.0f} s"
        )


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 after an unexpected response, a wrong bucket or table, or a failure of a process."""
    plan = parse_plan(arguments)
    handle_signals()
    os.environ.update(ARENAS)
    options = Options(
        0,
        0,
        plan.users,
        plan.pending,
        presigns_per_minute=0,
        confirms_per_minute=0,
        logins_per_minute=0,
    )
    _print(f"endurance: {plan}")
    try:
        with run_stack(options, lambda _part, _where: None) as stack:
            return _measure(plan, stack)
    except KeyboardInterrupt:
        print("Stopped before the end.", file=sys.stderr)
        return INTERRUPTED
    except (PortInUseError, ProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def _measure(plan: Plan, stack: Stack) -> int:
    usernames = [person.username for person in invent_people(plan.users)]
    load = Load(stack.services, usernames, plan.presigns, plan.confirms, plan.seconds, plan.pending)
    seeded = read_rows(stack)
    with load.run() as workers:
        _print("ready")
        usages = _watch(plan, stack, load, workers)
        took = time.monotonic() - load.begun
    _print(f"load: {took:,.0f} s", *describe_counts(load.counts), *describe_growth(usages))
    _stop_uploads(stack)
    wrong = [*find_wrong(take_snapshot(stack), {**seeded, **load.confirmed})]
    _print(f"bucket and table: {len(wrong)} errors", *wrong)
    return 1 if wrong or load.counts.unexpected else 0


def _watch(plan: Plan, stack: Stack, load: Load, workers: Sequence[Future[None]]) -> dict[str, list[Usage]]:
    """Measure every process now and then, until the load ends.

    Raises:
        ProcessError: a process ended.
    """
    usages: dict[str, list[Usage]] = {process.name: [] for process in stack.processes.started}
    due = 0.0
    while True:
        elapsed = time.monotonic() - load.begun
        is_over = all(worker.done() for worker in workers)
        if elapsed >= due or is_over:
            due += plan.seconds / SAMPLES
            for process in stack.processes.started:
                usage = read_usage(process, elapsed)
                usages[process.name].append(usage)
                _print(f"{elapsed:,.0f} s, {process.name}: {usage}")
            _print(f"{elapsed:,.0f} s, expected: {dict(load.counts.done)}, unexpected: {dict(load.counts.unexpected)}")
        if is_over:
            for worker in workers:
                worker.result()
            return usages
        stack.processes.check()
        time.sleep(min(POLL_SECONDS, plan.seconds / SAMPLES))


def _stop_uploads(stack: Stack) -> None:
    """Stop the services, so that they finish the work after their responses."""
    stopped: list[Process] = [process for process in stack.processes.started if process.name.startswith("uploads")]
    for process in stopped:
        process.popen.terminate()
    for process in stopped:
        process.popen.wait(STOP_SECONDS)


def describe_counts(counts: Counts) -> Iterator[str]:
    """A table in Markdown with a line for each kind of request, then the unexpected responses."""
    yield "| request | as expected | otherwise | p50, ms: first half | second half | p99: first half | second half |"
    yield "|---|---|---|---|---|---|---|"
    for request in sorted(counts.done.keys() | counts.unexpected.keys()):
        durations = counts.durations.get(request, [])
        middle = len(durations) // 2
        halves = durations[:middle], durations[middle:]
        shown = [
            f"{find_percentile(half, percent) * 1000:.1f}" if half else "" for percent in (50, 99) for half in halves
        ]
        yield f"| {request} | {counts.done[request]:,} | {counts.unexpected[request]:,} | {' | '.join(shown)} |"
    yield from counts.examples


def find_wrong(snapshot: Snapshot, expected: Mapping[str, str]) -> Iterator[str]:
    """What differs from one avatar for each of these users, and nothing else in the bucket."""
    for username in sorted(expected.keys() | snapshot.rows.keys()):
        key = snapshot.rows.get(username)
        seen = snapshot.objects.get(key) if key else None
        if key != expected.get(username):
            yield f"{username}: the row refers to {key}, not to {expected.get(username)}"
        elif seen is None:
            yield f"{username}: the avatar {key} is missing"
        elif seen.owner != username:
            yield f"{username}: the avatar {key} belongs to {seen.owner}"
    for key in sorted(snapshot.objects.keys() - snapshot.rows.values()):
        yield f"{key}: no row refers to it"


def _print(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


def parse_plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(
        prog="endurance",
        description="Puts the whole system under a steady load and measures memory, handles and processor time of each"
        " process; then checks the bucket and the table.",
        epilog="Exit status: 0 if every response, the bucket and the table were as expected, 1 if not.",
    )
    least = max(PRESIGN_WORKERS, UPLOAD_WORKERS)
    for option, default, smallest, meaning in (
        ("--seconds", 3600, 1, "duration"),
        ("--presigns", 1_000_000, 1, "number of presigns"),
        ("--confirms", 50_000, 1, "number of uploads, each with another presign, a POST and a confirm"),
        ("--users", 200, least, "number of users"),
    ):
        parser.add_argument(
            option, type=_make_count(smallest), default=default, metavar="N", help=f"{meaning} (default: %(default)s)"
        )
    parser.add_argument(
        "--pending",
        choices=[*STRATEGIES],
        default=PENDING,
        help="how a pending object is marked (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    return Plan(given.seconds, given.presigns, given.confirms, given.users, given.pending)


def _make_count(smallest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        with contextlib.suppress(ValueError):
            if int(text) >= smallest:
                return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {smallest}")

    return read


if __name__ == "__main__":
    main()
