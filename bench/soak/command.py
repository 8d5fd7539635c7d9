"""`uv run soak` puts the whole system under load while faults are injected, then checks the bucket and the table.

The clients record their requests and the responses. The soak compares each response with that record, and also the
bucket and the table at the end: before a sweep, after it, and some days later.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx2

from bench.interrupts import INTERRUPTED, handle_signals, ignore_signals
from bench.soak.chaos import POST, Faults, Killer, Outages
from bench.soak.client import Counts, Shared
from bench.soak.drive import Drive
from bench.soak.files import find_digests, make_files
from bench.soak.history import History
from bench.soak.invariants import Known, find_remaining, find_unsafe, find_unswept
from bench.soak.jobs import draw_jobs
from bench.soak.judge import CONNECTION_BROKEN
from bench.soak.proxy import Proxy, run_proxy
from bench.soak.snapshots import read_rows, take_snapshot
from bench.soak.summary import describe_drive, describe_faults, describe_violations, indent
from bench.soak.sweeping import TIMEOUT_SECONDS, sweep
from infra.local.emulator.lifecycle import LIFECYCLE_PATH
from infra.local.ports import HOST, PortInUseError, pick_free_ports
from infra.local.processes import STOP_SECONDS, ProcessError
from infra.local.stack import Options, Stack, make_environ, run_stack
from infra.seed.people import invent_people
from infra.settings import Settings
from services.settings.limits import PENDING
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from services.settings.limits import PendingStrategy

DAYS = 3
"""Days after which the lifecycle rules have deleted every pending object."""

MAX_SECONDS = 3000
"""Maximum duration; an access token is valid for an hour."""

MAX_AT_ONCE = 200
"""Maximum number of concurrent clients: the gateway's number of connections to the services."""

MAX_FAULTS = 25
"""Maximum percentage of faults. With more, a client runs out of tries before a request succeeds."""


@dataclass(frozen=True, slots=True)
class Plan:
    uploads: int
    at_once: int
    users: int
    pending: PendingStrategy
    faults: float
    """Percentage of calls with a fault."""
    kills: int
    seed: int
    seconds: int

    def __str__(self) -> str:
        kills = "1 kill" if self.kills == 1 else f"{self.kills:,} kills"
        return (
            f"{self.pending}, {self.uploads:,} uploads of {self.users:,} users, {self.at_once} at once,"
            f" {self.faults:g} % faults, {kills}, seed {self.seed}, at most {self.seconds:,} s"
        )


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 after a violation or a failure of a process."""
    plan = parse_plan(arguments)
    handle_signals()
    print("soak:", plan, flush=True)
    try:
        return _run(plan)
    except KeyboardInterrupt:
        print("Stopped before the end.", file=sys.stderr)
        return INTERRUPTED
    except (PortInUseError, ProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(plan: Plan) -> int:
    (emulator_port,) = pick_free_ports(1)
    with run_proxy(f"http://{HOST}:{emulator_port}") as proxy:
        options = Options(
            0,
            emulator_port,
            plan.users,
            plan.pending,
            uploads_endpoint=proxy.url,
            presigns_per_minute=0,
            confirms_per_minute=0,
            logins_per_minute=0,
        )
        with run_stack(options, lambda _part, _where: None) as stack:
            return _soak(plan, stack, proxy)


def _soak(plan: Plan, stack: Stack, proxy: Proxy) -> int:
    files = make_files()
    known = Known(find_digests(files), read_rows(stack), History())
    outages = Outages()
    killer = _make_killer(plan, stack, proxy, outages)
    counts = Counts()
    shared = Shared(plan.pending, outages, known.history, counts, faults=plan.faults > 0)
    # An IP address, because a name would be resolved for each connection.
    origin = f"http://{HOST}:{stack.origin.rpartition(':')[2]}"
    usernames = [person.username for person in invent_people(plan.users)]
    jobs = draw_jobs(plan.seed, usernames, plan.uploads)
    kills = [(number + 0.5) * plan.uploads / plan.kills for number in range(plan.kills)]
    drive = Drive(origin, shared, files, jobs, plan.uploads, plan.at_once, plan.seconds, killer, kills)
    faults = Faults(plan.faults, random.Random(plan.seed))  # noqa: S311 - no secret

    try:
        # From this line on, Ctrl-C prints the summary.
        print("ready", stack.origin, flush=True)
        proxy.choose = faults.choose
        is_complete = asyncio.run(drive.run(usernames))
        (handle_signals if is_complete else ignore_signals)()
    finally:
        proxy.choose = None
        violations = [*counts.violations, *_find_unexplained(counts, proxy)]
        _print(describe_drive(counts, drive.took, len(killer.killed)))
        _print(describe_faults(faults.struck, proxy.calls))
        _print(describe_violations(violations))
    if not is_complete:
        raise KeyboardInterrupt
    violations += [*_report("stopping", _settle(killer, proxy)), *_check(stack, known)]
    if violations:
        print("The logs of the services are in", _copy_logs(stack), flush=True)
    return 1 if violations else 0


def _make_killer(plan: Plan, stack: Stack, proxy: Proxy, outages: Outages) -> Killer:
    aws = replace(stack.aws, endpoint=proxy.url)
    settings = Settings(pending=plan.pending, presigns_per_minute=0, confirms_per_minute=0)
    environ = make_environ("uploads", stack.services, aws, stack.resources, stack.origin, settings)
    (uploads,) = (process for process in stack.processes.started if process.name == "uploads")
    return Killer(stack.processes, environ, uploads.health, outages, uploads)


def _find_unexplained(counts: Counts, proxy: Proxy) -> list[str]:
    """Report connections to S3 that broke although the proxy did not break them."""
    broken, struck = counts.responses["post", CONNECTION_BROKEN], proxy.struck[POST]
    return [f"{broken} connections to S3 broke, but the proxy broke only {struck}"] if broken > struck else []


def _settle(killer: Killer, proxy: Proxy) -> list[str]:
    """Stop the service, so that it finishes the work after its responses, and report if it does not stop.

    Return when AWS has carried out every call that it sent.
    """
    service = killer.current.popen
    killer.killed.append(killer.current)
    service.terminate()
    try:
        service.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
        return [f"the service did not stop within {STOP_SECONDS} s"]
    finally:
        proxy.finish()
    return []


def _copy_logs(stack: Stack) -> str:
    folder = tempfile.mkdtemp(prefix="soak-")
    for log in stack.processes.logs.glob("*.log"):
        shutil.copy(log, folder)
    return folder


def _check(stack: Stack, known: Known) -> list[str]:
    """Check the bucket and the table, and return the violations."""
    before = take_snapshot(stack)
    print(f"at the end: {len(before.rows):,} rows with an avatar, {len(before.objects):,} objects", flush=True)
    unsafe = _report("before the sweep", find_unsafe(before, known))

    report = sweep(stack)
    _print(["sweep:", *indent(report.as_text().splitlines())])
    failed = ["the sweep needs attention"] if report.needs_attention else []
    after = take_snapshot(stack)
    unswept = _report("after the sweep", [*failed, *find_unswept(before, after, known)])

    moved = httpx2.post(
        stack.aws.endpoint + LIFECYCLE_PATH, json={"days": DAYS}, timeout=TIMEOUT_SECONDS
    ).raise_for_status()
    print(f"deleted by lifecycle rules within {DAYS} days: {len(moved.json()['deleted']):,}", flush=True)
    remaining = _report(f"{DAYS} days later", find_remaining(take_snapshot(stack)))
    return unsafe + unswept + remaining


def _report(when: str, violations: Iterable[str]) -> list[str]:
    found = list(violations)
    first, *rest = describe_violations(found)
    _print([f"{when}, {first}", *rest])
    return found


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def parse_plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(
        prog="soak",
        description="Puts the whole system under load while calls to AWS fail and the uploads service is killed; then"
        " runs the sweep and checks the bucket and the table.",
        epilog="Exit status: 0 without a violation, 1 with one.",
    )
    parser.add_argument(
        "--uploads", type=_count, default=10_000, metavar="N", help="number of uploads (default: %(default)s)"
    )
    parser.add_argument(
        "--at-once", type=_at_once, default=50, metavar="N", help="concurrent clients (default: %(default)s)"
    )
    parser.add_argument("--users", type=_users, default=200, metavar="N", help="number of users (default: %(default)s)")
    parser.add_argument(
        "--pending",
        choices=[*STRATEGIES],
        default=PENDING,
        help="how a pending object is marked (default: %(default)s)",
    )
    parser.add_argument(
        "--faults",
        type=_percent,
        default=2.0,
        metavar="PERCENT",
        help="percentage of a confirm's calls to AWS that get a fault (default: 2)",
    )
    parser.add_argument(
        "--kills",
        type=_number,
        default=10,
        metavar="N",
        help="number of kills of the uploads service (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=_number,
        default=random.randrange(1_000_000),  # noqa: S311 - no secret
        metavar="N",
        help="seed of the random jobs and faults (default: random)",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=1800,
        metavar="N",
        help="time after which no new job begins (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    return Plan(
        given.uploads,
        given.at_once,
        given.users,
        given.pending,
        given.faults,
        given.kills,
        given.seed,
        given.seconds,
    )


def _number(text: str) -> int:
    return _within(text, 0, sys.maxsize)


def _count(text: str) -> int:
    return _within(text, 1, sys.maxsize)


def _at_once(text: str) -> int:
    return _within(text, 1, MAX_AT_ONCE)


def _users(text: str) -> int:
    # One user tries to confirm the upload of another.
    return _within(text, 2, sys.maxsize)


def _seconds(text: str) -> int:
    return _within(text, 1, MAX_SECONDS)


def _within(text: str, least: int, most: int) -> int:
    with contextlib.suppress(ValueError):
        if least <= int(text) <= most:
            return int(text)
    bounds = f"of at least {least}" if most == sys.maxsize else f"from {least} to {most}"
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {bounds}")


def _percent(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= MAX_FAULTS:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 0 to {MAX_FAULTS}")


if __name__ == "__main__":
    main()
