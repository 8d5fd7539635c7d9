"""Compares the table with the bucket, finds the objects and rows that the sweep must inspect, and decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.store.keys import Upload, parse_key
from services.store.table import Value
from services.uploads.sweep.report import Outcome, Report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from services.store.kinds import Kind
    from services.store.table import Row
    from services.uploads.objects import Listed, Reference


REPAIR_SECONDS = 4 * 86_400
"""How long after it was written a live object can still have the pending tag. The lifecycle rule deletes an object that
has it after one day, rounded up to midnight, and S3 may delete it up to two days late.
"""

RECENT_SECONDS = 3 * 3600
"""How long after it was written each sweep reads an object's tags. Only a post sets the pending tag, a post renews the
time of writing, and no lifecycle rule deletes the object within a day of it.
"""

FULL_HOURS = 6
"""Every sixth hour a sweep reads the tags of all objects that can have the pending tag."""

MIN_DELETIONS = 20
"""Number of orphans that one sweep deletes whatever their share of the listed objects."""


def is_full_hour(now: float) -> bool:
    """Whether a sweep that starts now is a full one. The hour of the clock decides, so that no state is kept."""
    return int(now // 3600) % FULL_HOURS == 0


@dataclass(frozen=True, slots=True)
class Rules:
    """When an object is old enough to be an orphan, and whether its tags are read."""

    now: float
    """When the sweep started, before its first read. Seconds since the epoch."""
    settle_seconds: int
    """The confirm window plus the margin. After that time no confirm can let a row refer to the object."""
    full: bool
    """Whether the tags of every object that can have the pending tag are read, and not only of recent ones."""

    def is_settled(self, time: float) -> bool:
        return time <= self.now - self.settle_seconds

    def is_recent(self, modified: float) -> bool:
        return modified > self.now - RECENT_SECONDS

    def can_have_tag(self, modified: float) -> bool:
        return modified > self.now - REPAIR_SECONDS

    def covers(self, modified: float) -> bool:
        """Whether this sweep reads the tags of an object that can have the pending tag."""
        return self.is_recent(modified) or (self.full and self.can_have_tag(modified))


@dataclass(frozen=True, slots=True)
class Live:
    """A row refers to the object. It may have the pending tag again; then `read_tags` is set."""

    upload: Upload
    read_tags: bool
    read_checksum: bool


@dataclass(frozen=True, slots=True)
class Unreferenced:
    """No row refers to the object, nor ever will."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class Deferred:
    """No row refers to the object, nor ever will. It may have the pending tag, which a full sweep reads."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class Young:
    """No row refers to the object yet."""

    upload: Upload


@dataclass(frozen=True, slots=True)
class Foreign:
    """The key is not that of an upload, so the sweep must not delete the object."""

    key: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A row refers to an object that the listing did not contain."""

    reference: Reference


Unread = Live | Unreferenced | Missing
"""A finding whose outcome takes calls to AWS."""

Finding = Unread | Deferred | Young | Foreign


def compare(kind: Kind, references: Iterable[Reference], listed: Iterable[Listed], rules: Rules) -> Iterator[Finding]:
    """Merge the references and the objects of a kind, both sorted by key. Only the current one of each is in memory."""
    rows = iter(references)
    row = next(rows, None)
    for entry in listed:
        while row and row.key < entry.key:
            yield Missing(row)
            row = next(rows, None)
        is_referenced = False
        while row and row.key == entry.key:
            is_referenced = True
            row = next(rows, None)
        yield _classify(kind, entry, rules, is_referenced=is_referenced)
    while row:
        yield Missing(row)
        row = next(rows, None)


def _classify(kind: Kind, entry: Listed, rules: Rules, *, is_referenced: bool) -> Finding:
    upload_id = parse_key(entry.key, kind.permanent_prefix)
    if upload_id is None:
        return Foreign(entry.key)
    upload = Upload(kind, upload_id)
    if is_referenced:
        return Live(upload, rules.covers(entry.modified), rules.is_recent(entry.modified))
    # The id has the time of the presign, which limits when a confirm was possible. The time of writing counts as well:
    # an object that was written recently under an old id, such as a seed, may not have its row yet.
    if not rules.is_settled(max(upload_id.created, entry.modified)):
        return Young(upload)
    if rules.can_have_tag(entry.modified) and not rules.covers(entry.modified):
        return Deferred(upload)
    return Unreferenced(upload)


def decide_unless_unread(finding: Finding) -> Outcome | Unread:
    """The outcome of a finding that takes no call to AWS. Any other finding is returned."""
    match finding:
        case Live(read_tags=False):
            return Outcome.LIVE
        case Deferred():
            return Outcome.DEFERRED
        case Young():
            return Outcome.YOUNG
        case Foreign():
            return Outcome.FOREIGN
        case _:
            return finding


@dataclass(frozen=True, slots=True)
class Orphan:
    """No row refers to the object, and no lifecycle rule deletes it. `owner`: the user whom its metadata names."""

    upload: Upload
    owner: str


def find_excess(orphans: Mapping[str, int], report: Report, max_deletions: int, max_share: float) -> str | None:
    """Why a sweep must not delete that many orphans. None if it may. `orphans`: their number by kind."""
    total = sum(orphans.values())
    if not total:
        return None
    if not report.rows:
        return "no row has or had a picture, so TABLE is probably the name of another table"
    if total > max_deletions:
        return f"{total:,} orphans are more than MAX_DELETIONS, which is {max_deletions:,}"
    for kind, count in orphans.items():
        # Each kind has its own share: many objects of one kind must not hide that all objects of another are orphans.
        if count > max(MIN_DELETIONS, max_share * report.listed[kind]):
            return (
                f"{count:,} orphans among {report.listed[kind]:,} objects of the kind {kind} are more than"
                f" MAX_DELETED_SHARE, which is {max_share}"
            )
    return None


def decide_orphan(orphan: Orphan, row: Row | None, *, is_there: bool, is_doubtful: bool) -> Outcome:
    """What becomes of the orphan, after its owner's row was read again.

    `is_there`: whether the object to which the row refers exists. `is_doubtful`: whether the object of some row is
    missing. That happens if the table was restored to a former state. A row only moves forward, so even a former state
    proves that an object was replaced or removed; but it does not prove that an object was never confirmed.
    """
    kind, key = orphan.upload.kind, orphan.upload.permanent_key
    value = row.of(kind) if row else Value()
    if value.key == key:
        return Outcome.LIVE
    if value.key and not is_there:
        return Outcome.KEPT
    is_past = key <= max(value.key or "", kind.permanent_prefix + (value.removed or ""))
    return Outcome.KEPT if is_doubtful and not is_past else Outcome.DELETED
