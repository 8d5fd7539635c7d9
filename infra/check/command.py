"""`uv run check-deployment URL`: one line for each check, and an exit status."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from infra.check import clocks, forms, logins, responses, storage, uploads
from infra.check.deployment import NOT_FOUND, Deployment
from infra.check.outcome import CheckFailedError, Line, NotCheckedError
from infra.check.tokens import read_token, use_token
from infra.check.visit import (
    CannotCheckError,
    Check,
    Visit,
    call_users,
    check_former,
    choose_users,
    log_in,
    read_former,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from types import FrameType

    from infra.check.tokens import Token

TIMEOUT_SECONDS = 35
"""Longer than the 30 s after which an HTTP API responds."""

CHECKS = (
    *responses.CHECKS_BEFORE,
    *logins.CHECKS,
    *uploads.CHECKS,
    *responses.CHECKS_WITH_PICTURE,
    *storage.CHECKS,
    *clocks.CHECKS,
    *forms.CHECKS,
    *uploads.REFUSED_CONFIRMS,
)

PUT_BACK = Check("put-back", "The user has the former picture again, and nothing else is left", Visit.put_back)

UNREADABLE = (httpx2.HTTPError, httpx2.InvalidURL, ValueError, LookupError, TypeError)
"""Errors of a request without a response, and of a response that is not one of this project's services."""

OK, FAILED, CANNOT_CHECK = 0, 1, 2
"""Exit statuses. argparse ends with the last one for wrong arguments."""


INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEFAULT_PORTS = {"http": 80, "https": 443}


def main() -> None:
    handle_interruptions()
    try:
        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:
        print("The check was interrupted.", file=sys.stderr)
        sys.exit(CANNOT_CHECK)


def handle_interruptions() -> None:
    """SIGTERM, and SIGHUP when the terminal is closed, end the checks as Ctrl-C does, so that the former picture is put
    back. A signal that is ignored, as SIGHUP under `nohup`, stays ignored.
    """
    for number in INTERRUPTIONS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def ignore_interruptions() -> Generator[None]:
    former = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def run(arguments: Sequence[str], transport: httpx2.BaseTransport | None = None) -> int:
    """Check a deployment and print the outcome. `transport`: sends the requests, in place of httpx2's own."""
    options = parse_arguments(arguments)
    show = _show_json if options.json else _show_text
    lines: list[Line] = []
    with httpx2.Client(timeout=TIMEOUT_SECONDS, transport=transport) as http:
        try:
            deployment = Deployment(options.url, http)
            visit = begin(deployment, options.user, options.tokens, wait=options.wait)
        except CannotCheckError as error:
            print(error, file=sys.stderr)
            return CANNOT_CHECK
        except UNREADABLE as error:
            print(f"{options.url} can't be reached, or is not this project: {error}", file=sys.stderr)
            return CANNOT_CHECK
        if not options.json:
            _introduce(visit)
        try:
            for check in CHECKS:
                show(line := run_check(check, visit))
                lines.append(line)
        finally:
            # Also after Ctrl-C. A second one must not end this.
            with ignore_interruptions():
                show(line := run_check(PUT_BACK, visit))
                lines.append(line)
    if not options.json:
        print(_summarize(lines))
    return FAILED if any(line.outcome == "failed" for line in lines) else OK


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="check-deployment",
        description="Checks a deployment, or the demo, from the outside: the three phases, forged forms, tokens, "
        "headers, CORS and clocks. It uploads pictures as a user and puts the former picture back at the end.",
        epilog="Exit status: 0 if no check failed, 1 if one failed, 2 if nothing could be checked.",
    )
    parser.add_argument("url", type=read_origin, help="The address of the page, such as the stack's output `url`.")
    users = parser.add_mutually_exclusive_group()
    users.add_argument(
        "--user", type=read_username, help="The user whose avatar is replaced until the end. Default: the first."
    )
    users.add_argument(
        "--token-file",
        dest="token",
        type=read_token,
        metavar="FILE",
        help="File with an access token of that user, for a deployment without the demo's page or login.",
    )
    parser.add_argument(
        "--other-token-file",
        dest="other_token",
        type=read_token,
        metavar="FILE",
        help="File with an access token of another user, who tries to confirm an upload and is refused.",
    )
    parser.add_argument("--wait", action="store_true", help="Also wait until a form has expired (minutes).")
    parser.add_argument("--json", action="store_true", help="Print each line as JSON.")
    options = parser.parse_args(arguments)
    if options.other_token and not options.token:
        parser.error("--other-token-file needs --token-file")
    options.tokens = [token for token in (options.token, options.other_token) if token]
    return options


def read_origin(text: str) -> str:
    """The origin as a browser writes it: in lower case, and without the default port."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no URL: {error}") from error
    if url.scheme not in DEFAULT_PORTS or not url.hostname:
        raise argparse.ArgumentTypeError(f"{text} is no URL that begins with https:// or http://")
    if url.path.strip("/") or url.query or url.fragment or url.username is not None:
        raise argparse.ArgumentTypeError(f"{text} has more than scheme, host and port, such as https://{url.hostname}")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}" + (f":{port}" if port not in {None, DEFAULT_PORTS[url.scheme]} else "")


def read_username(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("the username is empty")
    return text


def begin(deployment: Deployment, wanted: str | None, tokens: Sequence[Token] = (), *, wait: bool) -> Visit:
    """Log two users in, or take those of the access tokens, and keep the picture that the first one has if it can be
    put back.

    Raises:
        CannotCheckError: that fails.
    """
    listed = call_users(deployment)
    if tokens:
        user, *others = [use_token(deployment, token, wait=wait) for token in tokens]
        services = ("uploads",) if listed.status_code == NOT_FOUND else ("uploads", "frontend")
    else:
        username, another = choose_users(deployment, listed, wanted)
        user, *others = [log_in(deployment, name) for name in (username, another) if name]
        services = ("auth", "uploads", "frontend")
    other = next(iter(others), None)
    if other and other.username == user.username:
        raise CannotCheckError(f"Both access tokens name {user.username}.")
    if former := read_former(user):
        check_former(user, former)
    return Visit(deployment, user, other, former, time.time, time.sleep if wait else None, services)


def run_check(check: Check, visit: Visit) -> Line:
    try:
        visit.need_service(check.service)
        check.run(visit)
    except CheckFailedError as error:
        return Line(check.name, check.sentence, "failed", str(error))
    except NotCheckedError as error:
        return Line(check.name, check.sentence, "not checked", str(error))
    except UNREADABLE as error:
        return Line(check.name, check.sentence, "failed", f"expected a response, got {type(error).__name__}: {error}")
    return Line(check.name, check.sentence, "ok")


def _introduce(visit: Visit) -> None:
    print(f"Checking {visit.deployment.origin}.")
    print(f"{visit.user.username} gets other avatars during the check, and the former one back at the end.", flush=True)


def _show_text(line: Line) -> None:
    sentence = f"{line.sentence}: {line.detail}" if line.detail else line.sentence
    print(f"{line.outcome:<12} {line.name:<16} {' '.join(sentence.split())}", flush=True)


def _show_json(line: Line) -> None:
    content = {"name": line.name, "outcome": line.outcome, "sentence": line.sentence, "detail": line.detail}
    print(json.dumps(content), flush=True)


def _summarize(lines: Sequence[Line]) -> str:
    counts = {outcome: sum(line.outcome == outcome for line in lines) for outcome in ("ok", "failed", "not checked")}
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) + "."


if __name__ == "__main__":
    main()
