"""`uv run bench`: our services and what others would pick, side by side, in one run, on one machine."""

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

from bench.confirm import DELAYS, measure_confirms, start_confirmers
from bench.installs import NotInstalledError
from bench.load import (
    LoadError,
    Measured,
    Request,
    find_program,
    put_load,
    read_cpu_seconds,
    read_resident_megabytes,
)
from bench.machine import describe_run
from bench.report import write_report
from bench.results import Loaded, Results, Started
from bench.servers import LOAD_CORE, USERNAME, start_aws, start_service
from bench.subjects import BY_NAME, JSON, OURS, Place, begin_ours
from bench.views import COUNTS, fill, measure_views
from bench.views import DELAYS as VIEW_DELAYS
from infra.local.processes import ProcessError
from infra.local.stack import SERVICES, run_processes

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from bench.servers import Server

FOLDER = Path(__file__).parent.parent / "docs" / "bench"
INTERRUPTED = 130
"""The exit status that shells give a command that Ctrl-C has ended."""

CONNECTIONS = 32
WARM_UP_SECONDS = 3
TIMEOUT_SECONDS = 30
"""Timeout of a single request."""
MAX_SECONDS, MAX_ROUNDS = 600, 100
PARTS = ("presign", "confirm", "view", "memory", "start")


@dataclass(frozen=True, slots=True)
class Plan:
    seconds: float
    rounds: int
    only: frozenset[str]
    """Parts and subjects; none is all of them."""
    folder: Path

    def has(self, part: str) -> bool:
        return not self.only or part in self.only

    @property
    def subjects(self) -> Sequence[str]:
        chosen = [name for name in BY_NAME if name in self.only | {OURS}]
        return chosen if len(self.only & {*BY_NAME}) else (list(BY_NAME) if self.has("presign") else [])


def main() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        # The plots and the peers are a group of their own, which nobody has to name.
        os.execvp("uv", ["uv", "run", "--group", "bench", "bench", *sys.argv[1:]])  # noqa: S606, S607
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit status: 1 where a part failed."""
    plan = parse_plan(arguments)
    try:
        for program in ("wrk", "taskset"):
            find_program(program)
        # The clients that ask one question after the other belong to the load.
        os.sched_setaffinity(0, {LOAD_CORE})
        results = _measure(plan)
    except KeyboardInterrupt:
        print("Stopped before the end.", file=sys.stderr)
        return INTERRUPTED
    except (LoadError, NotInstalledError, ProcessError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    from bench.plots import draw  # noqa: PLC0415 - of the group that `main` may have to ask for

    report = write_report(results, describe_run(plan.seconds, plan.rounds), CONNECTIONS)
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / "README.md").write_text(report)
    draw(results, plan.folder)
    print(report, f"Written to {plan.folder}.", sep="\n", flush=True)
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
    return results


def _measure_presigns(plan: Plan, results: Results) -> None:
    with _open_place() as place:
        running: dict[str, tuple[Server, Request]] = {}
        for name in plan.subjects:
            subject = BY_NAME[name]
            try:
                running[name] = server, request = subject.begin(place)
                _ask_once(server, request)
                _put_load(server, request, WARM_UP_SECONDS)
            except (NotInstalledError, ProcessError, LoadError, httpx2.HTTPError) as error:
                results.left_out[subject.title] = str(error)
                print(f"!! LEFT OUT: {name}: {error}", file=sys.stderr, flush=True)
                running.pop(name, None)
        for number in range(plan.rounds):
            for name, (server, request) in running.items():
                measured = _put_load(server, request, plan.seconds)
                results.presigns.setdefault(name, []).append(measured)
                place.aws.take_served()
                _say(f"presign, round {number + 1}, {name}: {measured.per_second:,.0f}/s, CPU {measured.cpu:,.0f} µs")


def _measure_confirms(plan: Plan, results: Results) -> None:
    with _open_place() as place:
        confirmers = start_confirmers(place)
        for number in range(plan.rounds):
            for delay in DELAYS:
                for confirmer in confirmers:
                    measured = measure_confirms(place, confirmer, delay)
                    results.confirms.setdefault((confirmer.whose, confirmer.pending, delay), []).append(measured)
                    _say(
                        f"confirm, round {number + 1}, {confirmer.whose}, {confirmer.pending}, {delay} ms:"
                        f" {measured.p50:.1f} ms,"
                        f" {measured.in_sequence} of {measured.in_all:g} calls in sequence, CPU {measured.cpu:.1f} ms"
                    )


def _measure_views(plan: Plan, results: Results) -> None:
    with _open_place() as place:
        frontend = start_service(place.processes, place.aws, "frontend", place.auth)
        for count in COUNTS:
            fill(place, count)
            for number in range(plan.rounds):
                for delay in VIEW_DELAYS:
                    measured = measure_views(place, frontend, delay)
                    results.views.setdefault((count, delay), []).append(measured)
                    _say(
                        f"view, round {number + 1}, {count} objects, {delay} ms: {measured.p50:.1f} ms,"
                        f" {measured.calls:g} calls"
                    )


def _measure_memory(plan: Plan, results: Results) -> None:
    with _open_place() as place:
        auth = start_service(place.processes, place.aws, "auth", "")
        login = Request("POST", "/auth/login", f'{{"username":"{USERNAME}"}}', (JSON,))
        _add_loaded(plan, results, "auth: login", auth, login)
        confirmer = start_confirmers(place)[0]
        uploads, presign = begin_ours(place)
        _add_loaded(plan, results, "uploads: presign", uploads, presign)
        asked = confirmer.begin()
        confirm = Request("POST", "/uploads/confirm", f'{{"key":"{asked["key"]}"}}', (JSON, place.bearer))
        _add_loaded(plan, results, "uploads: confirm, repeated", uploads, confirm)
        fill(place, COUNTS[1])
        frontend = start_service(place.processes, place.aws, "frontend", place.auth)
        _add_loaded(plan, results, "frontend: page view", frontend, Request("GET", "/", "", (place.bearer,)))


def _measure_starts(plan: Plan, results: Results) -> None:
    with _open_place() as place:
        for _ in range(plan.rounds):
            for service in SERVICES:
                began = time.monotonic()
                server = start_service(place.processes, place.aws, service, place.auth)
                took = time.monotonic() - began
                cpu, resident = read_cpu_seconds(server.process), read_resident_megabytes(server.process)
                results.starts.setdefault(service, []).append(Started(took, cpu, resident))
                _say(f"start, {service}: {took:.2f} s, CPU {cpu:.2f} s, {resident:.0f} MB")
                server.process.popen.terminate()
                server.process.popen.wait()


def _add_loaded(plan: Plan, results: Results, title: str, server: Server, request: Request) -> None:
    _put_load(server, request, WARM_UP_SECONDS)
    measured = _put_load(server, request, plan.seconds)
    results.loaded.append(Loaded(title, measured, read_resident_megabytes(server.process)))
    _say(f"{title}: {measured.per_second:,.0f}/s, {results.loaded[-1].resident:.0f} MB")


def _ask_once(server: Server, request: Request) -> None:
    """
    Raises:
        HTTPError: the answer is none of success. What is wrong shows here, and not as a figure.
    """
    headers, content = dict(request.headers), request.body or None
    url = server.origin + request.path
    httpx2.request(request.method, url, content=content, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()


def _put_load(server: Server, request: Request, seconds: float) -> Measured:
    return put_load(server.process, server.origin, request, seconds=seconds, connections=CONNECTIONS, core=LOAD_CORE)


@contextlib.contextmanager
def _open_place() -> Generator[Place, None, None]:
    """The canned AWS, the auth service, and a user who is logged in."""
    with run_processes() as processes:
        aws = start_aws(processes)
        aws.add_person(USERNAME)
        auth = start_service(processes, aws, "auth", "").origin
        answer = httpx2.post(
            f"{auth}/auth/login", json={"username": USERNAME}, timeout=TIMEOUT_SECONDS
        ).raise_for_status()
        yield Place(processes, aws, auth, answer.json()["access_token"])


def _say(line: str) -> None:
    print(line, flush=True)


def parse_plan(arguments: Sequence[str]) -> Plan:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--seconds", type=_seconds, default=5.0, metavar="N", help="a subject has a round (default: %(default)g)"
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
