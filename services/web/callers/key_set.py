"""The issuer's public keys (a JWK Set, RFC 7517), fetched when they are needed and renewed in the background."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Literal

import httpx2
import jwt
import msgspec

from services.settings.tokens import SAFE_KEY_SET_URL
from services.web.callers.identity import KeysUnavailableError, NotLoggedInError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

logger = logging.getLogger(__name__)

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
"""Maximum duration of a request, from the connection to the end of the document."""
MAX_DOCUMENT_BYTES = 200_000
"""Maximum size of a key set and of a discovery document. A key set with the certificates of ten keys has 20 KB."""
MIN_RSA_BITS = 2048
"""RFC 7518, section 3.3."""

_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}


class UnusableDocumentError(Exception):
    """A key set or a discovery document was fetched, and can't be used."""


class _Key(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key for signatures, without its private members and its certificates."""

    kty: Literal["EC", "RSA", "OKP"]
    kid: str
    use: Literal["sig"] | None = None
    key_ops: list[str] | None = None
    alg: str | None = None
    crv: str | None = None
    x: str | None = None
    y: str | None = None
    n: str | None = None
    e: str | None = None

    def fits(self, algorithm: str) -> bool:
        """Whether the key is for this algorithm, which its type and its own `alg` must allow."""
        return (
            self.kty == _KEY_TYPES[algorithm[:2]]
            and self.crv == _CURVES.get(algorithm)
            and self.alg in {None, algorithm}
            and (self.key_ops is None or "verify" in self.key_ops)
        )


class _Document(msgspec.Struct):
    keys: list[msgspec.Raw]


class _Discovery(msgspec.Struct):
    """OpenID Connect Discovery 1.0, section 3."""

    issuer: str
    jwks_uri: str


class KeySet:
    """The known keys stay in use while the document can't be fetched: if the issuer is down, the services must still
    work, which matters more than a late key rotation.

    For one event loop.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[str | bytes]],
        stopwatch: Callable[[], float],
        algorithms: Sequence[str],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            fetch: returns the document's text. It must end within some seconds, since callers wait for it.
            stopwatch: seconds that never go back; measures the age of the keys.
            algorithms: the only algorithms that keys are used for. Other keys are left out.
            on_change: called when a fetched document differs from the one before.
        """
        self._fetch = fetch
        self._stopwatch = stopwatch
        self._algorithms = algorithms
        self._on_change = on_change
        self._used: list[_Key] = []
        self._keys: dict[tuple[str, str], jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._failed = False
        """Whether the last fetch failed."""
        self._running: asyncio.Task[None] | None = None

    async def find(self, kid: str, algorithm: str) -> jwt.PyJWK:
        """The key of this id, for this algorithm. If there is none, it waits for a fetch, if one is running or due.

        Raises:
            NotLoggedInError: the set has no such key.
            KeysUnavailableError: the set could not be fetched yet.
        """
        if (kid, algorithm) not in self._keys and (running := self._start_fetch()):
            # One caller that disconnects does not cancel the fetch of the others.
            await asyncio.shield(running)
        if key := self._keys.get((kid, algorithm)):
            return key
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
            used = list(_read_keys(document))
            keys = {
                (key.kid, algorithm): made
                for key in reversed(used)  # the first of two keys with one id is used
                for algorithm in self._algorithms
                if (made := _make_key(key, algorithm))
            }
            if document.keys and not keys:
                raise UnusableDocumentError("The key set has no key for signatures with an allowed algorithm.")
        except FETCH_ERRORS as error:
            logger.warning("The key set could not be fetched: %r", error)
            self._failed = True
            return
        if used != self._used:
            self._on_change()
        self._used, self._keys = used, keys
        self._fetched = started
        self._failed = False

    def _is_due(self, last: float | None, seconds: float) -> bool:
        return last is None or self._stopwatch() - last >= seconds


FETCH_ERRORS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    TimeoutError,
    msgspec.MsgspecError,
    UnicodeDecodeError,
    RecursionError,  # msgspec raises it for a deeply nested document
    UnusableDocumentError,
)


def _read_keys(document: _Document) -> Iterator[_Key]:
    """The keys that may be for signatures. A key set may have others, which are skipped (RFC 7517, section 5)."""
    for raw in document.keys:
        try:
            yield msgspec.json.decode(raw, type=_Key)
        except msgspec.ValidationError:
            continue


def _make_key(key: _Key, algorithm: str) -> jwt.PyJWK | None:
    """The key as PyJWT uses it, bound to the algorithm. None if it is not for this algorithm or not valid."""
    if not key.fits(algorithm):
        return None
    try:
        made = jwt.PyJWK(msgspec.to_builtins(key), algorithm)
    except jwt.PyJWTError:
        return None
    return None if key.kty == "RSA" and made.key.key_size < MIN_RSA_BITS else made


def fetch_over_http(url: str, seconds: float = FETCH_SECONDS) -> Callable[[], Awaitable[bytes]]:
    """A function that fetches the key set at this URL."""

    async def fetch() -> bytes:
        return await _get(url, seconds)

    return fetch


def discover_over_http(issuer: str, seconds: float = FETCH_SECONDS) -> Callable[[], Awaitable[bytes]]:
    """A function that fetches the key set that the issuer's discovery document names at that time.

    It raises `UnusableDocumentError` if the document is another issuer's, or names an unsafe URL (OpenID Connect
    Discovery 1.0, sections 4.1 and 4.3).
    """

    async def fetch() -> bytes:
        where = f"{issuer.removesuffix('/')}/.well-known/openid-configuration"
        document = msgspec.json.decode(await _get(where, seconds), type=_Discovery)
        if document.issuer != issuer:
            raise UnusableDocumentError(f"The document at {where} is of the issuer {document.issuer!r}.")
        if not is_safe_url(document.jwks_uri, issuer):
            raise UnusableDocumentError(f"The URL {document.jwks_uri!r} of the key set must begin with https://.")
        return await _get(document.jwks_uri, seconds)

    return fetch


def is_safe_url(url: str, issuer: str) -> bool:
    """Whether a key set of this issuer may be at this URL: over HTTPS, or on this machine as the issuer itself."""
    return bool(re.search(SAFE_KEY_SET_URL, url)) and (url.startswith("https:") or issuer.startswith("http:"))


async def _get(url: str, seconds: float) -> bytes:
    """The document at this URL. A redirect is an error, since it could lead to an unsafe URL."""
    content = bytearray()
    async with (
        # The client's own timeout starts again with each packet.
        asyncio.timeout(seconds),
        httpx2.AsyncClient(timeout=None, follow_redirects=False) as client,
        # Without compression, a document can't be larger than the bytes that arrive.
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
    ):
        response.raise_for_status()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_DOCUMENT_BYTES:
                raise UnusableDocumentError(f"The document at {url} has more than {MAX_DOCUMENT_BYTES} bytes.")
    return bytes(content)
