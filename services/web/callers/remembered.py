"""A cache of verified tokens."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    from services.web.callers.identity import Caller

MAX_TOKENS = 10_000
"""Maximum number of cached tokens, about 5 MB. When it is reached, the least recently used entry is dropped."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The content of a token whose signature and claims were verified."""

    caller: Caller
    expires: float
    """Seconds since the epoch. The token is not valid from then on."""
    signature: bytes


class RememberedTokens:
    """Recently verified tokens, so that the next request with one needs no signature check. Only verified tokens may be
    added. The key of an entry is the SHA-256 of the token's signed part; the value has the signature.

    - Neither alone is a token, so a dump of the memory reveals none.
    - An ECDSA signature (r, s) is as valid as (r, -s), so one token has two spellings. They share an entry: an attacker
      with one valid token can't evict the others without logging in once for each entry.
    - An attacker can't choose the digest, and signatures are compared in constant time, so the duration of a look-up
      does not reveal how close a guess is.
    """

    def __init__(self, maximum: int = MAX_TOKENS) -> None:
        self._entries = LRUCache[bytes, Verified](maximum)

    def find(self, token: str) -> Verified | None:
        """The entry of exactly this token, if there is one."""
        digest, signature = _split(token)
        found = self._entries.get(digest)
        if found is None or not hmac.compare_digest(found.signature, signature):
            return None
        return found

    def add(self, token: str, caller: Caller, expires: float) -> Verified:
        digest, signature = _split(token)
        self._entries[digest] = verified = Verified(caller, expires, signature)
        return verified

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _split(token: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.encode().rpartition(b".")
    return hashlib.sha256(signed).digest(), signature
