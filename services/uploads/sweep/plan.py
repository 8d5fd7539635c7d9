"""What the sweep makes of the table and the bucket: which things it has to look at more closely. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.keys import AVATAR_PREFIX, UploadId, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.uploads.objects import Listed, Reference


REPAIR_SECONDS = 4 * 86_400
"""How long after it was written a live object can still be marked as pending. The lifecycle rule takes a marked one
after one day, rounded up to midnight, and S3 may be late by as much again."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When an object is old enough to be judged."""

    now: float
    """When the sweep began, before it read anything."""
    settle_seconds: int
    """The confirm window and the margin: a confirm that could still point a row at an object is long over."""

    def is_settled(self, moment: float) -> bool:
        return moment <= self.now - self.settle_seconds


@dataclass(frozen=True, slots=True)
class Live:
    """A row points at it. `recent`: it may have been marked as pending again."""

    upload_id: UploadId
    recent: bool


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """No row points at it, and none ever will."""

    upload_id: UploadId


@dataclass(frozen=True, slots=True)
class Young:
    """No row points at it yet."""

    upload_id: UploadId


@dataclass(frozen=True, slots=True)
class Foreign:
    """Its name is not one that an upload can have, so it is none of ours to delete."""

    key: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A row points at it, and it was not among the objects."""

    reference: Reference


Finding = Live | Unreferenced | Young | Foreign | Missing


def compare(references: Iterable[Reference], listed: Iterable[Listed], rules: Rules) -> Iterator[Finding]:
    """Walk both, which are in the order of their keys, side by side. Nothing is kept but the two in hand."""
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
        yield _judge(entry, rules, is_referenced=is_referenced)
    while row:
        yield Missing(row)
        row = next(rows, None)


def _judge(entry: Listed, rules: Rules, *, is_referenced: bool) -> Finding:
    upload_id = parse_key(entry.key, AVATAR_PREFIX)
    if upload_id is None:
        return Foreign(entry.key)
    if is_referenced:
        return Live(upload_id, recent=entry.modified > rules.now - REPAIR_SECONDS)
    # By its id, which tells when it was presigned and so how long a confirm was possible; and by when it was written,
    # since what was just put there under an old id, such as a seed, may have its row still to come.
    is_old = rules.is_settled(max(upload_id.created, entry.modified))
    return Unreferenced(upload_id) if is_old else Young(upload_id)
