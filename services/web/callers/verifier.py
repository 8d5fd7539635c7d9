"""Verifies access tokens (JWT, RFC 7519)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import jwt

from services.store.keys import make_username
from services.web.callers.identity import Caller, NotLoggedInError, TokenExpiredError
from services.web.callers.key_set import KeySet
from services.web.callers.remembered import RememberedTokens, Verified

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.web.callers.issuer import Issuer

TOKEN_TYPES = {"jwt", "at+jwt", "application/at+jwt"}
"""Values of the header parameter `typ` that an access token may have (RFC 9068, section 2.1), in lower case. An issuer
signs other JWTs with the same key, such as `logout+jwt` (RFC 8725, section 3.11).
"""


class Verifier:
    """A verified token is remembered until it expires or the key set changes. For one event loop."""

    def __init__(
        self,
        issuer: Issuer,
        fetch_keys: Callable[[], Awaitable[str | bytes]],
        stopwatch: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
        tokens: RememberedTokens | None = None,
    ) -> None:
        """`stopwatch` measures the age of the keys; `clock` says whether a token has expired."""
        self._issuer = issuer
        self._clock = clock
        self._tokens = RememberedTokens() if tokens is None else tokens  # an empty one is false
        self._keys = KeySet(fetch_keys, stopwatch, issuer.algorithms, on_change=self._tokens.clear)

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
        kid, algorithm = self._read_header(token)
        key = await self._keys.find(kid, algorithm)
        try:
            claims = jwt.decode(
                token,
                key,
                # Every option is named although some are defaults: the token's own header must never choose.
                algorithms=[algorithm],
                issuer=self._issuer.url,
                leeway=self._issuer.leeway,
                options={
                    "require": [*self._issuer.required_claims],
                    "verify_signature": True,
                    "verify_exp": True,
                    "verify_iat": True,
                    "verify_nbf": True,
                    "verify_iss": True,
                    "verify_aud": False,  # `is_for_audience` does, since some issuers have no `aud`
                    "verify_sub": True,
                    "verify_jti": True,
                },
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpiredError("The session is over.") from error
        except jwt.InvalidTokenError as error:
            raise NotLoggedInError("The token is not valid.") from error
        if not self._issuer.is_for_audience(claims):
            raise NotLoggedInError("The token was issued for another audience.")
        return self._tokens.add(token, self._find_caller(claims), int(claims["exp"]) + self._issuer.leeway)

    def _read_header(self, token: str) -> tuple[str, str]:
        """The token's key id and algorithm, before its signature is verified. Nothing else in the header is used.

        Raises:
            NotLoggedInError: no key can verify such a token.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise NotLoggedInError("The token can't be read.") from error
        kid, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(kid, str):
            raise NotLoggedInError("The token names no key.")
        if not isinstance(algorithm, str) or algorithm not in self._issuer.algorithms:
            raise NotLoggedInError("The token is signed with an algorithm that is not allowed.")
        if str(header.get("typ", "JWT")).lower() not in TOKEN_TYPES:
            raise NotLoggedInError("The token is no access token.")
        return kid, algorithm

    def _find_caller(self, claims: dict[str, Any]) -> Caller:
        """
        Raises:
            NotLoggedInError: the token names no user.
        """
        name = self._issuer.find_name(claims)
        if not isinstance(name, str):
            raise NotLoggedInError("The token names no user.")
        try:
            return Caller(make_username(name))
        except ValueError as error:
            raise NotLoggedInError("The token names no user.") from error
