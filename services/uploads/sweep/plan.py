"""Compares the table with the bucket, and finds the objects and rows that the sweep must inspect. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.keys import AVATAR_PREFIX, UploadId, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.uploads.objects import Listed, Reference


REPAIR_SECONDS = 4 * 86_400
"""How long after it was written a live object can still have the pending tag. The lifecycle rule deletes an object that
has it after one day, rounded up to midnight, and S3 may delete it up to two days late.
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """When an object is old enough to be an orphan."""

    now: float
    """When the sweep started, before its first read. Seconds since the epoch."""
    settle_seconds: int
    """The confirm window plus the margin. After that time no confirm can let a row refer to the object."""

    def is_settled(self, time: float) -> bool:
        return time <= self.now - self.settle_seconds


@dataclass(frozen=True, slots=True)
class Live:
    """A row refers to the object. If it is `recent`, it may have the pending tag again."""

    upload_id: UploadId
    recent: bool


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """No row refers to the object, nor ever will."""

    upload_id: UploadId


@dataclass(frozen=True, slots=True)
class Young:
    """No row refers to the object yet."""

    upload_id: UploadId


@dataclass(frozen=True, slots=True)
class Foreign:
    """The key is not that of an upload, so the sweep must not delete the object."""

    key: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A row refers to an object that the listing did not contain."""

    reference: Reference


Finding = Live | Unreferenced | Young | Foreign | Missing


def compare(references: Iterable[Reference], listed: Iterable[Listed], rules: Rules) -> Iterator[Finding]:
    """Merge the references and the objects, both sorted by key. Only the current one of each is in memory."""
    rows = iter(references)
    row = next(rows, None)
    for entry in listed:
        while row and row.avatar < entry.key:
            yield Missing(row)
            row = next(rows, None)
        is_referenced = False
        while row and row.avatar == entry.key:
            is_referenced = True
            row = next(rows, None)
        yield _classify(entry, rules, is_referenced=is_referenced)
    while row:
        yield Missing(row)
        row = next(rows, None)


def _classify(entry: Listed, rules: Rules, *, is_referenced: bool) -> Finding:
    upload_id = parse_key(entry.key, AVATAR_PREFIX)
    if upload_id is None:
        return Foreign(entry.key)
    if is_referenced:
        return Live(upload_id, recent=entry.modified > rules.now - REPAIR_SECONDS)
    # The id has the time of the presign, which limits when a confirm was possible. The time of writing counts as well:
    # an object that was written recently under an old id, such as a seed, may not have its row yet.
    is_old = rules.is_settled(max(upload_id.created, entry.modified))
    return Unreferenced(upload_id) if is_old else Young(upload_id)
