"""The auth service's public keys (a JWK Set, RFC 7517), fetched when they are needed and renewed in the background."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal

import httpx2
import jwt
import msgspec

from services.web.callers.identity import KeysUnavailableError, NotLoggedInError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)

ALGORITHM = "ES256"

REFETCH_SECONDS = 10
"""Minimum time between two fetches for an unknown `kid`, which any client can send at any rate."""
FIRST_FETCH_SECONDS = 1
"""Minimum time between two fetches while no key is known: short, since a service may start before the auth service."""
RENEW_SECONDS = 300
"""Age of the keys from which they are fetched again in the background."""
MAX_AGE_SECONDS = 600
"""How long fetched keys are used without another fetch. A key that is taken out of the key set stops verifying tokens
after this time."""
FETCH_SECONDS = 2
"""Maximum duration of a fetch, from the connection to the end of the document."""


class _Key(msgspec.Struct):
    kty: Literal["EC"]
    crv: Literal["P-256"]
    kid: str
    x: str
    y: str


class _Document(msgspec.Struct):
    keys: list[_Key]


class KeySet:
    """The known keys stay in use while the document can't be fetched: if the auth service is down, the other services
    must still work, which matters more than a late key rotation.

    For one event loop.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[str]],
        stopwatch: Callable[[], float],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            fetch: returns the document's text. It must end within some seconds, since callers wait for it.
            stopwatch: seconds that never go back; measures the age of the keys.
            on_change: called when a fetched document differs from the one before.
        """
        self._fetch = fetch
        self._stopwatch = stopwatch
        self._on_change = on_change
        self._document = _Document([])
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failed = False
        """Whether the last fetch failed."""
        self._running: asyncio.Task[None] | None = None

    async def find(self, kid: str) -> jwt.PyJWK:
        """The key of this id. For an unknown id it waits for a fetch, if one is running or due.

        Raises:
            NotLoggedInError: the set has no key of that id.
            KeysUnavailableError: the set could not be fetched yet.
        """
        if kid not in self._keys and (running := self._start_fetch()):
            # One caller that disconnects does not cancel the fetch of the others.
            await asyncio.shield(running)
        if kid in self._keys:
            return self._keys[kid]
        if self._fetched is None:
            raise KeysUnavailableError("The keys to verify tokens can't be fetched.")
        raise NotLoggedInError("The token was signed with an unknown key.")

    async def renew(self) -> None:
        """Start to fetch the keys again once they are `RENEW_SECONDS` old. A caller waits only if they are too old, and
        only until a fetch has failed: then the keys stay in use, and all further fetches run in the background.
        """
        if not self._keys or not self._is_due(self._fetched, RENEW_SECONDS):
            return
        running = self._start_fetch()
        if running and not self._failed and self._is_due(self._fetched, MAX_AGE_SECONDS):
            await asyncio.shield(running)

    def _start_fetch(self) -> asyncio.Task[None] | None:
        """The running fetch, or a new one if it is due."""
        if self._running and not self._running.done():
            return self._running
        if not self._is_due(self._tried, REFETCH_SECONDS if self._keys else FIRST_FETCH_SECONDS):
            return None
        self._tried = self._stopwatch()
        self._running = asyncio.create_task(self._fetch_keys(self._tried))
        return self._running

    async def _fetch_keys(self, started: float) -> None:
        try:
            document = msgspec.json.decode(await self._fetch(), type=_Document)
            keys = {key.kid: jwt.PyJWK(msgspec.to_builtins(key), ALGORITHM) for key in document.keys}
        except (httpx2.HTTPError, TimeoutError, msgspec.MsgspecError, jwt.PyJWTError) as error:
            logger.warning("The key set could not be fetched: %r", error)
            self._failed = True
            return
        if document != self._document:
            self._on_change()
        self._document, self._keys = document, keys
        self._fetched = started
        self._failed = False

    def _is_due(self, last: float | None, seconds: float) -> bool:
        return last is None or self._stopwatch() - last >= seconds


def fetch_over_http(url: str, seconds: float = FETCH_SECONDS) -> Callable[[], Awaitable[str]]:
    async def fetch() -> str:
        # The client's own timeout starts again with each packet.
        async with asyncio.timeout(seconds), httpx2.AsyncClient(timeout=None) as client:
            response = await client.get(url)
            return response.raise_for_status().text

    return fetch
