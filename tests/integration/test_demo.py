"""The command `demo`, run as in a terminal."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from infra.local.demo import parse_options
from infra.local.ports import HOST, pick_free_ports
from infra.seed.people import invent_people
from services.uploads.bucket import compute_sha256
from tests import web
from tests.conftest import post_form
from tests.eventually import PATIENCE_SECONDS
from tests.pictures import make_picture

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import httpx2

PARTS = [
    "emulator",
    "bucket",
    "table",
    "key",
    "users",
    "auth",
    "uploads",
    "frontend",
    "uploads-tag",
    "gateway",
    "ready",
]


@dataclass
class Demo:
    popen: subprocess.Popen[str]
    origin: str
    printed: list[str]
    children: list[psutil.Process]

    def stop(self, by: signal.Signals) -> int:
        self.popen.send_signal(by)
        return self.popen.wait(PATIENCE_SECONDS)

    def find_remaining_processes(self) -> list[psutil.Process]:
        return psutil.wait_procs(self.children, timeout=PATIENCE_SECONDS)[1]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - the command under test
        [sys.executable, "-m", "infra.local.demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def run_demo(*arguments: str) -> Generator[Demo, None, None]:
    port, emulator_port = pick_free_ports(2)
    popen = start("--port", str(port), "--emulator-port", str(emulator_port), *arguments)
    with popen:
        try:
            assert popen.stdout
            printed: list[str] = []
            for line in popen.stdout:
                printed.append(line.rstrip())
                if line.startswith("ready"):
                    break
            children = psutil.Process(popen.pid).children(recursive=True)
            yield Demo(popen, f"http://localhost:{port}", printed, children)
        finally:
            popen.kill()


def test_the_demo_prints_each_part_and_stops_cleanly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a data folder it leaves no file behind either."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with run_demo() as demo:
        assert list(tmp_path.iterdir())
        assert [line.split()[0] for line in demo.printed] == PARTS
        assert demo.printed[-1] == f"ready {demo.origin}"
        assert "Three-phase upload" in web.get(demo.origin).text
        assert len(demo.children) == 6
        assert demo.stop(signal.SIGINT) == 0
        assert not demo.find_remaining_processes()
        assert not list(tmp_path.iterdir())
        assert demo.popen.stderr
        assert demo.popen.stderr.read() == ""


def test_a_killed_demo_leaves_no_process() -> None:
    with run_demo() as demo:
        demo.popen.kill()
        assert not demo.find_remaining_processes()


def test_the_demo_ends_when_one_of_its_processes_ends() -> None:
    with run_demo() as demo:
        # A request, whose line in the log is not the cause of the end.
        assert (
            web.post(
                f"{demo.origin}/uploads/presign", content=b"{", headers={"Content-Type": "application/json"}
            ).status_code
            == 401
        )
        uploads = next(child for child in demo.children if "services.uploads" in child.cmdline())
        uploads.kill()
        assert demo.popen.wait(PATIENCE_SECONDS) == 1
        assert demo.popen.stderr
        assert demo.popen.stderr.read() == "uploads ended unexpectedly (killed by SIGKILL)\n"
        assert not demo.find_remaining_processes()


def test_the_demo_without_its_page_serves_uploads_and_a_login_for_another_origin() -> None:
    origin = "http://localhost:3000"
    with run_demo("--only", "uploads", "--origin", "https://app.example.com", "--origin", origin) as demo:
        assert [line.split()[0] for line in demo.printed] == [
            part for part in PARTS if part not in {"frontend", "uploads-tag"}
        ]
        assert not [child for child in demo.children if "services.frontend" in child.cmdline()]
        for path in ("/", "/users", "/inspector/objects", "/static/page.js"):
            answer = web.get(demo.origin + path)
            assert (answer.status_code, answer.json()["type"]) == (404, "urn:problem:not-found")
        username = next(iter(invent_people(1))).username
        with web.Client(base_url=demo.origin, headers={"Origin": origin}) as client:
            token = client.post("/auth/login", json={"username": username}).raise_for_status().json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            picture = make_picture("image/png")
            wanted = {"content_type": "image/png", "size": len(picture), "sha256": compute_sha256(picture)}
            form = client.post("/uploads/presign", json=wanted).raise_for_status().json()
            post_form(form, picture).raise_for_status()
            confirmed = client.post("/uploads/confirm", json={"key": form["key"]}).raise_for_status()
        assert confirmed.headers["Access-Control-Allow-Origin"] == origin
        preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert web.request("OPTIONS", form["url"], headers=preflight).headers["Access-Control-Allow-Origin"] == origin
        redirect = web.get(confirmed.json()["url"])
        assert redirect.status_code == 303
        assert redirect.headers["Cache-Control"] == "no-cache"
        assert web.get(redirect.headers["Location"]).content == picture


@pytest.mark.parametrize("origin", ["localhost:3000", "http://localhost:3000/", "*", "null", "http://a,http://b"])
def test_an_origin_that_is_none_is_refused(origin: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_options(["--origin", origin])
    assert "must be a scheme, a host and a port, like http://localhost:3000" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--port", "--emulator-port"])
def test_a_port_in_use_is_reported_in_one_sentence(option: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        popen = start("--port", "0", "--emulator-port", "0", option, str(port))
        out, err = popen.communicate(timeout=PATIENCE_SECONDS)
    assert (popen.returncode, out) == (1, "")
    assert err == f"Port {port} is in use. Choose another one with {option}.\n"


@pytest.mark.parametrize(("option", "kind"), [("--data", "writable folder"), ("--pages", "folder")])
def test_an_unusable_folder_is_reported_in_one_sentence(option: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    popen = start("--port", "0", "--emulator-port", "0", option, str(file))
    out, err = popen.communicate(timeout=PATIENCE_SECONDS)
    assert (popen.returncode, out) == (1, "")
    assert err == f"{file} is not a {kind}.\n"


@pytest.mark.parametrize("arguments", [["--users", "0"], ["--port", "70000"], ["--port", "x"], ["--nonsense"]])
def test_wrong_arguments_are_reported_without_a_traceback(arguments: list[str]) -> None:
    popen = start(*arguments)
    _, err = popen.communicate(timeout=PATIENCE_SECONDS)
    assert popen.returncode == 2
    assert "Traceback" not in err


@pytest.mark.parametrize("seconds", [1, 10, 600])
def test_the_option_form_seconds_sets_the_validity_of_forms(seconds: int) -> None:
    settings = parse_options(["--form-seconds", str(seconds)]).settings
    assert settings.form_seconds == seconds
    # Otherwise the service would not start.
    assert settings.confirm_seconds >= seconds


@pytest.mark.parametrize("seconds", ["0", "-1", "601", "1.5", "x", ""])
def test_invalid_form_seconds_are_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(["--form-seconds", seconds])
    assert ended.value.code == 2
    assert f"argument --form-seconds: must be a whole number from 1 to 600, not {seconds!r}" in capsys.readouterr().err


def list_users(http: httpx2.Client) -> list[dict[str, str]]:
    """All users, from every page of the list."""
    users: list[dict[str, str]] = []
    cursor: str | None = None
    while True:
        page = http.get("/users", params={"limit": 50} | ({"cursor": cursor} if cursor else {})).json()
        users += page["users"]
        cursor = page["cursor"]
        if not cursor:
            return users


def test_the_demo_creates_the_requested_users_and_restores_kept_data(tmp_path: Path) -> None:
    picture = make_picture()
    with run_demo("--data", str(tmp_path), "--users", "130") as demo, web.Client(base_url=demo.origin) as http:
        usernames = [user["username"] for user in list_users(http)]
        assert len(usernames) == len(set(usernames)) == 130
        username = usernames[0]
        token = http.post("/auth/login", json={"username": username}).json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        form = http.post(
            "/uploads/presign",
            json={"content_type": "image/png", "size": len(picture), "sha256": compute_sha256(picture)},
        ).json()
        post_form(form, picture).raise_for_status()
        http.post("/uploads/confirm", json={"key": form["key"]}).raise_for_status()
        users = list_users(http)
        assert demo.stop(signal.SIGTERM) == 0
        assert not demo.find_remaining_processes()
        assert demo.popen.stderr
        assert demo.popen.stderr.read() == ""
    with run_demo("--data", str(tmp_path), "--users", "130") as demo, web.Client(base_url=demo.origin) as http:
        assert list_users(http) == users
        assert http.get(f"/users/{username}/avatar", follow_redirects=True).content == picture
        states = {entry["state"] for entry in http.get("/inspector/objects").json()["objects"]}
        assert states == {"live"}
        # The origin has another port now, so the issuer differs and the token is invalid.
        assert http.get("/auth/me", headers={"Authorization": f"Bearer {token}"}).status_code == 401
        assert demo.stop(signal.SIGTERM) == 0
