"""The steady load: presigns, whole uploads and page views, each at a rate of its own."""

from __future__ import annotations

import contextlib
import threading
import time
from array import array
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

from bench.confirm import send
from bench.load import LoadError
from bench.soak.files import CONTENT_TYPE, make_files
from services.store.kinds import AVATAR
from services.uploads.bucket import compute_sha256
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from services.settings.limits import PendingStrategy

PRESIGN_WORKERS = 4
UPLOAD_WORKERS = 8
RENEW_SECONDS = 600
"""Age at which an access token is replaced by a new one."""
VIEW_SECONDS = 5
"""Time between two page views."""
TIMEOUT_SECONDS = 30
RETRY_SECONDS = 1
OVERTIME_SECONDS = 300
"""How long after its time a late load ends, even if requests remain."""

EXAMPLES = 20
"""Maximum number of unexpected responses that are quoted."""


@dataclass
class Counts:
    """What all workers did. Each method holds the lock."""

    done: Counter[str] = field(default_factory=Counter[str])
    """Number of expected responses, by request."""
    unexpected: Counter[str] = field(default_factory=Counter[str])
    """Number of other responses, by request."""
    examples: list[str] = field(default_factory=list[str])
    durations: dict[str, array[float]] = field(default_factory=dict[str, "array[float]"])
    """Durations of the expected responses in seconds, by request, in their order."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, request: str, seconds: float) -> None:
        with self.lock:
            self.done[request] += 1
            self.durations.setdefault(request, array("f")).append(seconds)

    def add_unexpected(self, request: str, text: str) -> None:
        with self.lock:
            self.unexpected[request] += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(f"{request}: {text}")


@dataclass
class Load:
    """Each worker has its own users, so that a user's confirms follow one another and each must succeed."""

    services: Mapping[str, str]
    usernames: Sequence[str]
    presigns: int
    confirms: int
    seconds: float
    pending: PendingStrategy
    counts: Counts = field(default_factory=Counts)
    confirmed: dict[str, str] = field(default_factory=dict[str, str])
    """Key of the last confirmed avatar, by user."""
    stopping: threading.Event = field(default_factory=threading.Event)
    tokens: dict[str, tuple[float, str]] = field(default_factory=dict[str, tuple[float, str]])
    """Access token and the time at which it was issued, by user."""
    begun: float = 0

    @contextlib.contextmanager
    def run(self) -> Generator[Sequence[Future[None]], None, None]:
        """Start the load. The futures are done when all requests were made."""
        with httpx2.Client(timeout=TIMEOUT_SECONDS) as http:
            for username in self.usernames:
                self._log_in(http, username)
            self._warm_up(http)
        self.begun = time.monotonic()
        with ThreadPoolExecutor(PRESIGN_WORKERS + UPLOAD_WORKERS + 1) as executor:
            try:
                executor.submit(self._view)
                yield [
                    *(executor.submit(self._presign, number) for number in range(PRESIGN_WORKERS)),
                    *(executor.submit(self._upload, number) for number in range(UPLOAD_WORKERS)),
                ]
            finally:
                self.stopping.set()

    def _warm_up(self, http: httpx2.Client) -> None:
        """Wait until the services have fetched the keys that verify tokens. Until then they respond 503."""
        headers = self._make_headers(self.usernames[0])
        for method, url in (
            ("POST", self.services["uploads"] + "/uploads/presign"),
            ("GET", self.services["frontend"]),
        ):
            while http.request(method, url, headers=headers).status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                time.sleep(RETRY_SECONDS)

    def _presign(self, number: int) -> None:
        usernames = self.usernames[number::PRESIGN_WORKERS]
        body = msgspec.json.encode(_declare(make_files().good[0]))
        connection = HTTPConnection(self.services["uploads"].removeprefix("http://"), timeout=TIMEOUT_SECONDS)
        prefix = STRATEGIES[self.pending].posted_prefix(AVATAR)
        for turn in self._take_turns(number, PRESIGN_WORKERS, self.presigns):
            headers = self._make_headers(usernames[turn % len(usernames)])

            def act() -> None:
                form = msgspec.json.decode(send(connection, "POST", "/uploads/presign", body, headers))  # noqa: B023 - called at once
                if not form["key"].startswith(prefix) or form["fields"]["key"] != form["key"]:
                    raise LoadError(f"unexpected form: {form}")

            if not self._attempt("presign", act):
                connection.close()

    def _upload(self, number: int) -> None:
        usernames = self.usernames[number::UPLOAD_WORKERS]
        files = make_files().good
        origin = self.services["uploads"]
        with httpx2.Client(timeout=TIMEOUT_SECONDS) as http:
            for turn in self._take_turns(number, UPLOAD_WORKERS, self.confirms):
                username, file = usernames[turn % len(usernames)], files[turn % len(files)]
                if time.monotonic() - self.tokens[username][0] > RENEW_SECONDS:
                    self._log_in(http, username)
                headers = self._make_headers(username)
                form = self._post(http, "presign to upload", f"{origin}/uploads/presign", _declare(file), headers)
                if form is None or not self._post_file(http, form, file):
                    continue
                body = {name: form[name] for name in ("key", "upload_token") if name in form}
                stored = self._post(http, "confirm", f"{origin}/uploads/confirm", body, headers)
                if stored is not None:
                    self.confirmed[username] = stored["key"]

    def _view(self) -> None:
        with httpx2.Client(timeout=TIMEOUT_SECONDS) as http:
            turn = 0
            while not self.stopping.wait(VIEW_SECONDS):
                username = self.usernames[turn % len(self.usernames)]
                turn += 1

                def act() -> None:
                    response = http.get(self.services["frontend"], headers=self._make_headers(username))  # noqa: B023
                    if not response.is_success or 'class="avatar"' not in response.text:
                        raise LoadError(f"{response.status_code} {response.text[:200]}")

                self._attempt("page view", act)

    def _log_in(self, http: httpx2.Client, username: str) -> None:
        made = self._post(http, "login", f"{self.services['auth']}/auth/login", {"username": username}, {})
        if made is not None:
            self.tokens[username] = time.monotonic(), made["access_token"]

    def _post(
        self, http: httpx2.Client, request: str, url: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> dict[str, Any] | None:
        """Return the body of a response with status code 200, or None."""
        made: dict[str, Any] = {}

        def act() -> None:
            response = http.post(url, json=body, headers=headers)
            if not response.is_success:
                raise LoadError(f"{response.status_code} {response.text[:200]}")
            made.update(response.json())

        return made if self._attempt(request, act) else None

    def _post_file(self, http: httpx2.Client, form: Mapping[str, Any], file: bytes) -> bool:
        def act() -> None:
            files = {"file": ("picture", file, CONTENT_TYPE)}
            response = http.post(form["url"], data=form["fields"], files=files)
            if not response.is_success:
                raise LoadError(f"{response.status_code} {response.text[:200]}")

        return self._attempt("POST to the bucket", act)

    def _attempt(self, request: str, act: Callable[[], None]) -> bool:
        begun = time.monotonic()
        try:
            act()
        except (LoadError, HTTPException, httpx2.HTTPError, OSError, KeyError, ValueError) as error:
            self.counts.add_unexpected(request, str(error) or repr(error))
            return False
        self.counts.add(request, time.monotonic() - begun)
        return True

    def _take_turns(self, number: int, workers: int, total: int) -> Iterator[int]:
        """Yield the numbers of this worker's requests, each when it is due. A late worker does not wait."""
        pause = self.seconds / total if total else 0
        for turn, place in enumerate(range(number, total, workers)):
            due = self.begun + place * pause
            if self.stopping.wait(max(0, due - time.monotonic())):
                return
            if time.monotonic() > self.begun + self.seconds + OVERTIME_SECONDS:
                return
            yield turn

    def _make_headers(self, username: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[username][1]}", "Content-Type": "application/json"}


def _declare(file: bytes) -> dict[str, Any]:
    return {"content_type": CONTENT_TYPE, "size": len(file), "sha256": compute_sha256(file)}
