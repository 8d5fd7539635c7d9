"""`uv run demo`: the whole system on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec

from infra.local.gateway import PAGES_PATH
from infra.local.ports import PortInUseError
from infra.local.processes import ProcessError
from infra.local.stack import Options, run_stack
from services.settings.application import ConfirmedUrl, NewUsers
from services.settings.conversion import describe
from services.settings.environment import Origin
from services.settings.limits import FormSeconds, PendingStrategy
from services.settings.tokens import IssuerUrl, UsernameClaim

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

PortNumber = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Port = Annotated[PortNumber, msgspec.Meta(description="Port of the page. 0 means any free one.")]
EmulatorPort = Annotated[PortNumber, msgspec.Meta(description="Port of the AWS emulator. 0 means any free one.")]
Users = Annotated[int, msgspec.Meta(ge=1, description="Number of users to create.")]


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the demo. The exit status is 0 if it was stopped by a signal, and 1 if a process failed."""
    options = parse_options(arguments)
    if options.data and not can_keep_state(options.data):
        print(f"{options.data} is not a writable folder.", file=sys.stderr)
        return 1
    if options.pages and not options.pages.is_dir():
        print(f"{options.pages} is not a folder.", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        with run_stack(options, lambda part, detail: print(part, detail, flush=True)) as stack:
            print("ready", stack.origin, flush=True)
            stack.processes.watch()
    except KeyboardInterrupt:
        return 0
    except (PortInUseError, ProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not interrupt the orderly stop.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def parse_options(arguments: Sequence[str]) -> Options:
    default = Options()
    parser = argparse.ArgumentParser(prog="demo", description="Runs the whole system on this machine, until Ctrl-C.")
    _add_number(parser, "--port", Port, default.port)
    _add_number(parser, "--emulator-port", EmulatorPort, default.emulator_port)
    _add_number(parser, "--users", Users, default.users)
    _add_number(parser, "--form-seconds", FormSeconds, default.form_seconds)
    parser.add_argument(
        "--origin",
        dest="origins",
        type=_read_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="Origin of a page of your own that may call the services and post to the bucket, such as "
        "http://localhost:3000. It can be given several times.",
    )
    parser.add_argument(
        "--only", choices=["uploads"], help="Run the uploads service and its login alone, without the demo's page."
    )
    parser.add_argument(
        "--issuer",
        type=_read_issuer,
        metavar="URL",
        help="OpenID Connect issuer whose access tokens the services accept, in place of the demo's login.",
    )
    parser.add_argument(
        "--audience", metavar="AUDIENCES", help="Audiences of the issuer's tokens, separated by commas."
    )
    claim = msgspec.json.schema(UsernameClaim)["description"]
    parser.add_argument("--username-claim", default=default.username_claim, metavar="CLAIM", help=_describe(claim))
    pending = msgspec.json.schema(PendingStrategy)
    parser.add_argument(
        "--pending", choices=pending["enum"], default=default.pending, help=_describe(pending["description"])
    )
    new_users = msgspec.json.schema(NewUsers)
    parser.add_argument(
        "--new-users",
        choices=new_users["enum"],
        default=default.new_users,
        help=_describe(new_users["description"].replace("`", "")),
    )
    parser.add_argument(
        "--confirmed-url",
        type=read_confirmed_url,
        metavar="URL",
        help="URL of an application that learns of each confirmed upload and each removal, such as"
        " http://localhost:3000/hooks. The demo prints the secret that signs the messages.",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="Folder that keeps the state after a stop. Default: no state is kept."
    )
    parser.add_argument(
        "--pages",
        type=Path,
        metavar="DIR",
        help=f"Folder whose files the demo also serves, at {PAGES_PATH}/.",
    )
    given: dict[str, Any] = vars(parser.parse_args(arguments))
    given["origins"] = tuple(given["origins"])
    options = Options(**given)
    try:
        _ = options.settings
    except ValueError as error:
        parser.error(f"--{error}")
    return options


def read_confirmed_url(text: str) -> str:
    try:
        return msgspec.convert(text, ConfirmedUrl)
    except msgspec.ValidationError as error:
        raise argparse.ArgumentTypeError("must be a URL of https, or of http on localhost") from error


def can_keep_state(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _read_origin(text: str) -> str:
    try:
        return msgspec.convert(text, Origin)
    except msgspec.ValidationError as error:
        raise argparse.ArgumentTypeError(
            f"must be a scheme, a host and a port, like http://localhost:3000, not {text!r}"
        ) from error


def _read_issuer(text: str) -> str:
    try:
        return msgspec.convert(text, IssuerUrl)
    except msgspec.ValidationError as error:
        raise argparse.ArgumentTypeError(f"must begin with https://, or with http://localhost, not {text!r}") from error


def _add_number(parser: argparse.ArgumentParser, option: str, kind: Any, default: int) -> None:
    """Add an option whose limits and description are those of `kind`, a type with msgspec's metadata."""

    def read(text: str) -> int:
        try:
            return msgspec.convert(text, kind, strict=False)
        except msgspec.ValidationError as error:
            valid = describe(msgspec.inspect.type_info(kind))
            raise argparse.ArgumentTypeError(f"must be {valid}, not {text!r}") from error

    description = msgspec.json.schema(kind)["description"]
    parser.add_argument(option, type=read, default=default, metavar="N", help=_describe(description))


def _describe(description: str) -> str:
    return f"{description} Default: %(default)s."


if __name__ == "__main__":
    main()
