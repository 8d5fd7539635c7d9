"""Presign and confirm: gathers the facts, lets `upload` decide, and applies what it decided."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uuid_utils

from services.keys import USERNAME_FIELD, UploadId
from services.uploads.bucket import Bucket, ChangedError, Form
from services.uploads.upload import (
    AlreadyConfirmed,
    Declared,
    Facts,
    Limits,
    SupersededError,
    UnknownUploadError,
    check_declared,
    decide,
    is_superseded,
)
from services.uploads.users import NotForwardError, Users

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from services.uploads.pending import Prefix

logger = logging.getLogger(__name__)

TRIES = 3
"""How often a confirm starts anew because the object changed under it, which takes a user who posts all the while."""


class KeepsChangingError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Presigned:
    upload_id: UploadId
    key: str
    form: Form


@dataclass(frozen=True, slots=True)
class Confirmed:
    avatar: str
    leftovers: tuple[str, ...]
    """Keys nothing points at any more; deleting them is no part of the promise that a confirm makes."""


@dataclass(frozen=True, slots=True)
class Uploads:
    bucket: Bucket
    users: Users
    pending: Prefix
    limits: Limits
    clock: Callable[[], float]
    executor: Executor

    def presign(self, username: str, declared: Declared) -> Presigned:
        """
        Raises:
            RefusedError: no form is given for such a file.
        """
        check_declared(declared, self.limits)
        upload_id = UploadId(str(uuid_utils.uuid7(nanoseconds=int(self.clock() * 1e9))))
        key = self.pending.awaiting_key(upload_id)
        pinned = {"Content-Type": declared.content_type, f"x-amz-meta-{USERNAME_FIELD}": username}
        if declared.sha256 is not None:
            pinned |= {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": declared.sha256}
        return Presigned(upload_id, key, self.bucket.presign(key, pinned, declared.size, self.limits.form_seconds))

    def confirm(self, username: str, key: str) -> Confirmed:
        """Make the upload the user's avatar. Safe to stop after any call to AWS, and to repeat from any point.

        Raises:
            RefusedError: by its subclass, why the upload can't become the avatar.
            KeepsChangingError: the object was replaced again and again between the check and the copy.
        """
        upload_id = self.pending.parse(key)
        if upload_id is None:
            raise UnknownUploadError("There is no upload of that key.")
        for _ in range(TRIES):
            try:
                return self._confirm(username, upload_id)
            except ChangedError:
                logger.info("%s changed while it was confirmed", key)
        raise KeepsChangingError("The upload was replaced while it was confirmed. Confirm it again.")

    def _confirm(self, username: str, upload_id: UploadId) -> Confirmed:
        facts = self._gather(username, upload_id)
        decision = decide(username, upload_id, facts, self.limits)
        if isinstance(decision, AlreadyConfirmed):
            return Confirmed(upload_id.avatar_key, self._present(upload_id, facts))
        for step in self.pending.promotion(upload_id, decision.stored):
            self.bucket.copy(step)
        try:
            replaced = self.users.advance(username, upload_id.avatar_key)
        except NotForwardError as error:
            if is_superseded(upload_id, error.avatar):
                # The row only moves forward, so nothing will ever point at this copy.
                self.discard((upload_id.avatar_key, *self.pending.leftovers(upload_id)))
                raise SupersededError("A later upload became the avatar meanwhile.") from error
            replaced = None
        leftovers = self.pending.leftovers(upload_id)
        return Confirmed(upload_id.avatar_key, (replaced, *leftovers) if replaced else leftovers)

    def discard(self, keys: tuple[str, ...]) -> None:
        """Delete what nothing points at. A failure is logged and no more: the sweep finds it later."""
        if not keys:
            return
        try:
            self.bucket.delete(keys)
        except Exception:
            logger.warning("Not deleted, left to the sweep: %s", keys, exc_info=True)

    def _gather(self, username: str, upload_id: UploadId) -> Facts:
        """Everything a decision needs, in the time of one round trip."""
        stored = self.executor.submit(self.bucket.inspect, self.pending.awaiting_key(upload_id))
        avatar = self.users.avatar_of(username)
        return Facts(self.clock(), avatar, stored.result())

    def _present(self, upload_id: UploadId, facts: Facts) -> tuple[str, ...]:
        return self.pending.leftovers(upload_id) if facts.stored else ()
