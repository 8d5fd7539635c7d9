"""Verifies access tokens (JWT, RFC 7519)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import jwt

from services.web.callers.identity import Audience, Caller, NotLoggedInError, TokenExpiredError
from services.web.callers.key_set import ALGORITHM, KeySet
from services.web.callers.remembered import RememberedTokens, Verified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REQUIRED_CLAIMS = ["iss", "aud", "sub", "iat", "exp", "jti"]


class Verifier:
    """A verified token is remembered until it expires or the key set changes. For one event loop."""

    def __init__(
        self,
        audience: Audience,
        fetch_keys: Callable[[], Awaitable[str]],
        stopwatch: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        tokens: RememberedTokens | None = None,
    ) -> None:
        """`stopwatch` measures the age of the keys; `clock` says whether a token has expired."""
        self._audience = audience
        self._clock = clock
        self._tokens = RememberedTokens() if tokens is None else tokens  # an empty one is false
        self._keys = KeySet(fetch_keys, stopwatch, on_change=self._tokens.clear)

    async def verify(self, token: str) -> Caller:
        """The user whom the token names.

        Raises:
            TokenExpiredError, NotLoggedInError: the token is not valid, and why.
            KeysUnavailableError: the key set can't be fetched and no known key fits.
        """
        # Before the look-up: a token must not be remembered for longer than the key that signed it.
        await self._keys.renew()
        verified = self._tokens.find(token) or await self._check(token)
        if verified.expires <= self._clock():
            raise TokenExpiredError("The session is over.")
        return verified.caller

    async def _check(self, token: str) -> Verified:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError as error:
            raise NotLoggedInError("The token can't be read.") from error
        if not isinstance(kid, str):
            raise NotLoggedInError("The token names no key.")
        key = await self._keys.find(kid)
        try:
            claims = jwt.decode(
                token,
                key,
                # Every option is named although some are defaults: the token's own header must never choose.
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
            raise NotLoggedInError("The token is not valid.") from error
        return self._tokens.add(token, Caller(username=claims["sub"]), int(claims["exp"]))
