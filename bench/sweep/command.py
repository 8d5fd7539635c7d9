"""`uv run measure-sweep` measures an hourly and a full sweep of many objects.

The sweep is the command of the image, in a process of its own. The fake AWS has one avatar for each user, written at a
steady rate until now, so that a share of them is recent. The emulator sorts all keys for each page of a listing, which
takes too long for a million objects.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import psutil

from bench.load import pin
from bench.servers import ORIGIN, RESOURCES, SERVER_CORE, FakeAwsServer, start_fake_aws
from infra.local.processes import ProcessError
from infra.local.stack import inherit_environ, make_program_environ, run_processes
from infra.settings import Settings
from services.uploads.sweep.plan import is_full_hour

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

POLL_SECONDS = 0.1
SWEEPS: Mapping[str, Sequence[str]] = {"hourly": (), "full": ("--full",)}
OPERATIONS = ("Scan", "ListObjectsV2", "GetObjectTagging", "HeadObject")


class SweepError(Exception):
    """The sweep did not succeed."""


class Report(msgspec.Struct):
    """The part of a sweep's report that is checked."""

    rows: int
    listed: int


@dataclass(frozen=True, slots=True)
class SweepMeasurement:
    calls: Mapping[str, int]
    """Number of calls to AWS, by operation."""
    cpu_seconds: float
    seconds: float
    peak_megabytes: float
    """Largest resident memory."""


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Return the exit status: 1 if a sweep failed."""
    parser = argparse.ArgumentParser(prog="measure-sweep", description="Measures an hourly and a full sweep.")
    parser.add_argument("--objects", type=int, default=1_000_000, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--per-second", type=float, default=1, metavar="N", help="uploads a second until now (default: %(default)s)"
    )
    parser.add_argument("--only", choices=[*SWEEPS], help="measure one of the two sweeps")
    given = parser.parse_args(arguments)
    if given.only != "full" and is_full_hour(time.time()):
        print("In this hour every sweep is a full one. Measure the hourly sweep in the next hour.", file=sys.stderr)
        return 1
    try:
        with run_processes() as processes:
            aws = start_fake_aws(processes)
            aws.fill(given.objects, given.per_second)
            for name, options in SWEEPS.items():
                if given.only in {None, name}:
                    for line in describe_sweep(name, given.objects, measure_sweep(aws, given.objects, options)):
                        print(line, flush=True)
    except (ProcessError, SweepError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def measure_sweep(aws: FakeAwsServer, objects: int, options: Sequence[str]) -> SweepMeasurement:
    """
    Raises:
        SweepError: the sweep failed, or did not list all rows and objects.
    """
    aws.take_calls()
    environ = inherit_environ() | make_program_environ("sweep", {}, aws.clients, RESOURCES, ORIGIN, Settings())
    begun = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - our own command
        [*pin(SERVER_CORE), sys.executable, "-m", "services.uploads.sweep", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        text=True,
    ) as sweep:
        cpu_seconds, peak = _watch(sweep)
        output, errors = sweep.communicate()
    took = time.monotonic() - begun
    if sweep.returncode:
        raise SweepError(f"The sweep ended with exit status {sweep.returncode}: {errors or output}")
    report = msgspec.json.decode(output, type=Report)
    if report.rows != objects or report.listed != objects:
        raise SweepError(f"The sweep did not find all {objects:,} rows and objects: {output}")
    calls = Counter(call.operation for call in aws.take_calls())
    return SweepMeasurement(calls, cpu_seconds, took, peak)


def describe_sweep(name: str, objects: int, measured: SweepMeasurement) -> Iterator[str]:
    """Lines of a table in Markdown, with the calls of each kind."""
    calls = " | ".join(f"{measured.calls.get(operation, 0):,}" for operation in OPERATIONS)
    yield f"| sweep | objects | {' | '.join(OPERATIONS)} | CPU, s | duration, s | peak memory, MB |"
    yield f"|{'---|' * (len(OPERATIONS) + 5)}"
    yield (
        f"| {name} | {objects:,} | {calls} | {measured.cpu_seconds:.1f} | {measured.seconds:.1f}"
        f" | {measured.peak_megabytes:.0f} |"
    )


def _watch(sweep: subprocess.Popen[str]) -> tuple[float, float]:
    """Return the processor time and the peak memory shortly before the process ended."""
    process, status = psutil.Process(sweep.pid), Path(f"/proc/{sweep.pid}/status")
    cpu_seconds = peak = 0.0
    while sweep.poll() is None:
        times = process.cpu_times()
        cpu_seconds = times.user + times.system
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        peak = max([peak, *(int(line.split()[1]) * 1024 / 1e6 for line in lines)])
        time.sleep(POLL_SECONDS)
    return cpu_seconds, peak


if __name__ == "__main__":
    main()
