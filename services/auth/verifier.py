"""Who is calling: verifies access tokens, for every service. The only part of the auth service that others import."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio
import httpx2
import jwt
import msgspec

from services.exchange import note
from services.problems import UNAVAILABLE, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from litestar import Request

logger = logging.getLogger(__name__)

ALGORITHM = "ES256"
REQUIRED_CLAIMS = ["iss", "aud", "sub", "iat", "exp", "jti"]
REFETCH_SECONDS = 10
"""How soon an unknown `kid` may make us ask for the keys again: anybody can send one, as often as they like."""
FIRST_FETCH_SECONDS = 1
"""The same while there is no key at all, so that a service that starts before the auth service soon works."""
MAX_AGE_SECONDS = 600
"""How long fetched keys serve; a key taken out of the key set stops verifying after this."""
MOST_TOKENS = 10_000
"""Verified tokens that are remembered; about 5 MB of them. One more, and the one that was quiet the longest goes."""


class NotLoggedInError(Exception):
    """There is no token, or it is not one of ours."""


class TokenExpiredError(NotLoggedInError):
    """The token was ours and its time is over."""


class ForeignOriginError(Exception):
    """Another site's page sent this with the user's cookie."""


class KeysUnavailableError(Exception):
    """The key set can't be had, so nothing can be said of the token."""


PROBLEMS: dict[type[Exception], Problem] = {
    TokenExpiredError: Problem(
        "token-expired", 401, "Log in again", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    ),
    NotLoggedInError: Problem("not-logged-in", 401, "Log in first", {"WWW-Authenticate": "Bearer"}),
    ForeignOriginError: Problem("foreign-origin", 403, "This call came from another site's page"),
    KeysUnavailableError: UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Audience:
    """What a token must say of where it is from and for. Both follow from the one public origin of the system."""

    origin: str

    @property
    def issuer(self) -> str:
        return f"{self.origin}/auth"

    @property
    def audience(self) -> str:
        return self.origin

    @property
    def cookie(self) -> str:
        """The session cookie's name; browsers keep `__Host-` to Secure cookies of this very host (RFC 6265bis)."""
        return "__Host-session" if self.is_secure else "session"

    @property
    def is_secure(self) -> bool:
        return self.origin.startswith("https://")


@dataclass(frozen=True, slots=True)
class Caller:
    username: str


@dataclass(frozen=True, slots=True)
class Verified:
    caller: Caller
    expires: float
    """Seconds since the epoch; from then on the token is good for nothing."""
    signature: bytes


class VerifiedTokens:
    """Those that were found good not long ago, so that the next call with one needs no elliptic curve. Nothing else may
    enter. Of a token there is a digest of what its signature signs, and the signature.

    - Neither alone is a token, so that whoever reads the memory has none.
    - A token can be spelled in many ways, since with a signature's `s` its `-s` is as good. They
      share an entry: who has one good token can't crowd out the others, which takes one login for each entry.
    - The digest can't be steered, and signatures are compared in constant time, so that the time that a look-up takes
      tells nothing of how near a guess came.
    """

    def __init__(self, most: int = MOST_TOKENS) -> None:
        self._most = most
        self._entries: dict[bytes, Verified] = {}

    def find(self, token: str) -> Verified | None:
        """What is known of exactly this token."""
        digest, signature = _split(token)
        found = self._entries.get(digest)
        if found is None or not hmac.compare_digest(found.signature, signature):
            return None
        # Out and in again: a dictionary keeps its order, and so the one that was quiet the longest is its first.
        self._entries[digest] = self._entries.pop(digest)
        return found

    def add(self, token: str, caller: Caller, expires: float) -> Verified:
        digest, signature = _split(token)
        self._entries.pop(digest, None)
        self._entries[digest] = verified = Verified(caller, expires, signature)
        if len(self._entries) > self._most:
            del self._entries[next(iter(self._entries))]
        return verified

    def forget(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _split(token: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.encode().rpartition(b".")
    return hashlib.sha256(signed).digest(), signature


class _Key(msgspec.Struct):
    kty: Literal["EC"]
    crv: Literal["P-256"]
    kid: str
    x: str
    y: str


class _KeySet(msgspec.Struct):
    keys: list[_Key]


class Verifier:
    """Checks tokens against a key set (RFC 7517) that it fetches when it needs to and keeps for a while.

    While the key set can't be fetched, the keys that are known go on serving for as long as they are needed; that a
    stopped auth service takes the others down with it would be worse than a late rotation.

    A token is remembered until its time is over, or another set of keys is found. For one event loop.
    """

    def __init__(
        self,
        audience: Audience,
        fetch_keys: Callable[[], Awaitable[str]],
        stopwatch: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        tokens: VerifiedTokens | None = None,
    ) -> None:
        """`stopwatch` says how old the keys are, `clock` whether a token's time is over."""
        self._audience = audience
        self._fetch_keys = fetch_keys
        self._stopwatch = stopwatch
        self._clock = clock
        self._tokens = VerifiedTokens() if tokens is None else tokens  # an empty one is false
        self._key_set = _KeySet([])
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching = anyio.Lock()

    async def verify(self, token: str) -> Caller:
        """The user whom the token names.

        Raises:
            TokenExpiredError, NotLoggedInError: the token is not good, and why.
            KeysUnavailableError: the keys can't be fetched and none that fits is known.
        """
        # Before the look-up: a token whose key was taken out must not be remembered for longer than the key.
        if self._keys and self._is_due(self._fetched, MAX_AGE_SECONDS):
            await self._refresh()
        verified = self._tokens.find(token) or await self._check(token)
        if verified.expires <= self._clock():
            raise TokenExpiredError("The session is over.")
        return verified.caller

    async def _check(self, token: str) -> Verified:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise NotLoggedInError(f"The token can't be read: {error}") from error
        if not isinstance(kid, str):
            raise NotLoggedInError("The token names no key.")
        key = await self._find_key(kid)
        try:
            claims = jwt.decode(
                token,
                key,
                # Everything is named although some of it is the default: the token's own header must never choose.
                algorithms=[ALGORITHM],
                issuer=self._audience.issuer,
                audience=self._audience.audience,
                options={
                    "require": REQUIRED_CLAIMS,
                    "verify_signature": True,
                    "verify_exp": True,
                    "verify_iat": True,
                    "verify_nbf": True,
                    "verify_iss": True,
                    "verify_aud": True,
                    "verify_sub": True,
                    "verify_jti": True,
                    "strict_aud": True,
                },
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpiredError("The session is over.") from error
        except jwt.InvalidTokenError as error:
            raise NotLoggedInError(f"The token is not valid: {error}") from error
        return self._tokens.add(token, Caller(username=claims["sub"]), int(claims["exp"]))

    async def _find_key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys:
            await self._refresh()
        if kid in self._keys:
            return self._keys[kid]
        if self._fetched is None:
            raise KeysUnavailableError("The keys to verify tokens can't be fetched.")
        raise NotLoggedInError("The token was signed with a key that is not ours.")

    async def _refresh(self) -> None:
        async with self._fetching:
            if not self._is_due(self._tried, REFETCH_SECONDS if self._keys else FIRST_FETCH_SECONDS):
                return
            self._tried = self._stopwatch()
            try:
                key_set = msgspec.json.decode(await self._fetch_keys(), type=_KeySet)
                keys = {key.kid: jwt.PyJWK(msgspec.to_builtins(key), ALGORITHM) for key in key_set.keys}
            except (httpx2.HTTPError, msgspec.MsgspecError, jwt.PyJWTError) as error:
                logger.warning("The key set could not be fetched: %s", error)
                return
            if key_set != self._key_set:
                self._tokens.forget()
            self._key_set, self._keys = key_set, keys
            self._fetched = self._tried

    def _is_due(self, last: float | None, seconds: float) -> bool:
        return last is None or self._stopwatch() - last >= seconds


class Doorkeeper:
    """Finds the token in a request and says who the caller is."""

    def __init__(self, audience: Audience, verifier: Verifier) -> None:
        self._audience = audience
        self._verifier = verifier

    async def identify(self, request: Request[Any, Any, Any]) -> Caller:
        """The caller by Bearer header or session cookie, the header first.

        Raises:
            NotLoggedInError, TokenExpiredError, KeysUnavailableError: as `Verifier.verify`.
            ForeignOriginError: a cookie rides along with a call that another site's page makes.
        """
        caller = await self._verifier.verify(self._find_token(request))
        note(username=caller.username)
        return caller

    def _find_token(self, request: Request[Any, Any, Any]) -> str:
        # Not by `request.headers`, which are made of all of them.
        header = next((value for name, value in request.scope["headers"] if name == b"authorization"), b"")
        scheme, _, credentials = header.decode("latin-1").partition(" ")
        if scheme.lower() == "bearer" and credentials:
            return credentials.strip()
        cookie = request.cookies.get(self._audience.cookie)
        if not cookie:
            raise NotLoggedInError("There is no session cookie and no Bearer token.")
        if request.method not in {"GET", "HEAD"}:
            require_own_origin(request, self._audience)
        return cookie

    async def recognise(self, request: Request[Any, Any, Any]) -> Caller | None:
        """The caller where there is one; for pages that anybody may see."""
        try:
            return await self.identify(request)
        except (NotLoggedInError, KeysUnavailableError):
            return None


def require_own_origin(request: Request[Any, Any, Any], audience: Audience) -> None:
    """Browsers send `Origin` with every POST (Fetch standard), so that a missing one is not our page either."""
    if request.headers.get("Origin") != audience.origin:
        raise ForeignOriginError(f"Only pages of {audience.origin} may use the session cookie.")


def fetch_over_http(url: str) -> Callable[[], Awaitable[str]]:
    async def fetch() -> str:
        async with httpx2.AsyncClient(timeout=2) as client:
            answer = await client.get(url)
            return answer.raise_for_status().text

    return fetch
