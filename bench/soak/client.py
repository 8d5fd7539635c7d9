"""The requests of the clients. Each response is judged, and a request without a clear outcome is repeated."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from bench.soak.files import CONTENT_TYPE, digest
from bench.soak.judge import (
    BROKEN,
    CAN_BECOME_THE_AVATAR,
    DONE,
    SUPERSEDED,
    Case,
    Circumstances,
    Response,
    judge_confirm,
    judge_other_post,
    judge_post,
    judge_presign,
)
from services.store.kinds import AVATAR
from services.uploads.bucket import compute_sha256
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.soak.chaos import Outages
    from bench.soak.history import History
    from services.settings.limits import PendingStrategy

TRIES = 600
"""Maximum number of tries, a second apart: enough for a restart on a busy machine and for many faults in a row."""

PAUSE_SECONDS = 1
"""Pause before a repeat where the response has no Retry-After."""

TIMEOUT_SECONDS = 40
"""Longer than the gateway's timeout of 30 s, so that the gateway gives up first."""


@dataclass
class Counts:
    uploads: int = 0
    """Uploads that were presigned and posted at least once."""
    scenarios: Counter[str] = field(default_factory=Counter[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    responses: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """Number of responses by kind of request and outcome."""
    confirms: list[float] = field(default_factory=list[float])
    """Durations of the confirms that returned 200 on that try, seconds."""
    violations: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload from a presign response, or an invented one. `avatar` is its key after a confirm."""

    username: str
    key: str
    avatar: str
    token: str | None = None
    url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Shared:
    """State that all clients share."""

    strategy: PendingStrategy
    outages: Outages
    history: History
    counts: Counts
    faults: bool
    """Whether the proxy breaks connections to S3."""
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    """Access tokens by user."""


@dataclass(frozen=True, slots=True)
class Client:
    """Acts for a different user in each request, by the token that it sends."""

    http: httpx2.AsyncClient
    shared: Shared

    async def log_in(self, username: str) -> None:
        response, _ = await self._ask("login", "/auth/login", {"username": username})
        if response.name == DONE:
            self.shared.tokens[username] = response.body["access_token"]
        else:
            self._report(f"{username}: {response.name} for a login")

    async def upload(self, username: str, file: bytes) -> Upload | None:
        """Presign and POST. Return None after a failure, which is reported."""
        upload = await self.presign(username, file)
        return upload if upload and await self.post(upload, file) else None

    async def presign(self, username: str, file: bytes) -> Upload | None:
        body = {"content_type": CONTENT_TYPE, "size": len(file), "sha256": compute_sha256(file)}
        prefix = STRATEGIES[self.shared.strategy].posted_prefix(AVATAR)
        for _ in range(TRIES):
            response, outage = await self._ask("presign", "/uploads/presign", body, username)
            if wrong := judge_presign(response, prefix, outage=outage):
                self._report(f"{username}: {wrong}")
            if response.name == DONE:
                made = response.body
                avatar = AVATAR.permanent_prefix + made["key"].removeprefix(prefix)
                return Upload(username, made["key"], avatar, made.get("upload_token"), made["url"], made["fields"])
            if not response.is_ambiguous:
                return None
            await _pause(response)
        self._report(f"{username}: no presign in {TRIES} tries")
        return None

    async def post(self, upload: Upload, file: bytes) -> bool:
        """POST the form and return whether it succeeded."""
        if upload.avatar not in self.shared.history.posted:
            self.shared.counts.uploads += 1
        self.shared.history.post(upload.avatar, digest(file))
        for _ in range(TRIES):
            response = await self._post(upload, file)
            if wrong := judge_post(response, faults=self.shared.faults):
                self._report(f"{upload.username} {upload.key}: {wrong}")
                return False
            if response.status != BROKEN:
                return True
            await asyncio.sleep(PAUSE_SECONDS)
        self._report(f"{upload.username} {upload.key}: not posted in {TRIES} tries")
        return False

    async def post_other(self, upload: Upload, file: bytes) -> None:
        """POST another file than the declared one. S3 must refuse it."""
        if wrong := judge_other_post(await self._post(upload, file), faults=self.shared.faults):
            self._report(f"{upload.username} {upload.key}: {wrong}")

    async def _post(self, upload: Upload, file: bytes) -> Response:
        files = {"file": ("picture", file, CONTENT_TYPE)}
        return await self._send("post", upload.url, data=dict(upload.fields), files=files)

    async def confirm(self, upload: Upload, case: Case, *, by: str | None = None) -> Response:
        """Confirm as the upload's user, or as the user `by`."""
        username, key, history = by or upload.username, upload.avatar, self.shared.history
        body = {"key": upload.key} | ({"upload_token": upload.token} if upload.token else {})
        response = Response(BROKEN)
        for _ in range(TRIES):
            is_superseded = history.is_superseded(username, key)
            if case in CAN_BECOME_THE_AVATAR:
                history.begin_confirm(username, key)
            begun = time.monotonic()
            response, outage = await self._ask("confirm", "/uploads/confirm", body, username)
            circumstances = Circumstances(
                self.shared.strategy, history.may_be_superseded(username, key), is_superseded, outage
            )
            wanted = {"username": username, "kind": AVATAR.name, "key": key, "avatar": key}
            if wrong := judge_confirm(case, response, circumstances, wanted):
                self._report(f"{username} {upload.key}: {wrong}")
            if response.name == DONE:
                history.confirm(username, key)
                self.shared.counts.confirms.append(time.monotonic() - begun)
            if response.name == SUPERSEDED:
                history.supersede(username, key)
            if not response.is_ambiguous:
                return response
            await _pause(response)
        self._report(f"{username} {upload.key}: no clear response to a confirm in {TRIES} tries")
        return response

    async def _ask(
        self, call: str, path: str, body: Mapping[str, Any], username: str | None = None
    ) -> tuple[Response, bool]:
        """Return the response, and whether the service was down at any time during the request."""
        headers = {"Authorization": f"Bearer {self.shared.tokens[username]}"} if username else {}
        begun = time.monotonic()
        response = await self._send(call, path, json=body, headers=headers)
        return response, self.shared.outages.overlap(begun, time.monotonic())

    async def _send(self, call: str, url: str, **request: Any) -> Response:
        self.shared.counts.requests[call] += 1
        try:
            response = _read(await self.http.post(url, **request))
        except httpx2.TransportError as error:
            response = Response(BROKEN, repr(error))
        self.shared.counts.responses[call, response.name] += 1
        return response

    def _report(self, violation: str) -> None:
        self.shared.counts.violations.append(violation)


def _read(response: httpx2.Response) -> Response:
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    try:
        body = response.json() if media_type.endswith("json") else response.text
    except ValueError:
        body = response.text
    return Response(response.status_code, body, media_type, response.headers.get("Retry-After", ""))


async def _pause(response: Response) -> None:
    await asyncio.sleep(int(response.retry_after) if response.retry_after.isdecimal() else PAUSE_SECONDS)
