"""Tells the application in the background, after the response to a confirm or a removal."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.uploads.message import Message
    from services.uploads.notifier import Notifier
    from services.web.metrics import Metrics

logger = logging.getLogger(__name__)

THREADS = 8
"""Number of messages that are sent at the same time. They are other threads than those of the route handlers, so that
an application that is slow to respond delays no confirm.
"""

MAX_WAITING = 1000
"""Maximum number of messages that are being sent or wait for a thread. The sweep sends any further ones."""


class Outbox:
    def __init__(self, notifier: Notifier | None, metrics: Metrics, max_waiting: int = MAX_WAITING) -> None:
        """Without a notifier there is no application to be told."""
        self._notifier = notifier
        self._metrics = metrics
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="tell")
        self._max_waiting = max_waiting
        self._waiting = 0

    async def send(self, message: Message | None) -> None:
        """Send the message, if there is one. A failure is logged and counted; the sweep tells it again."""
        if message is None or self._notifier is None:
            return
        if self._waiting >= self._max_waiting:
            logger.warning("The application was not told of %s: too many messages wait", message.id)
            self._metrics.count("NotTold")
            return
        self._waiting += 1
        try:
            sending = self._executor.submit(copy_context().run, self._notifier.tell, message)
            told = await asyncio.wrap_future(sending)
        finally:
            self._waiting -= 1
        self._metrics.count("Told" if told else "NotTold")

    def close(self) -> None:
        """Wait for the messages that are being sent. The sweep sends those that still wait."""
        self._executor.shutdown(cancel_futures=True)
