"""Decides what a confirm does, from facts that were gathered before. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.keys import USERNAME_FIELD, UploadId, parse_key
from services.uploads.picture import verify_picture
from services.uploads.refusals import (
    ExpiredError,
    RefusedError,
    RemovedError,
    SupersededError,
    UnknownUploadError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from services.store.keys import Upload
    from services.store.kinds import Kind, PictureLimits
    from services.store.table import Row, Value
    from services.uploads.objects import Copy, Stored
    from services.uploads.strategies import Strategy


MAX_AHEAD_SECONDS = 300
"""How far the time of an id may be ahead of the confirm's clock. The row would refuse every other upload until then.
AWS refuses most calls of a task whose clock is further off, so such a task can't confirm anything itself.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    pictures: Mapping[str, PictureLimits]
    """By kind."""
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
    stored: Stored


@dataclass(frozen=True, slots=True)
class Restore:
    """The live picture was posted again and has the pending tag. Its bytes are verified; this copy removes the tag."""

    copy: Copy


@dataclass(frozen=True, slots=True)
class Replace:
    """The live picture was posted again with bytes that are refused. A blank picture takes their place."""

    key: str
    stored: Stored
    reason: RefusedError


Decision = AlreadyConfirmed | Promote | Restore | Replace


def decide(upload: Upload, facts: Facts, limits: Limits, strategy: Strategy) -> Decision:
    """The facts hold the object only if it is the caller's, so the result depends on nothing but the caller's own row,
    their own object and the time: it reveals nothing about other users' keys.

    Raises:
        RefusedError: the subclass says why the upload can't be confirmed.
    """
    stored, pictures = facts.stored, limits.pictures[upload.kind.name]
    if facts.row.of(upload.kind).key == upload.permanent_key:
        return _decide_repeat(upload, stored, pictures, strategy)
    check_forward(upload, facts.row)
    if facts.now > upload.id.created + limits.confirm_seconds:
        raise ExpiredError("The upload was not confirmed in time. Upload the picture again.")
    if upload.id.created > facts.now + MAX_AHEAD_SECONDS:
        raise ExpiredError("The clock of the presign was ahead. Upload the picture again.")
    if stored is None:
        raise UnknownUploadError("There is no upload of that key.")
    verify_picture(stored, upload.kind, pictures)
    return Promote(strategy.promotion(upload, stored), stored)


def _decide_repeat(upload: Upload, stored: Stored | None, limits: PictureLimits, strategy: Strategy) -> Decision:
    if stored is None:
        if strategy.with_token:
            raise UnknownUploadError("There is no upload of that key.")
        return AlreadyConfirmed()
    if not strategy.needs_repair(stored):
        return AlreadyConfirmed()
    return decide_repair(upload, stored, limits, strategy)


def decide_repair(upload: Upload, stored: Stored, limits: PictureLimits, strategy: Strategy) -> Restore | Replace:
    """Decide about a live picture that has the pending tag, or whose bytes may not be the confirmed ones."""
    try:
        verify_picture(stored, upload.kind, limits)
    except RefusedError as reason:
        return Replace(upload.permanent_key, stored, reason)
    return Restore(strategy.promotion(upload, stored))


def if_owned_by(stored: Stored | None, username: str, token: str | None, strategy: Strategy) -> Stored | None:
    """The object if this user may confirm it with this upload token; None otherwise, as if there were no object."""
    if stored is None or stored.metadata.get(USERNAME_FIELD) != username or not strategy.is_proved_by(stored, token):
        return None
    return stored


def check_forward(upload: Upload, row: Row) -> None:
    """
    Raises:
        SupersededError: the row refers to a later upload of this kind.
        RemovedError: the picture of this kind was removed after this upload was presigned.
    """
    name, value = upload.kind.name, row.of(upload.kind)
    if value.key is not None and value.key > upload.permanent_key:
        raise SupersededError(f"A later upload is the {name} already.")
    if value.removed is not None and value.removed >= upload.id.text:
        raise RemovedError(f"The {name} was removed after this upload was presigned. Upload the picture again.")


def decide_removal(now: float, kind: Kind, value: Value) -> str:
    """The id that marks the removal: it is above that of any upload up to now. The clock of this task may be behind
    that of the task that presigned the picture, or that made the last removal.
    """
    current = parse_key(value.key, kind.permanent_prefix) if value.key else None
    above = current.latest_of_its_time().text if current else ""
    return max(UploadId.latest_at(now).text, above, value.removed or "")
