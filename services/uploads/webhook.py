"""Sends messages to the application as signed POST requests, in the format of Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

from services.settings.application import parse_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

TIME_LIMIT_SECONDS = 5
"""Maximum time of a delivery, from the look-up of the name to the end of the response's headers."""


class NotAcceptedError(Exception):
    """The application could not be reached in time, or its response does not have a status code from 200 to 299."""


def sign(secrets: tuple[bytes, ...], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`: one signature for each secret, so that a receiver that knows any one
    of them accepts the message while the secret is being changed.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(secret, signed, hashlib.sha256) for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def make_webhook(url: str | None, secret: str | None) -> Webhook | None:
    """The webhook that the settings describe, if they do."""
    return Webhook(url, parse_secrets(secret)) if url and secret else None


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str
    secrets: tuple[bytes, ...] = field(repr=False)
    clock: Callable[[], float] = time.time
    time_limit_seconds: float = TIME_LIMIT_SECONDS
    # Loading the certificates takes 20 ms.
    _tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def send(self, message_id: str, body: bytes) -> None:
        """Send the message once. `message_id` is the same in each repeat of a message.

        Raises:
            NotAcceptedError: the application did not accept it.
        """
        timestamp = int(self.clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "three-phase-upload",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self.secrets, message_id, timestamp, body),
        }
        # Not `asyncio.run`, which would wait for a look-up of the name that is still running in a thread.
        try:
            with contextlib.closing(asyncio.new_event_loop()) as loop:
                status = loop.run_until_complete(self._post(headers, body))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise NotAcceptedError(repr(error)) from error
        if not httpx2.codes.is_success(status):
            raise NotAcceptedError(f"The status code is {status}")

    async def _post(self, headers: dict[str, str], body: bytes) -> int:
        """Return the status code. httpx2's timeouts start again with each packet, so they do not limit the whole time.

        No redirect is followed: only the operator chooses where messages go. No proxy of the environment is used. The
        body of the response is not read, and the HTTP client limits the size of its headers.
        """
        async with (
            asyncio.timeout(self.time_limit_seconds),
            httpx2.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=self.time_limit_seconds
            ) as client,
            client.stream("POST", self.url, headers=headers, content=body) as response,
        ):
            return response.status_code
