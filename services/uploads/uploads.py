"""Confirm: gathers the facts, lets `upload` decide, and applies what it decided."""

from __future__ import annotations

import logging
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from services.uploads.bucket import Bucket, ChangedError
from services.uploads.pending import is_of_some_strategy, parse_upload
from services.uploads.upload import (
    AlreadyConfirmed,
    Facts,
    Limits,
    OtherStrategyError,
    Promote,
    Replace,
    Restore,
    SupersededError,
    UnknownUploadError,
    decide,
    is_superseded,
    own,
)
from services.uploads.users import NotForwardError, Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from services.keys import UploadId
    from services.uploads.pending import Strategy

logger = logging.getLogger(__name__)

TRIES = 3
"""How often a confirm starts anew because the object changed under it, which takes a user who posts all the while."""

BEGIN_SECONDS = 20
"""How long after it came in a confirm may still begin a call to AWS. With the nine seconds that one can take at most
(`services.aws`), the answer comes before the gateway's 30 s; and no step is taken long after the clock was read."""


class KeepsChangingError(Exception):
    pass


class TooSlowError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Confirmed:
    avatar: str
    leftovers: tuple[str, ...]
    """Keys nothing points at any more; deleting them is no part of the promise that a confirm makes."""


@dataclass(frozen=True, slots=True)
class Uploads:
    bucket: Bucket
    users: Users
    strategy: Strategy
    limits: Limits
    clock: Callable[[], float]
    executor: Executor

    def confirm(self, username: str, key: str, token: str | None = None) -> Confirmed:
        """Make the upload the user's avatar. Safe to stop after any call to AWS, and to repeat from any point.

        Raises:
            RefusedError: by its subclass, why the upload can't become the avatar.
            KeepsChangingError: the object was replaced again and again between the check and the copy.
            TooSlowError: AWS took so long that the answer would come too late. A repeat goes on from there.
        """
        upload_id = parse_upload(key, self.strategy)
        if upload_id is None:
            if is_of_some_strategy(key):
                raise OtherStrategyError("This upload was begun in another way. Upload the picture again.")
            raise UnknownUploadError("There is no upload of that key.")
        hurry = partial(self._hurry, self.clock())
        for _ in range(TRIES):
            try:
                return self._confirm(username, upload_id, token, hurry)
            except ChangedError:
                logger.info("%s changed while it was confirmed", key)
        raise KeepsChangingError("The upload was replaced while it was confirmed. Confirm it again.")

    def discard(self, keys: tuple[str, ...]) -> None:
        """Delete what nothing points at. A failure is logged and no more: the sweep finds it later."""
        if not keys:
            return
        try:
            self.bucket.delete(keys)
        except Exception:
            logger.warning("Not deleted, left to the sweep: %s", keys, exc_info=True)

    def _confirm(self, username: str, upload_id: UploadId, token: str | None, hurry: Callable[[], None]) -> Confirmed:
        hurry()
        facts = self._gather(username, upload_id, token, hurry)
        try:
            decision = self._decide(username, upload_id, facts, hurry)
        except SupersededError:
            if facts.stored:
                # Also what an earlier try has copied before it stopped.
                self._discard_later(_everything_of(upload_id, self.strategy))
            raise
        hurry()
        match decision:
            case AlreadyConfirmed():
                return Confirmed(upload_id.avatar_key, self.strategy.leftovers(upload_id) if facts.stored else ())
            case Restore():
                self.bucket.heal(decision)
                return Confirmed(upload_id.avatar_key, ())
            case Replace():
                self.bucket.heal(decision)
                raise decision.reason
            case Promote(copy):
                self.bucket.copy(copy)
                hurry()
                return self._advance(username, upload_id)

    def _advance(self, username: str, upload_id: UploadId) -> Confirmed:
        """Point the row at the object, which is permanent by now."""
        leftovers = self.strategy.leftovers(upload_id)
        try:
            replaced = self.users.advance(username, upload_id.avatar_key)
        except NotForwardError as error:
            if is_superseded(upload_id, error.avatar):
                # The row only moves forward, so nothing will ever point at this object.
                self._discard_later(_everything_of(upload_id, self.strategy))
                raise SupersededError("A later upload became the avatar meanwhile.") from error
            replaced = None
        return Confirmed(upload_id.avatar_key, (replaced, *leftovers) if replaced else leftovers)

    def _gather(self, username: str, upload_id: UploadId, token: str | None, hurry: Callable[[], None]) -> Facts:
        """Everything a decision needs, in the time of one round trip."""
        inspection = self.executor.submit(self.bucket.inspect, self.strategy.awaiting_key(upload_id), hurry)
        avatar = self.users.avatar_of(username)
        return Facts(self.clock(), avatar, own(inspection.result(), username, token, self.strategy))

    def _decide(
        self, username: str, upload_id: UploadId, facts: Facts, hurry: Callable[[], None]
    ) -> AlreadyConfirmed | Promote | Restore | Replace:
        try:
            return decide(upload_id, facts, self.limits, self.strategy)
        except UnknownUploadError:
            # Another confirm may have come between the two reads: the row was read before it moved, and the object was
            # looked for after it had gone. By now the row tells.
            hurry()
            latest = replace(facts, avatar=self.users.avatar_of(username))
            return decide(upload_id, latest, self.limits, self.strategy)

    def _discard_later(self, keys: tuple[str, ...]) -> None:
        """Discard them beside the answer, which must not wait for it. A stopping service waits for its executor."""
        self.executor.submit(copy_context().run, self.discard, keys)

    def _hurry(self, begun: float) -> None:
        if self.clock() > begun + BEGIN_SECONDS:
            raise TooSlowError("The storage did not answer in time. Repeating the call is safe.")


def _everything_of(upload_id: UploadId, strategy: Strategy) -> tuple[str, ...]:
    """Each key that a confirm of this upload can have left an object at."""
    return (upload_id.avatar_key, *strategy.leftovers(upload_id))
