"""`uv run demo`: the whole system on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from infra.local.ports import PortInUseError
from infra.local.processes import ProcessError
from infra.local.stack import Options, run_stack
from services.settings.limits import FormSeconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit status: 0 when it was told to stop, 1 when a part failed."""
    options = parse_options(arguments)
    if options.data and not can_keep_state(options.data):
        print(f"{options.data} is not a folder that state can be kept in.", file=sys.stderr)
        return 1
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, _stop)
    try:
        with run_stack(options, lambda part, where: print(part, where, flush=True)) as stack:
            print("ready", stack.origin, flush=True)
            stack.processes.watch()
    except KeyboardInterrupt:
        return 0
    except (PortInUseError, ProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: who presses Ctrl-C again must not break off the orderly stop.
    for told in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told, signal.SIG_IGN)
    raise KeyboardInterrupt


def parse_options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="demo", description="The whole system on this machine, until Ctrl-C.")
    parser.add_argument("--port", type=_port, default=8080, help="where the page is (default: %(default)s)")
    parser.add_argument(
        "--emulator-port", type=_port, default=4566, help="where the AWS emulator is (default: %(default)s)"
    )
    parser.add_argument("--users", type=_count, default=3, metavar="N", help="how many to seed (default: %(default)s)")
    parser.add_argument(
        "--pending",
        choices=["prefix", "tag"],
        default="prefix",
        help="how a pending object is marked (default: %(default)s)",
    )
    parser.add_argument(
        "--form-seconds",
        type=_form_seconds,
        default=300,
        metavar="N",
        help="how long a form may be posted (default: %(default)s)",
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the state there (default: nothing is kept)")
    given = parser.parse_args(arguments)
    return Options(
        port=given.port,
        emulator_port=given.emulator_port,
        users=given.users,
        pending=given.pending,
        form_seconds=given.form_seconds,
        data=given.data,
    )


def can_keep_state(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:  # noqa: PLR2004 - TCP's own
        raise argparse.ArgumentTypeError(f"{text} is not a port")
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least one user is needed")
    return count


def _form_seconds(text: str) -> int:
    try:
        return msgspec.convert(text, FormSeconds, strict=False)
    except msgspec.ValidationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    main()
