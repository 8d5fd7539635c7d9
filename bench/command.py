"""`uv run bench` measures our services and their alternatives side by side, in one run on one machine."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from bench import ratios
from bench.confirm import DELAYS, measure_confirm, start_confirm_subjects
from bench.installs import NotInstalledError
from bench.interrupts import INTERRUPTED
from bench.load import (
    LoadError,
    Measurement,
    Request,
    apply_load,
    find_program,
    read_cpu_seconds,
    read_resident_megabytes,
)
from bench.machine import describe_run
from bench.pictures import WORST, make_usual_files, make_worst_file, measure_reader
from bench.report import write_report
from bench.results import Results, ServiceMeasurement, StartMeasurement
from bench.servers import LOAD_CORE, RESOURCES, USERNAME, start_fake_aws, start_service
from bench.subjects import BY_NAME, JSON, OURS, Setup, make_our_presign, start_ours
from bench.views import COUNTS, fill_table_and_bucket, measure_view
from bench.views import DELAYS as VIEW_DELAYS
from infra.local.processes import ProcessError
from infra.local.stack import SERVICES, run_processes
from services.store.kinds import AVATAR
from services.store.table import make_key, read_value

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from bench.servers import Server

FOLDER = Path(__file__).parent.parent / "docs" / "bench"
RATIOS = FOLDER / "ratios.json"

CONNECTIONS = 32
WARM_UP_SECONDS = 3
TIMEOUT_SECONDS = 30
"""Timeout of a single request."""
MAX_SECONDS, MAX_ROUNDS = 600, 100
PARTS = ("presign", "confirm", "view", "memory", "start", "pictures")


@dataclass(frozen=True, slots=True)
class Plan:
    seconds: float
    rounds: int
    only: frozenset[str]
    """Names of the parts and subjects to measure. An empty set stands for all."""
    folder: Path

    def has(self, part: str) -> bool:
        return not self.only or part in self.only

    @property
    def subjects(self) -> Sequence[str]:
        chosen = [name for name in BY_NAME if name in self.only | {OURS}]
        return chosen if len(self.only & {*BY_NAME}) else (list(BY_NAME) if self.has("presign") else [])


def main() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        # Plots and peers need the dependency group `bench`; uv installs it here.
        os.execvp("uv", ["uv", "run", "--group", "bench", "bench", *sys.argv[1:]])  # noqa: S606, S607
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 where a part failed."""
    plan = parse_plan(arguments)
    try:
        for program in ("wrk", "taskset"):
            find_program(program)
        # This process sends requests, so it runs on the core of the load.
        os.sched_setaffinity(0, {LOAD_CORE})
        results = _measure(plan)
    except KeyboardInterrupt:
        print("Stopped before the end.", file=sys.stderr)
        return INTERRUPTED
    except (LoadError, NotInstalledError, ProcessError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    from bench.plots import draw  # noqa: PLC0415 - `main` may have to install its packages first

    before = ratios.decode(RATIOS.read_bytes()) if RATIOS.exists() else {}
    now = ratios.find_run_ratios(results)
    report = write_report(results, describe_run(plan.seconds, plan.rounds), CONNECTIONS, before)
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / "README.md").write_text(report)
    (plan.folder / RATIOS.name).write_bytes(ratios.encode(now))
    draw(results, plan.folder)
    print(report, f"Written to {plan.folder}.", sep="\n", flush=True)
    for name, verdict in ratios.compare(before, now).items():
        if verdict == "slower":
            print(f"!! SLOWER than in the run before: {name}", file=sys.stderr)
    return 0


def _measure(plan: Plan) -> Results:
    results = Results()
    if plan.subjects:
        _measure_presigns(plan, results)
    if plan.has("confirm"):
        _measure_confirms(plan, results)
    if plan.has("view"):
        _measure_views(plan, results)
    if plan.has("memory"):
        _measure_memory(plan, results)
    if plan.has("start"):
        _measure_starts(plan, results)
    if plan.has("pictures"):
        _measure_readers(results)
    return results


def _measure_presigns(plan: Plan, results: Results) -> None:
    with _open_setup() as setup:
        running: dict[str, tuple[Server, Request]] = {}
        for name in plan.subjects:
            subject = BY_NAME[name]
            try:
                running[name] = server, request = subject.start(setup)
                _send_once(server, request)
                _apply_load(server, request, WARM_UP_SECONDS)
            except (NotInstalledError, ProcessError, LoadError, httpx2.HTTPError) as error:
                results.skipped[subject.title] = str(error)
                print(f"!! SKIPPED: {name}: {error}", file=sys.stderr, flush=True)
                running.pop(name, None)
        for number in range(plan.rounds):
            for name, (server, request) in running.items():
                measured = _apply_load(server, request, plan.seconds)
                results.presigns.setdefault(name, []).append(measured)
                setup.aws.take_calls()
                _print(f"presign, round {number + 1}, {name}: {measured.per_second:,.0f}/s, CPU {measured.cpu:,.0f} µs")


def _measure_confirms(plan: Plan, results: Results) -> None:
    with _open_setup() as setup:
        subjects = start_confirm_subjects(setup)
        for number in range(plan.rounds):
            for delay in DELAYS:
                for subject in subjects:
                    measured = measure_confirm(setup, subject, delay)
                    results.confirms.setdefault((subject.implementation, subject.pending, delay), []).append(measured)
                    _print(
                        f"confirm, round {number + 1}, {subject.implementation}, {subject.pending}, {delay} ms:"
                        f" {measured.p50:.1f} ms,"
                        f" {measured.sequential_calls} of {measured.calls:g} calls in sequence,"
                        f" CPU {measured.cpu:.1f} ms"
                    )


def _measure_views(plan: Plan, results: Results) -> None:
    with _open_setup() as setup:
        for count in COUNTS:
            fill_table_and_bucket(setup, count)
            for number in range(plan.rounds):
                for delay in VIEW_DELAYS:
                    frontend = start_service(setup.processes, setup.aws, "frontend", setup.auth)
                    measured = measure_view(setup, frontend, delay)
                    _stop(frontend)
                    results.views.setdefault((count, delay), []).append(measured)
                    _print(
                        f"view, round {number + 1}, {count} objects, {delay} ms: {measured.p50:.1f} ms,"
                        f" {measured.calls:g} calls, at first {measured.first:.1f} ms, {measured.first_calls:g} calls"
                    )


def _measure_memory(plan: Plan, results: Results) -> None:
    with _open_setup() as setup:
        auth = start_service(setup.processes, setup.aws, "auth", "")
        login = Request("POST", "/auth/login", f'{{"username":"{USERNAME}"}}', (JSON,))
        _measure_service(plan, results, setup, "auth: login", auth, login)
        subject = start_confirm_subjects(setup)[0]
        uploads, presign = start_ours(setup)
        _measure_service(plan, results, setup, "uploads: presign", uploads, presign)
        upload = subject.make_body()
        confirm = Request("POST", "/uploads/confirm", f'{{"key":"{upload["key"]}"}}', (JSON, setup.bearer))
        _measure_service(plan, results, setup, "uploads: confirm, repeated", uploads, confirm)
        fill_table_and_bucket(setup, COUNTS[1])
        frontend = start_service(setup.processes, setup.aws, "frontend", setup.auth)
        view = Request("GET", "/", "", (setup.bearer,))
        _measure_service(plan, results, setup, "frontend: page view", frontend, view)
        row = setup.aws.clients.dynamodb.get_item(TableName=RESOURCES.table, Key=make_key(USERNAME)).get("Item", {})
        redirect = Request("GET", f"/users/{USERNAME}/avatar?v={read_value(AVATAR, row).key}")
        _measure_service(plan, results, setup, "frontend: redirect to a picture", frontend, redirect)


def _measure_starts(plan: Plan, results: Results) -> None:
    with _open_setup() as setup:
        for _ in range(plan.rounds):
            for service in SERVICES:
                began = time.monotonic()
                server = start_service(setup.processes, setup.aws, service, setup.auth)
                took = time.monotonic() - began
                cpu, resident = read_cpu_seconds(server.process), read_resident_megabytes(server.process)
                first = _time_first_presign(server, setup) if service == "uploads" else None
                results.starts.setdefault(service, []).append(StartMeasurement(took, cpu, resident, first))
                _print(f"start, {service}: {took:.2f} s, CPU {cpu:.2f} s, {resident:.0f} MB")
                _stop(server)


def _time_first_presign(server: Server, setup: Setup) -> float:
    """Its duration in milliseconds, which includes fetching the key set and verifying the token."""
    began = time.monotonic()
    _send_once(server, make_our_presign(setup))
    return (time.monotonic() - began) * 1000


def _stop(server: Server) -> None:
    server.process.popen.terminate()
    server.process.popen.wait()


def _measure_readers(results: Results) -> None:
    for title, content in (make_usual_files() | {title: make_worst_file(title) for title in WORST}).items():
        results.readers[title] = measured = measure_reader(content)
        _print(f"pictures, {title}: {measured.steps:,} steps, {measured.milliseconds:.2f} ms")


def _measure_service(plan: Plan, results: Results, setup: Setup, title: str, server: Server, request: Request) -> None:
    _apply_load(server, request, WARM_UP_SECONDS)
    setup.aws.take_calls()
    measured = _apply_load(server, request, plan.seconds)
    calls = len(setup.aws.take_calls()) / (measured.per_second * plan.seconds)
    results.services.append(ServiceMeasurement(title, measured, calls, read_resident_megabytes(server.process)))
    _print(f"{title}: {measured.per_second:,.0f}/s, {results.services[-1].resident:.0f} MB")


def _send_once(server: Server, request: Request) -> None:
    """Send one request, so that an error stops the subject before it is measured.

    Raises:
        HTTPError: the status code is not one of success.
    """
    headers, content = dict(request.headers), request.body or None
    url = server.origin + request.path
    httpx2.request(request.method, url, content=content, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()


def _apply_load(server: Server, request: Request, seconds: float) -> Measurement:
    return apply_load(server.process, server.origin, request, seconds=seconds, connections=CONNECTIONS, core=LOAD_CORE)


@contextlib.contextmanager
def _open_setup() -> Generator[Setup, None, None]:
    """Start the fake AWS and the auth service, and log a user in."""
    with run_processes() as processes:
        aws = start_fake_aws(processes)
        aws.add_user(USERNAME)
        auth = start_service(processes, aws, "auth", "").origin
        response = httpx2.post(
            f"{auth}/auth/login", json={"username": USERNAME}, timeout=TIMEOUT_SECONDS
        ).raise_for_status()
        yield Setup(processes, aws, auth, response.json()["access_token"])


def _print(line: str) -> None:
    print(line, flush=True)


def parse_plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=5.0,
        metavar="N",
        help="seconds of load for each subject and round (default: %(default)g)",
    )
    parser.add_argument("--rounds", type=_rounds, default=3, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*PARTS, *BY_NAME],
        default=[],
        metavar="NAME",
        help=f"parts ({', '.join(PARTS)}) or subjects of presign ({', '.join(BY_NAME)}); default: all",
    )
    parser.add_argument("--to", type=Path, default=FOLDER, metavar="DIR", help="default: docs/bench")
    given = parser.parse_args(arguments)
    return Plan(given.seconds, given.rounds, frozenset(given.only), given.to)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 1 <= float(text) <= MAX_SECONDS:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to {MAX_SECONDS}")


def _rounds(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 1 <= int(text) <= MAX_ROUNDS:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MAX_ROUNDS}")


if __name__ == "__main__":
    main()
