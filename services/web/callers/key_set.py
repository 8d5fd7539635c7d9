"""The auth service's public keys (a JWK Set, RFC 7517), fetched when they are needed and cached."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import anyio
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
MAX_AGE_SECONDS = 600
"""How long fetched keys are used before they are fetched again. A key that is taken out of the key set stops verifying
tokens after this time."""


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
            fetch: returns the document's text.
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
        self._fetching = anyio.Lock()

    async def find(self, kid: str) -> jwt.PyJWK:
        """
        Raises:
            NotLoggedInError: the set has no key of that id.
            KeysUnavailableError: the set could not be fetched yet.
        """
        if kid not in self._keys:
            await self._refresh()
        if kid in self._keys:
            return self._keys[kid]
        if self._fetched is None:
            raise KeysUnavailableError("The keys to verify tokens can't be fetched.")
        raise NotLoggedInError("The token was signed with an unknown key.")

    async def refresh_if_old(self) -> None:
        if self._keys and self._is_due(self._fetched, MAX_AGE_SECONDS):
            await self._refresh()

    async def _refresh(self) -> None:
        async with self._fetching:
            if not self._is_due(self._tried, REFETCH_SECONDS if self._keys else FIRST_FETCH_SECONDS):
                return
            self._tried = self._stopwatch()
            try:
                document = msgspec.json.decode(await self._fetch(), type=_Document)
                keys = {key.kid: jwt.PyJWK(msgspec.to_builtins(key), ALGORITHM) for key in document.keys}
            except (httpx2.HTTPError, msgspec.MsgspecError, jwt.PyJWTError) as error:
                logger.warning("The key set could not be fetched: %s", error)
                return
            if document != self._document:
                self._on_change()
            self._document, self._keys = document, keys
            self._fetched = self._tried

    def _is_due(self, last: float | None, seconds: float) -> bool:
        return last is None or self._stopwatch() - last >= seconds


def fetch_over_http(url: str) -> Callable[[], Awaitable[str]]:
    async def fetch() -> str:
        async with httpx2.AsyncClient(timeout=2) as client:
            response = await client.get(url)
            return response.raise_for_status().text

    return fetch
