"""The calls that clients make, each of them judged and repeated until it is answered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import httpx2

from bench.soak.files import CONTENT_TYPE, digest
from bench.soak.judge import (
    BROKEN,
    CAN_BECOME_THE_AVATAR,
    DONE,
    SUPERSEDED,
    Answer,
    Case,
    Circumstances,
    judge_confirm,
    judge_post,
    judge_presign,
)
from services.store.keys import AVATAR_PREFIX
from services.uploads.strategies import STRATEGIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.soak.chaos import Outages
    from bench.soak.history import History

TRIES = 600
"""With a second between them, as the answers ask for it: enough for a restart on a busy machine, and for many faults in
a row."""

PAUSE_SECONDS = 1
"""Before a repeat that no answer asked for."""

TIMEOUT_SECONDS = 40
"""More than the gateway's 30, so that it is the gateway that gives up."""


@dataclass
class Counts:
    uploads: int = 0
    """Presigned, and posted at least once."""
    scenarios: Counter[str] = field(default_factory=Counter[str])
    requests: Counter[str] = field(default_factory=Counter[str])
    answers: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """By call and answer."""
    confirms: list[float] = field(default_factory=list[float])
    """How many seconds each took that was answered 200 at once."""
    violations: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Upload:
    """As its presign answered it, or as somebody made it up. `avatar`: the key it has once it is confirmed."""

    username: str
    key: str
    avatar: str
    token: str | None = None
    url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Shared:
    """What all clients know and count together."""

    strategy: Literal["prefix", "tag"]
    outages: Outages
    history: History
    counts: Counts
    faults: bool
    """Whether connections to S3 may break."""
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    """Access tokens by user."""


@dataclass(frozen=True, slots=True)
class Client:
    """In each call somebody else, by the token that it sends."""

    http: httpx2.AsyncClient
    shared: Shared

    async def log_in(self, username: str) -> None:
        answer, _ = await self._ask("login", "/auth/login", {"username": username})
        if answer.name == DONE:
            self.shared.tokens[username] = answer.body["access_token"]
        else:
            self._protest(f"{username}: {answer.name} for a login")

    async def upload(self, username: str, file: bytes, *, pin: bool = False) -> Upload | None:
        """The first two phases. `pin`: the form allows these very bytes. None where they failed, which is told."""
        upload = await self.presign(username, file, pin=pin)
        return upload if upload and await self.post(upload, file) else None

    async def presign(self, username: str, file: bytes, *, pin: bool = False) -> Upload | None:
        body: dict[str, Any] = {"content_type": CONTENT_TYPE, "size": len(file)}
        if pin:
            body["sha256"] = base64.b64encode(hashlib.sha256(file).digest()).decode()
        prefix = STRATEGIES[self.shared.strategy].prefix
        for _ in range(TRIES):
            answer, outage = await self._ask("presign", "/uploads/presign", body, username)
            if wrong := judge_presign(answer, prefix, outage=outage):
                self._protest(f"{username}: {wrong}")
            if answer.name == DONE:
                made = answer.body
                avatar = AVATAR_PREFIX + made["key"].removeprefix(prefix)
                return Upload(username, made["key"], avatar, made.get("upload_token"), made["url"], made["fields"])
            if not answer.leaves_open:
                return None
            await _pause(answer)
        self._protest(f"{username}: no presign in {TRIES} tries")
        return None

    async def post(self, upload: Upload, file: bytes) -> bool:
        """Whether it came through."""
        if upload.avatar not in self.shared.history.posted:
            self.shared.counts.uploads += 1
        self.shared.history.post(upload.avatar, digest(file))
        for _ in range(TRIES):
            answer = await self._send(
                "post", upload.url, data=dict(upload.fields), files={"file": ("picture", file, CONTENT_TYPE)}
            )
            if wrong := judge_post(answer, faults=self.shared.faults):
                self._protest(f"{upload.username} {upload.key}: {wrong}")
                return False
            if answer.status != BROKEN:
                return True
            await asyncio.sleep(PAUSE_SECONDS)
        self._protest(f"{upload.username} {upload.key}: not posted in {TRIES} tries")
        return False

    async def confirm(self, upload: Upload, case: Case, *, by: str | None = None) -> Answer:
        """The third phase, by its user or by somebody else."""
        username, key, history = by or upload.username, upload.avatar, self.shared.history
        body = {"key": upload.key} | ({"upload_token": upload.token} if upload.token else {})
        answer = Answer(BROKEN)
        for number in range(TRIES):
            is_superseded = history.is_superseded(username, key)
            if case in CAN_BECOME_THE_AVATAR:
                history.ask(username, key)
            begun = time.monotonic()
            answer, outage = await self._ask("confirm", "/uploads/confirm", body, username)
            circumstances = Circumstances(
                self.shared.strategy, history.may_be_superseded(username, key), is_superseded, number > 0, outage
            )
            if wrong := judge_confirm(case, answer, circumstances, {"username": username, "avatar": key}):
                self._protest(f"{username} {upload.key}: {wrong}")
            if answer.name == DONE:
                history.confirm(username, key)
                self.shared.counts.confirms.append(time.monotonic() - begun)
            if answer.name == SUPERSEDED:
                history.supersede(username, key)
            if not answer.leaves_open:
                return answer
            await _pause(answer)
        self._protest(f"{username} {upload.key}: no answer to a confirm in {TRIES} tries")
        return answer

    async def _ask(
        self, call: str, path: str, body: Mapping[str, Any], username: str | None = None
    ) -> tuple[Answer, bool]:
        """The answer, and whether the service was down meanwhile."""
        headers = {"Authorization": f"Bearer {self.shared.tokens[username]}"} if username else {}
        begun = time.monotonic()
        answer = await self._send(call, path, json=body, headers=headers)
        return answer, self.shared.outages.overlap(begun, time.monotonic())

    async def _send(self, call: str, url: str, **request: Any) -> Answer:
        self.shared.counts.requests[call] += 1
        try:
            answer = _read(await self.http.post(url, **request))
        except httpx2.TransportError as error:
            answer = Answer(BROKEN, repr(error))
        self.shared.counts.answers[call, answer.name] += 1
        return answer

    def _protest(self, violation: str) -> None:
        self.shared.counts.violations.append(violation)


def _read(response: httpx2.Response) -> Answer:
    media_type = response.headers.get("Content-Type", "").partition(";")[0]
    try:
        body = response.json() if media_type.endswith("json") else response.text
    except ValueError:
        body = response.text
    return Answer(response.status_code, body, media_type, response.headers.get("Retry-After", ""))


async def _pause(answer: Answer) -> None:
    await asyncio.sleep(int(answer.retry_after) if answer.retry_after.isdecimal() else PAUSE_SECONDS)
