"""Confirms an upload: gathers the facts, lets `decision` decide, and applies the decision."""

from __future__ import annotations

import logging
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.store.table import find_untold
from services.uploads.bucket import Bucket, ChangedError, OtherBytesError
from services.uploads.deadline import LAST_CALL_SECONDS, Deadline
from services.uploads.decision import (
    AlreadyConfirmed,
    Decision,
    Facts,
    Limits,
    Promote,
    Replace,
    Restore,
    check_forward,
    decide,
    if_owned_by,
)
from services.uploads.message import describe_confirmed, find_replaced, find_told_picture
from services.uploads.picture import DIGEST_MISMATCH
from services.uploads.refusals import (
    DigestMismatchError,
    KeepsChangingError,
    OtherStrategyError,
    RemovedError,
    SupersededError,
    UnknownUploadError,
)
from services.uploads.rows import NotForwardError, Rows
from services.uploads.strategies import is_of_some_strategy, parse_upload

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from services.store.keys import Upload
    from services.uploads.message import Message
    from services.uploads.objects import Stored
    from services.uploads.strategies import Strategy

logger = logging.getLogger(__name__)

MAX_TRIES = 3
"""How often a confirm is tried when the object changes between the check and the copy. That happens only if the user
keeps posting to the same form.
"""


@dataclass(frozen=True, slots=True)
class Confirmed:
    upload: Upload
    leftovers: tuple[str, ...]
    """Keys that no row refers to any more, to be deleted after the response."""
    message: Message | None = None
    """What the application is told after the response. None if it was told already, or if the sweep tells it."""


@dataclass(frozen=True, slots=True)
class Confirmer:
    bucket: Bucket
    users: Rows
    strategy: Strategy
    limits: Limits
    clock: Callable[[], float]
    executor: Executor

    def confirm(self, username: str, key: str, token: str | None = None) -> Confirmed:
        """Let the user's row refer to the upload, in the attribute of its kind. Safe to stop after any call to AWS, and
        to repeat afterwards.

        Raises:
            RefusedError: the subclass says why the upload can't be confirmed.
            KeepsChangingError: the object changed between the check and the copy, in every try.
            DeadlineExceededError: AWS was too slow. A repeat continues from there.
        """
        upload = parse_upload(key, self.strategy)
        if upload is None:
            if is_of_some_strategy(key):
                raise OtherStrategyError("The upload was presigned under the other strategy. Upload the picture again.")
            raise UnknownUploadError("There is no upload of that key.")
        deadline = Deadline.after(LAST_CALL_SECONDS, self.clock)
        for _ in range(MAX_TRIES):
            try:
                return self._try_to_confirm(username, upload, token, deadline)
            except ChangedError:
                logger.info("%s changed while it was confirmed", key)
            except OtherBytesError as error:
                logger.warning("%s was replaced by other bytes with the same ETag", key)
                raise DigestMismatchError(DIGEST_MISMATCH) from error
        raise KeepsChangingError("The upload was replaced while it was confirmed. Confirm it again.")

    def _try_to_confirm(self, username: str, upload: Upload, token: str | None, deadline: Deadline) -> Confirmed:
        deadline.check()
        facts = self._gather(username, upload, token, deadline)
        try:
            decision = self._decide(username, upload, facts, deadline)
        except (SupersededError, RemovedError):
            if facts.stored:
                # This includes a copy that an earlier try made before it was stopped.
                self._discard_later(_all_keys(upload, self.strategy))
            raise
        deadline.check()
        return self._apply(username, upload, decision, deadline, facts.stored)

    def _apply(
        self, username: str, upload: Upload, decision: Decision, deadline: Deadline, stored: Stored | None
    ) -> Confirmed:
        match decision:
            case AlreadyConfirmed():
                return Confirmed(upload, self.strategy.leftovers(upload) if stored else ())
            case Restore():
                self.bucket.repair(decision)
                return Confirmed(upload, ())
            case Replace():
                self.bucket.repair(decision)
                raise decision.reason
            case Promote(copy, verified):
                self.bucket.copy(copy, deadline)
                deadline.check()
                return self._advance(username, upload, verified)

    def _advance(self, username: str, upload: Upload, stored: Stored) -> Confirmed:
        """Let the row refer to the object, which is permanent by now."""
        leftovers = self.strategy.leftovers(upload)
        try:
            before = self.users.advance(username, upload)
        except NotForwardError as error:
            try:
                check_forward(upload, error.row)
            except (SupersededError, RemovedError):
                # The row only moves forward, so no row will ever refer to this object.
                self._discard_later(_all_keys(upload, self.strategy))
                raise
            # A concurrent repeat changed the row, or an earlier try of this call whose response was lost.
            value = error.row.of(upload.kind)
            if find_untold(upload.kind, value) is None:
                return Confirmed(upload, leftovers)
            replaced = find_told_picture(upload.kind, value)
            return Confirmed(upload, leftovers, describe_confirmed(username, upload, stored, replaced))
        message = describe_confirmed(username, upload, stored, find_replaced(upload.kind, before))
        return Confirmed(upload, (before.key, *leftovers) if before.key else leftovers, message)

    def _gather(self, username: str, upload: Upload, token: str | None, deadline: Deadline) -> Facts:
        """Read the object and the row in parallel."""
        key = self.strategy.posted_key(upload)
        max_bytes = self.limits.pictures[upload.kind.name].max_bytes
        inspection = self.executor.submit(copy_context().run, self.bucket.inspect, key, max_bytes, deadline)
        row = self.users.find_row(username)
        return Facts(self.clock(), row, if_owned_by(inspection.result(), username, token, self.strategy))

    def _decide(self, username: str, upload: Upload, facts: Facts, deadline: Deadline) -> Decision:
        try:
            return decide(upload, facts, self.limits, self.strategy)
        except UnknownUploadError:
            # A concurrent confirm may have finished between the two reads: the row was read before its update, and the
            # object after its deletion. The row has the update by now.
            deadline.check()
            latest = replace(facts, row=self.users.find_row(username))
            return decide(upload, latest, self.limits, self.strategy)

    def _discard_later(self, keys: tuple[str, ...]) -> None:
        """Delete in the background, so that the response does not wait. On shutdown the service waits for its
        executor.
        """
        self.executor.submit(copy_context().run, self.bucket.discard, keys)


def _all_keys(upload: Upload, strategy: Strategy) -> tuple[str, ...]:
    """Every key at which a confirm of this upload can have left an object."""
    return (upload.permanent_key, *strategy.leftovers(upload))
