"""Decides what a confirm does, from facts that were gathered before. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.keys import AVATAR_PREFIX, USERNAME_FIELD, UploadId, parse_key
from services.uploads.picture import PictureLimits, verify_picture
from services.uploads.refusals import (
    ExpiredError,
    RefusedError,
    RemovedError,
    SupersededError,
    UnknownUploadError,
)

if TYPE_CHECKING:
    from services.store.table import Row
    from services.uploads.objects import Copy, Stored
    from services.uploads.strategies import Strategy


MAX_AHEAD_SECONDS = 300
"""How far the time of an id may be ahead of the confirm's clock. The row would refuse every other upload until then.
AWS refuses most calls of a task whose clock is further off, so such a task can't confirm anything itself.
"""


@dataclass(frozen=True, slots=True)
class Limits(PictureLimits):
    form_seconds: int
    confirm_seconds: int


@dataclass(frozen=True, slots=True)
class Facts:
    now: float
    row: Row
    stored: Stored | None
    """The object at the key that the form posted to, if it is the caller's."""


@dataclass(frozen=True, slots=True)
class AlreadyConfirmed:
    """The row refers to this upload, and no lifecycle rule will delete it: a repeat of an earlier confirm."""


@dataclass(frozen=True, slots=True)
class Promote:
    """The object is verified. This copy makes it permanent; then the row may refer to it."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class Restore:
    """The avatar was posted again and has the pending tag. Its bytes are verified; this copy removes the tag."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class Replace:
    """The avatar was posted again with bytes that are refused. A blank picture takes their place."""

    key: str
    stored: Stored
    reason: RefusedError


Decision = AlreadyConfirmed | Promote | Restore | Replace


def decide(upload_id: UploadId, facts: Facts, limits: Limits, strategy: Strategy) -> Decision:
    """The facts hold the object only if it is the caller's, so the result depends on nothing but the caller's own row,
    their own object and the time: it reveals nothing about other users' keys.

    Raises:
        RefusedError: the subclass says why the upload can't become the avatar.
    """
    stored = facts.stored
    if facts.row.avatar == upload_id.avatar_key:
        return _decide_repeat(upload_id, stored, limits, strategy)
    check_forward(upload_id, facts.row)
    if facts.now > upload_id.created + limits.confirm_seconds:
        raise ExpiredError("The upload was not confirmed in time. Upload the picture again.")
    if upload_id.created > facts.now + MAX_AHEAD_SECONDS:
        raise ExpiredError("The clock of the presign was ahead. Upload the picture again.")
    if stored is None:
        raise UnknownUploadError("There is no upload of that key.")
    verify_picture(stored, limits)
    return Promote(strategy.promotion(upload_id, stored))


def _decide_repeat(upload_id: UploadId, stored: Stored | None, limits: Limits, strategy: Strategy) -> Decision:
    if stored is None:
        if strategy.with_token:
            raise UnknownUploadError("There is no upload of that key.")
        return AlreadyConfirmed()
    if not strategy.needs_repair(stored):
        return AlreadyConfirmed()
    return decide_repair(upload_id, stored, limits, strategy)


def decide_repair(upload_id: UploadId, stored: Stored, limits: PictureLimits, strategy: Strategy) -> Restore | Replace:
    """Decide about a live avatar whose bytes may differ from those that were confirmed, or that has the pending tag."""
    try:
        verify_picture(stored, limits)
    except RefusedError as reason:
        return Replace(upload_id.avatar_key, stored, reason)
    return Restore(strategy.promotion(upload_id, stored))


def if_owned_by(stored: Stored | None, username: str, token: str | None, strategy: Strategy) -> Stored | None:
    """The object if this user may confirm it with this upload token; None otherwise, as if there were no object."""
    if stored is None or stored.metadata.get(USERNAME_FIELD) != username or not strategy.is_proved_by(stored, token):
        return None
    return stored


def check_forward(upload_id: UploadId, row: Row) -> None:
    """
    Raises:
        SupersededError: the row refers to a later upload.
        RemovedError: the avatar was removed after this upload was presigned.
    """
    if row.avatar is not None and row.avatar > upload_id.avatar_key:
        raise SupersededError("A later upload is the avatar already.")
    if row.removed is not None and row.removed >= upload_id.text:
        raise RemovedError("The avatar was removed after this upload was presigned. Upload the picture again.")


def decide_removal(now: float, row: Row) -> str:
    """The row's next `Removed`: an id that is not below that of any upload up to now. The clock of this task may be
    behind that of the task that presigned the avatar, or that made the last removal.
    """
    current = parse_key(row.avatar, AVATAR_PREFIX) if row.avatar else None
    return max(UploadId.latest_at(now).text, current.text if current else "", row.removed or "")
