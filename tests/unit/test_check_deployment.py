"""What `check-deployment` does before and after its checks, against responses in memory."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import httpx2
import jwt
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
    """Responds with `responses`, and with the status code 404 otherwise. `calls` are methods and paths, and `queries`
    what followed the paths.
    """

    def __init__(self, responses: Responses, on_call: Callable[[int], object] = lambda _: None) -> None:
        super().__init__(self._respond)
        self.calls: list[tuple[str, str]] = []
        self.queries = set[str]()
        self._responses = responses
        self._on_call = on_call

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append((request.method, request.url.path))
        self.queries.add(request.url.query.decode())
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


class WriteToken(Protocol):
    def __call__(self, name: str = "token", **changed: object) -> str: ...


@pytest.fixture
def write_token(tmp_path: Path) -> WriteToken:
    """Write an access token to a file, and return the file's name. A claim that is None is left out."""

    def write(name: str = "token", **changed: object) -> str:
        claims = {"sub": "ada@example.com", "exp": time.time() + 3600} | changed
        file = tmp_path / name
        stated = {name: value for name, value in claims.items() if value is not None}
        file.write_text(jwt.encode(stated, "x" * 32, "HS256"))
        return str(file)

    return write


def read_lines(printed: str) -> dict[str, dict[str, str]]:
    return {line["name"]: line for line in map(json.loads, printed.splitlines())}


WITHOUT_PAGE: Responses = {**DEPLOYMENT, ("GET", "/users"): (404, None)}


@pytest.mark.parametrize(
    ("responses", "without_page"),
    [(DEPLOYMENT, set[str]()), (WITHOUT_PAGE, {"page", "page-headers", "page-policy"})],
)
def test_a_token_takes_the_place_of_a_login(
    capsys: pytest.CaptureFixture[str], write_token: WriteToken, responses: Responses, without_page: set[str]
) -> None:
    """The user is the one in the form and not the one in the token."""
    server = Server(responses)
    assert run([ORIGIN, "--json", "--token-file", write_token()], server) == 1
    lines = read_lines(capsys.readouterr().out)
    skipped = {"login", "unknown-user", "key-set", "foreign-origin", "logout"}
    reasons = {name: line["detail"] for name, line in lines.items() if line["outcome"] == "not checked"}
    assert {name for name in reasons if reasons[name].startswith("the access token was given")} == skipped
    assert {name for name in reasons if reasons[name] == "the deployment has no page"} == without_page
    assert reasons["other-user"] == "--other-token-file was not given"
    assert "username=ada" in server.queries
    assert not [path for _, path in server.calls if path.startswith("/auth/")]


def test_a_token_that_expires_during_the_check_is_refused(
    capsys: pytest.CaptureFixture[str], write_token: WriteToken
) -> None:
    without_row = {"type": "urn:problem:unknown-user"}
    server = Server({**DEPLOYMENT, ("POST", "/uploads/confirm"): (404, without_row)})
    minute, minutes = (write_token(f"{seconds}", exp=time.time() + seconds) for seconds in (60, 400))
    for arguments, needed in (([minute], 120), ([minutes, "--wait"], 420)):
        assert run([ORIGIN, "--token-file", *arguments], server) == 2
        said = rf"The access token of ada expires in \d+ s\. The check needs one that is valid for {needed} s\.\n"
        assert re.fullmatch(said, capsys.readouterr().err)
    assert ("POST", "/uploads/confirm") not in server.calls
    assert run([ORIGIN, "--token-file", minutes], server) == 2
    assert capsys.readouterr().err.startswith("ada has no row, so no upload of this user can be confirmed.")


def test_two_tokens_of_one_user_are_refused(capsys: pytest.CaptureFixture[str], write_token: WriteToken) -> None:
    files = ["--token-file", write_token(), "--other-token-file", write_token("other", sub="bob")]
    assert run([ORIGIN, *files], Server(DEPLOYMENT)) == 2
    assert capsys.readouterr().err == "Both access tokens name ada.\n"


def test_a_token_that_is_refused_is_reported_with_the_status(
    capsys: pytest.CaptureFixture[str], write_token: WriteToken
) -> None:
    assert (
        run([ORIGIN, "--token-file", write_token()], Server({**DEPLOYMENT, ("POST", "/uploads/presign"): (503, {})}))
        == 2
    )
    assert capsys.readouterr().err == "A presign with the access token responded 503 (image/png).\n"


@pytest.mark.parametrize(
    "content",
    ["", "a.b.c", "{token} {token}", "{token}\0\0\0\0", "{token}éé", '{{"access_token": "{token}"}}', "Bearer {token}"],
)
def test_a_file_without_a_token_is_refused_and_not_printed(
    capsys: pytest.CaptureFixture[str], write_token: WriteToken, content: str
) -> None:
    file = Path(write_token())
    token = file.read_text()
    file.write_text(content.format(token=token))
    with pytest.raises(SystemExit) as ended:
        run([ORIGIN, "--token-file", str(file)])
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert f"argument --token-file: {file} does not contain an access token, which is a JWT" in output.err
    assert token not in output.err + output.out


def test_a_token_without_an_expiry_is_refused(capsys: pytest.CaptureFixture[str], write_token: WriteToken) -> None:
    with pytest.raises(SystemExit):
        run([ORIGIN, "--token-file", write_token(exp=None)])
    assert "does not contain an access token" in capsys.readouterr().err


def test_the_options_for_tokens_are_for_each_other(capsys: pytest.CaptureFixture[str], write_token: WriteToken) -> None:
    for arguments, said in {
        ("--other-token-file", write_token()): "--other-token-file needs --token-file",
        ("--token-file", write_token(), "--user", "ada"): "--user: not allowed with argument --token-file",
        ("--token-file", "/nowhere"): "/nowhere can't be read: No such file or directory",
    }.items():
        with pytest.raises(SystemExit):
            run([ORIGIN, *arguments])
        assert said in capsys.readouterr().err


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
    expected = f"{origin}/users responded 404 (image/png). A deployment without the demo's page or login needs"
    assert capsys.readouterr().err == f"{expected} --token-file.\n"


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
