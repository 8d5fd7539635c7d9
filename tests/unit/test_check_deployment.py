"""What `check-deployment` does before and after its checks, against responses in memory."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import httpx2
import pytest

from infra.check.command import INTERRUPTIONS, handle_interruptions, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Responses = Mapping[tuple[str, str], tuple[int, object]]

ORIGIN, BUCKET = "http://pictures.example", "http://bucket.example"
PICTURE = f"{BUCKET}/avatars/1"
FIELDS = {"Content-Type": "image/png", "x-amz-meta-username": "ada"}
FORM = {"method": "POST", "url": BUCKET, "key": "pending/1", "expires": 300, "fields": FIELDS}
TOO_LARGE = {"type": "urn:problem:too-large"}
TOO_MANY_PIXELS = {"type": "urn:problem:too-many-pixels"}
DEPLOYMENT: Responses = {
    ("GET", "/users"): (200, {"users": [{"username": "ada", "avatar": "avatars/1"}]}),
    ("POST", "/auth/login"): (200, {"access_token": "a.b.c"}),
    ("GET", "/uploads/avatar"): (303, None),
    ("GET", "/avatars/1"): (200, None),
    ("POST", "/uploads/presign"): (200, FORM),
    ("POST", "/"): (204, None),
    ("POST", "/uploads/confirm"): (200, {}),
}


class Server(httpx2.MockTransport):
    """Responds with `responses`, and with the status code 404 otherwise. `calls` are methods and paths."""

    def __init__(self, responses: Responses, on_call: Callable[[int], object] = lambda _: None) -> None:
        super().__init__(self._respond)
        self.calls: list[tuple[str, str]] = []
        self._responses = responses
        self._on_call = on_call

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append((request.method, request.url.path))
        self._on_call(len(self.calls))
        status, content = self._responses.get(self.calls[-1], (404, {}))
        headers = {"Location": PICTURE, "Content-Type": "image/png", "Set-Cookie": "session=x; Path=/"}
        return httpx2.Response(status, headers=headers, json=content)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({("POST", "/uploads/presign"): (413, TOO_LARGE)}, "413 too-large"),
        ({("POST", "/uploads/confirm"): (422, TOO_MANY_PIXELS)}, "422 too-many-pixels"),
    ],
)
def test_a_picture_that_could_not_be_put_back_is_not_replaced(
    capsys: pytest.CaptureFixture[str], changed: Responses, said: str
) -> None:
    server = Server({**DEPLOYMENT, **changed})
    assert run([ORIGIN], server) == 2
    assert f"ada's picture could not be put back: an upload of it responded {said}." in capsys.readouterr().err
    assert ("DELETE", "/uploads/avatar") not in server.calls


@pytest.fixture
def handlers() -> Iterator[None]:
    """The handlers of the command, which replace those of the tests until the end."""
    # A shell starts a background process so that it ignores SIGINT.
    former = {number: signal.signal(number, signal.SIG_DFL) for number in INTERRUPTIONS}
    handle_interruptions()
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_interruption_does_not_end_the_putting_back(
    capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    begun = 7  # calls before the first check

    def interrupt(call: int) -> None:
        if call > begun:
            os.kill(os.getpid(), number)

    server = Server(DEPLOYMENT, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run([ORIGIN], server)
    assert "put-back" in capsys.readouterr().out
    upload = [("POST", "/uploads/presign"), ("POST", "/"), ("POST", "/uploads/confirm")]
    assert server.calls[begun - 3 : begun] == upload
    assert server.calls[begun + 1 : begun + 4] == upload


def test_a_signal_that_is_ignored_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    handled: dict[int, object] = {}
    monkeypatch.setattr(signal, "getsignal", {signal.SIGHUP: signal.SIG_IGN}.get)
    monkeypatch.setattr(signal, "signal", handled.__setitem__)
    handle_interruptions()
    assert handled.keys() == {signal.SIGINT, signal.SIGTERM}


def test_a_deployment_without_users_names_the_command_that_adds_some(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([ORIGIN], Server({("GET", "/users"): (200, {"users": []})})) == 2
    assert capsys.readouterr().err == "The deployment has no users. `uv run seed` adds some.\n"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Pictures.Example/", "https://pictures.example"),
        ("https://pictures.example:443", "https://pictures.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://[::1]:80", "http://[::1]"),
    ],
)
def test_the_origin_is_written_as_a_browser_writes_it(
    capsys: pytest.CaptureFixture[str], url: str, origin: str
) -> None:
    run([url], Server({}))
    assert capsys.readouterr().err.startswith(f"{origin}/users responded 404")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *(
            ([url], "is no URL that begins with https:// or http://")
            for url in ("localhost:8080", "ftp://a", "https://", "")
        ),
        (["http://[bad"], "http://[bad is no URL: "),
        (["http://a:x"], "http://a:x is no URL: "),
        *(
            ([f"https://a{rest}"], "has more than scheme, host and port, such as https://a")
            for rest in ("/users", "?x=1", "#x")
        ),
        ([ORIGIN, "--user", ""], "the username is empty"),
    ],
)
def test_wrong_arguments_are_refused(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
